"""Scheduled sampling, hard attention's REINFORCE and the doubly stochastic penalty, by hand."""

import math

import pytest
import torch
from torch import Tensor

from captioner.model.config import DecoderConfig
from captioner.model.decoder import Decoder, Taught
from captioner.training.batches import Captions
from captioner.training.objectives import Teaching, hard_attention, passed_over, repeat, teach
from captioner.training.recipe import TrainingConfig
from captioner.training.teacher import told

N, T, L, V = 4, 3, 5, 9


def teacher(schedule: str, k: float, least: float = 0.0) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {"output": "x", "teacher": schedule, "teacher_k": k, "teacher_least": least}
    )


def test_schedules_are_the_paper_s() -> None:
    """Bengio et al. 2015, §2.4, with k = 100, 0.99 and 100."""
    assert told(10**6, teacher("always", 1)) == 1
    assert told(25, teacher("linear", 100)) == pytest.approx(0.75)
    assert told(500, teacher("linear", 100, 0.2)) == pytest.approx(0.2)
    assert told(500, teacher("linear", 100)) == 0
    assert told(70, teacher("exponential", 0.99)) == pytest.approx(0.99**70)
    assert told(0, teacher("inverse_sigmoid", 100)) == pytest.approx(100 / 101)
    assert told(500, teacher("inverse_sigmoid", 100)) == pytest.approx(100 / (100 + math.e**5))
    assert told(10**6, teacher("inverse_sigmoid", 100)) < 1e-9


def taught() -> tuple[Taught, Tensor, Tensor]:
    """Something taught, the nats of its words, none where there is none, and which are known."""
    torch.manual_seed(0)
    weights = torch.randn(N, T, L, dtype=torch.float64).softmax(-1)
    regions = torch.tensor([[0, 4, -1], [2, 2, 1], [-1, -1, 3], [1, 0, 0]])
    known = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 0, 0]], dtype=torch.bool)
    nll = torch.rand(N, T, dtype=torch.float64) * 4 * known
    return Taught(torch.zeros(N, T, 2), weights.requires_grad_(), regions), nll, known


def test_passed_over_by_hand() -> None:
    one, _, known = taught()
    expected = 0.0
    for n in range(N):
        for region in range(L):
            paid = sum(one.weights[n, t, region].item() for t in range(T) if known[n, t])
            expected += (1 - paid) ** 2 / L
    assert passed_over(one.weights, known).item() == pytest.approx(expected)


def test_reinforce_by_hand() -> None:
    """Each drawn region is pushed by how much better its sentence went than the others, by word."""
    one, nll, known = taught()
    assert one.regions is not None
    words = [[nll[n, t].item() for t in range(T) if known[n, t]] for n in range(N)]
    reward = [-sum(row) / len(row) for row in words]
    expected = 0.0
    for n in range(N):
        gain = reward[n] - (sum(reward) - reward[n]) / (N - 1)
        for t in range(T):
            if not known[n, t]:
                continue
            chances = one.weights[n, t].tolist()
            region = int(one.regions[n, t])
            if region >= 0:
                expected -= gain * math.log(chances[region])
            expected += 0.3 * sum(p * math.log(p) for p in chances)
    loss = hard_attention(one, nll, known, 0.3)
    assert loss.item() == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(hard_attention(one, nll, known, 0.0), one.weights)
    drawn = known & (one.regions >= 0)
    assert (gradient != 0).sum() == drawn.sum()  # of the regions drawn, and of no others


def test_the_loss_holds_what_was_asked_for() -> None:
    torch.manual_seed(0)
    decoder = Decoder(DecoderConfig(size=8, hidden=10), 6, V, attributes=False)
    words = torch.randint(0, V, (N, T))
    known = words != 3
    captions = Captions(words, torch.where(known, words, -1), int(known.sum()))
    state = repeat(decoder.start(torch.randn(2, L, 6)), 2)
    plain, nll = teach(decoder, captions, state, Teaching())
    assert plain.item() == pytest.approx(nll.item())
    more, _ = teach(decoder, captions, state, Teaching(doubly_stochastic=0.7))
    weights = decoder(words, state).weights
    penalty = 0.7 * passed_over(weights, known)
    assert more.item() == pytest.approx((plain + penalty).item(), rel=1e-5)


def test_hard_attention_learns_where_to_look() -> None:
    """The word to write is told by the one region that is marked; the rest are noise."""
    torch.manual_seed(0)
    decoder = Decoder(DecoderConfig(size=16, hidden=16, hard=True), 12, V, attributes=False)
    optimizer = torch.optim.Adam(decoder.parameters(), 0.01)

    def draw(photos: int) -> tuple[Tensor, Tensor, Tensor]:
        grid = torch.randn(photos, L, 12) * 0.3
        place, word = torch.randint(0, L, (photos,)), torch.randint(4, V, (photos,))
        rows = torch.arange(photos)
        grid[rows, place, 0] = 4.0
        grid[rows, place, word] += 4.0
        return grid, place, word

    for _ in range(150):
        grid, _, word = draw(48)
        captions = Captions(torch.zeros(48, 1, dtype=torch.long), word[:, None], 48)
        loss, _ = teach(decoder, captions, decoder.start(grid), Teaching(hard_entropy=0.01))
        optimizer.zero_grad()
        (loss / 48).backward()
        optimizer.step()
    decoder.eval()
    grid, place, word = draw(200)
    log_probs, _, weights = decoder.step(torch.zeros(200, dtype=torch.long), decoder.start(grid))
    assert (weights.argmax(-1) == place).double().mean() > 0.9  # chance: 0.2
    assert (log_probs.argmax(-1) == word).double().mean() > 0.8
