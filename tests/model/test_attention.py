"""Attention against the formulas of its papers, written as loops."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from captioner.model.attention import AdditiveAttention, DotProductAttention, GeneralAttention

B, K, L, C, Q, A = 2, 3, 5, 8, 6, 8


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor]:
    """Queries (B, K, Q) and regions (B, L, C)."""
    torch.manual_seed(0)
    return (
        torch.randn(B, K, Q, dtype=torch.float64),
        torch.randn(B, L, C, dtype=torch.float64),
    )


def softmax(energies: list[float]) -> list[float]:
    powers = [math.exp(e) for e in energies]
    return [p / sum(powers) for p in powers]


def test_additive_is_bahdanaus(inputs: tuple[Tensor, Tensor]) -> None:
    """e = v · tanh(W q + U h + b), α = softmax(e), c = Σ α h (equations 5 and 6 of the paper)."""
    query, regions = inputs
    attention = AdditiveAttention(C, Q, A).double()
    context, weights = attention(query, attention.keys(regions), regions)
    assert context.shape == (B, K, C) and weights.shape == (B, K, L)
    w, u, b = attention.query.weight, attention.keys.weight, attention.keys.bias
    v = attention.score.weight[0]
    for photo in range(B):
        for row in range(K):
            energies = []
            for h in regions[photo]:
                energies.append(
                    sum(
                        float(v[a] * math.tanh(w[a] @ query[photo, row] + u[a] @ h + b[a]))
                        for a in range(A)
                    )
                )
            alphas = softmax(energies)
            expected = sum(a * h for a, h in zip(alphas, regions[photo], strict=True))
            assert weights[photo, row].tolist() == pytest.approx(alphas, abs=1e-6)
            torch.testing.assert_close(context[photo, row], expected, atol=1e-6, rtol=1e-6)


def test_general_is_luongs(inputs: tuple[Tensor, Tensor]) -> None:
    """e = q W h, the second of the paper's three scores; the keys are the regions."""
    query, regions = inputs
    attention = GeneralAttention(C, Q).double()
    context, weights = attention(query, attention.keys(regions), regions)
    w = attention.query.weight  # (C, Q)
    for photo in range(B):
        for row in range(K):
            q = query[photo, row]
            alphas = softmax(
                [float(sum(q[j] * w[c, j] * h[c] for j in range(Q) for c in range(C)))
                 for h in regions[photo]]
            )  # fmt: skip
            expected = sum(a * h for a, h in zip(alphas, regions[photo], strict=True))
            assert weights[photo, row].tolist() == pytest.approx(alphas, abs=1e-6)
            torch.testing.assert_close(context[photo, row], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_dot_product_is_vaswanis(inputs: tuple[Tensor, Tensor], heads: int) -> None:
    """Each head: softmax(q k / √d) v on its own part of query, keys and values."""
    query, regions = inputs
    attention = DotProductAttention(C, Q, C, heads).double()
    context, weights = attention(query, attention.keys(regions), regions)
    width = C // heads
    for photo in range(B):
        keys = [attention.keys(h) for h in regions[photo]]
        for row in range(K):
            q = attention.query(query[photo, row])
            parts, every = [], []
            for head in range(heads):
                own = slice(head * width, (head + 1) * width)
                alphas = softmax([float(q[own] @ k[own]) / math.sqrt(width) for k in keys])
                parts += sum(a * h[own] for a, h in zip(alphas, regions[photo], strict=True))
                every.append(alphas)
            mean = [sum(column) / heads for column in zip(*every, strict=True)]
            assert weights[photo, row].tolist() == pytest.approx(mean, abs=1e-6)
            torch.testing.assert_close(
                context[photo, row], torch.stack(parts), atol=1e-6, rtol=1e-6
            )


@pytest.mark.parametrize("kind", [AdditiveAttention, DotProductAttention])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_sum_to_one(
    kind: type[AdditiveAttention] | type[DotProductAttention], dtype: torch.dtype
) -> None:
    """Also for large energies, and where everything else is bf16."""
    torch.manual_seed(1)
    attention = kind(C, Q, C).to(dtype)
    query, regions = torch.randn(B, K, Q, dtype=dtype) * 30, torch.randn(B, L, C, dtype=dtype) * 30
    context, weights = attention(query, attention.keys(regions), regions)
    assert context.dtype == dtype and weights.dtype == torch.float32
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, K))
