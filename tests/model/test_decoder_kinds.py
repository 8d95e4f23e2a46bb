"""Every kind of decoder: what it reads, what it ignores, and its equations written out."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor

from captioner.model.config import DecoderConfig
from captioner.model.decoder import Decoder, State
from captioner.model.reading import Reading

B, K, L, C, V, T = 3, 2, 4, 6, 11, 5
KINDS = ("context", "feedback", "peek", "attention")


def make(seed: int = 0, attributes: bool = False, **config: object) -> Decoder:
    torch.manual_seed(seed)
    full = DecoderConfig.model_validate({"size": 8, "hidden": 10, **config})
    decoder = Decoder(full, C, V, attributes).double().eval()
    for weight in decoder.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return decoder


def grid(seed: int = 1, photos: int = B) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(photos, L, C, generator=draw, dtype=torch.float64)


def follow(decoder: Decoder, words: Tensor, state: State) -> tuple[Tensor, Tensor]:
    log_probs, maps = [], []
    for word in words.unbind(1):
        log_prob, state, attention = decoder.step(word, state)
        log_probs.append(log_prob)
        maps.append(attention)
    return torch.stack(log_probs, 1), torch.stack(maps, 1)


def written(rows: int, seed: int = 2) -> Tensor:
    return torch.randint(0, V, (rows, T), generator=torch.Generator().manual_seed(seed))


def rows_of(state: State) -> State:
    return state.select(torch.arange(B).repeat_interleave(K))


FAMILY = [
    {"kind": kind, "cell": cell, "layers": layers, "residual": layers > 1, "reading": reading}
    for kind, cell, (layers, reading) in product(
        KINDS, ("lstm", "gru"), ((1, "none"), (3, "gru"), (2, "lstm"))
    )
] + [
    {"attention": "general"},
    {"attention": "dot", "heads": 4, "layers": 2},
    {"hard": True},
    {"kind": "peek", "reading": "gru", "summary": "last"},
]


@pytest.mark.parametrize("config", FAMILY, ids=lambda c: "-".join(map(str, c.values())))
def test_teaching_is_repeated_steps_and_rows_do_not_meet(config: dict[str, object]) -> None:
    decoder, words = make(**config), written(B * K)
    taught = decoder(words, rows_of(decoder.start(grid())))
    log_probs, maps = follow(decoder, words, rows_of(decoder.start(grid())))
    torch.testing.assert_close(decoder.score(taught.features), log_probs)
    torch.testing.assert_close(taught.weights, maps)
    attends = decoder.config.kind == "attention"
    assert maps.shape == (B * K, T, L if attends else 0)
    if attends:
        torch.testing.assert_close(maps.sum(-1), torch.ones(B * K, T))
    for photo in range(B):  # alone as among others, and after others have left
        row = photo * K + 1
        alone, _ = follow(decoder, words[[row]], decoder.start(grid()[[photo]]))
        torch.testing.assert_close(alone[0], log_probs[row])
        left = rows_of(decoder.start(grid())).select(
            torch.tensor([row, row - 1]), torch.tensor([photo])
        )
        after, _ = follow(decoder, words[[row, row - 1]], left)
        torch.testing.assert_close(after, log_probs[[row, row - 1]])


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_reads(kind: str) -> None:
    """Of another previous word, and of another photo once the first state is the same."""
    decoder, words = make(kind=kind), written(B)
    state, other = decoder.start(grid(1)), decoder.start(grid(5))
    log_probs, _ = follow(decoder, words, state)
    reworded, _ = follow(decoder, (words + 1) % V, state)
    assert torch.allclose(reworded, log_probs) == (kind == "context")
    assert not torch.allclose(follow(decoder, words, other)[0], log_probs)
    same_start = replace(state, memory=other.memory)
    resumed, _ = follow(decoder, words, same_start)
    assert torch.allclose(resumed, log_probs) == (kind == "feedback")


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_state(kind: str) -> None:
    """An LSTM begins with an empty cell, unless its first state is all it hears of the photo."""
    decoder = make(kind=kind, layers=2)
    summary = decoder.region(grid()).relu().mean(1)
    first = (summary @ decoder.initial.weight.T + decoder.initial.bias).tanh()
    state = decoder.start(grid())
    torch.testing.assert_close(state.hidden.flatten(1), first[:, :20])
    cell = first[:, 20:] if kind == "feedback" else torch.zeros(B, 20, dtype=torch.float64)
    torch.testing.assert_close(state.cell.flatten(1), cell)


@pytest.mark.parametrize("kind", ["context", "feedback", "peek"])
def test_the_equations_without_attention(kind: str) -> None:
    """One row written out with a GRU: Cho et al. 2014, Sutskever et al. 2014."""
    decoder = make(kind=kind, cell="gru")
    p = dict(decoder.named_parameters())
    seen = torch.nn.functional.layer_norm(grid()[1], (C,), p["region.0.weight"], p["region.0.bias"])
    summary = (seen @ p["region.2.weight"].T + p["region.2.bias"]).relu().mean(0)
    h = (p["initial.weight"] @ summary + p["initial.bias"]).tanh()
    x = p["embedding.weight"][5]
    inputs = {"context": summary, "feedback": x, "peek": torch.cat([x, summary])}[kind]
    gates_x = p["cell.weight_ih"] @ inputs + p["cell.bias_ih"]
    gates_h = p["cell.weight_hh"] @ h + p["cell.bias_hh"]
    (rx, zx, nx), (rh, zh, nh) = gates_x.chunk(3), gates_h.chunk(3)
    new = (nx + (rx + rh).sigmoid() * nh).tanh()
    z = (zx + zh).sigmoid()
    h = (1 - z) * new + z * h
    out = p["output.weight"] @ torch.cat([h, inputs]) + p["output.bias"]
    logits = p["embedding.weight"] @ out + p["bias"]
    log_probs, _, _ = decoder.step(torch.tensor([4, 5, 6]), decoder.start(grid()))
    torch.testing.assert_close(log_probs[1], logits.float().log_softmax(0))


def test_layers_lie_on_one_another() -> None:
    """Three residual LSTMs against torch's own, with the sums of Wu et al. 2016 between them."""
    decoder = make(kind="peek", layers=3, residual=True)
    words, state = written(B), decoder.start(grid())
    features = decoder(words, state).features
    context = state.memory.context.unsqueeze(1).expand(-1, T, -1)
    read = torch.cat([decoder.embedding(words), context], -1)
    x = read
    for depth, cell in enumerate([decoder.cell, *decoder.upper]):
        net = torch.nn.LSTM(x.shape[-1], 10, batch_first=True).double()
        net.load_state_dict({f"{name}_l0": w for name, w in cell.state_dict().items()})
        out, _ = net(x, (state.hidden[None, :, depth].contiguous(), torch.zeros(1, B, 10).double()))
        x = out + x if depth else out
    torch.testing.assert_close(features, decoder.output(torch.cat([x, read], -1)))


def test_dropout_lies_between_layers() -> None:
    """With all of it dropped the second layer reads nothing but its own state."""
    decoder = make(kind="feedback", layers=2, cell="gru").train()
    decoder.regularise(dropout=1.0, grid_dropout=0.0)
    state = decoder.start(grid())
    _, after, _ = decoder.step(written(B)[:, 0], state)
    alone = decoder.upper[0](torch.zeros(B, 10).double(), state.hidden[:, 1])
    torch.testing.assert_close(after.hidden[:, 1], alone)
    _, usual, _ = decoder.eval().step(written(B)[:, 0], state)
    assert not torch.allclose(usual.hidden[:, 1], alone)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_reading_goes_both_ways(cell: str) -> None:
    """The second half is the first on the reversed sequence with the other direction's weights."""
    torch.manual_seed(0)
    reading = Reading(cell, 8).double()  # type: ignore[arg-type]
    regions = torch.randn(B, L, 8, dtype=torch.float64)
    annotations, last = reading(regions)
    one_way = (torch.nn.GRU if cell == "gru" else torch.nn.LSTM)(8, 4, batch_first=True).double()
    both = reading.net.state_dict()
    for direction, (suffix, order) in enumerate((("", 1), ("_reverse", -1))):
        own = {name: both[name + suffix] for name in one_way.state_dict()}
        one_way.load_state_dict(own)
        read, _ = one_way(regions if order == 1 else regions.flip(1))
        half = slice(4 * direction, 4 * direction + 4)
        torch.testing.assert_close(annotations[..., half], read if order == 1 else read.flip(1))
        torch.testing.assert_close(last[:, half], read[:, -1])


def test_the_summary_is_the_mean_or_the_last_states() -> None:
    by_mean, by_last = (
        make(kind="peek", reading="gru"),
        make(kind="peek", reading="gru", summary="last"),
    )
    regions = by_mean.region(grid()).relu()
    annotations, last = by_mean.reading(regions)  # type: ignore[misc]
    torch.testing.assert_close(by_mean.start(grid()).memory.context, annotations.mean(1))
    torch.testing.assert_close(by_last.start(grid()).memory.context, last)


def test_hard_attention_looks_at_one_region() -> None:
    """The likeliest when captioning; in training one drawn from the weights, or all of them."""
    decoder = make(hard=True)
    state, words = rows_of(decoder.start(grid())), written(B * K)
    read = decoder._inputs(decoder.embedding(words[:, 0]), state)
    photo = torch.arange(B).repeat_interleave(K)
    assert read.region is not None and torch.equal(read.region, read.weights.argmax(-1))
    torch.testing.assert_close(read.read[:, 8:], state.memory.regions[photo, read.region])
    decoder.train()
    torch.manual_seed(0)
    counts, times = torch.zeros(L), 2000
    for _ in range(times):
        drawn = decoder._inputs(decoder.embedding(words[:, 0]), state)
        assert drawn.region is not None
        if drawn.region[0] < 0:
            expected = drawn.weights[0].double() @ state.memory.regions[0]
            torch.testing.assert_close(drawn.read[0, 8:], expected, atol=1e-6, rtol=1e-6)
        else:
            counts[drawn.region[0]] += 1
    assert counts.sum() / times == pytest.approx(0.5, abs=0.06)
    torch.testing.assert_close(counts / counts.sum(), read.weights[0].detach(), atol=0.06, rtol=0)


def test_scheduled_sampling_feeds_its_own_words() -> None:
    """Of words that are not told nothing is left but the first; told ones change nothing."""
    decoder, words = make(kind="feedback"), written(200)
    state = decoder.start(grid(3, 200))
    other = torch.cat([words[:, :1], (words[:, 1:] + 1) % V], 1)

    def taught(words: Tensor, told: float, per_sentence: bool = False) -> Tensor:
        torch.manual_seed(4)
        return decoder(words, state, told, per_sentence).features

    assert torch.equal(taught(words, 0.0), taught(other, 0.0))
    assert torch.equal(taught(words, 1.0), decoder(words, state).features)
    forced = decoder(words, state).features
    same = (taught(words, 0.6, True) == forced).all(-1)  # whole sentences are told, or none of it
    share = same.all(1).double().mean().item()
    assert share == pytest.approx(0.6, abs=0.12)
    assert same[:, 0].all() and (same[:, 1] == (taught(words, 0.6) == forced).all(-1)[:, 1]).all()
    second = (taught(words, 0.6) == forced).all(-1)
    assert second[:, 4].double().mean().item() < share - 0.1


def test_what_is_guessed_is_drawn_from_the_prediction() -> None:
    decoder = make(kind="feedback")
    features = decoder(written(1), decoder.start(grid(photos=1))).features[:, 0]
    torch.manual_seed(0)
    drawn = decoder._guess(features.expand(20000, -1)).bincount(minlength=V) / 20000
    torch.testing.assert_close(drawn, decoder.score(features)[0].exp().detach(), atol=0.015, rtol=0)
