"""The decoder: one step for training and search, rows that do not meet, photos that leave."""

from dataclasses import fields

import pytest
import torch
from torch import Tensor, nn

from captioner.model.attributes import AttributeHead
from captioner.model.config import DecoderConfig
from captioner.model.decoder import Decoder, State, lstm

B, K, L, C, V, M, T = 3, 2, 4, 6, 11, 3, 5


@pytest.fixture(params=[("additive", 1), ("dot", 2)], ids=["additive", "dot"])
def decoder(request: pytest.FixtureRequest) -> Decoder:
    torch.manual_seed(0)
    attention, heads = request.param
    config = DecoderConfig(attention=attention, heads=heads, size=8, hidden=10)
    decoder = Decoder(config, C, V).double().eval()
    torch.nn.init.normal_(decoder.no_photo)
    torch.nn.init.normal_(decoder.bias)
    return decoder


@pytest.fixture
def photos() -> tuple[Tensor, Tensor, Tensor]:
    """Grid, attribute words and their certainties."""
    draw = torch.Generator().manual_seed(1)
    grid = torch.randn(B, L, C, generator=draw, dtype=torch.float64)
    words = torch.randint(1, V, (B, M), generator=draw)
    return grid, words, torch.rand(B, M, generator=draw, dtype=torch.float64)


def written(rows: int) -> Tensor:
    return torch.randint(0, V, (rows, T), generator=torch.Generator().manual_seed(2))


def follow(decoder: Decoder, words: Tensor, state: State) -> tuple[Tensor, Tensor]:
    """Log-probabilities (N, T, V) and attention (N, T, L) of one step after the other."""
    log_probs, maps = [], []
    for word in words.unbind(1):
        log_prob, state, attention = decoder.step(word, state)
        log_probs.append(log_prob)
        maps.append(attention)
    return torch.stack(log_probs, 1), torch.stack(maps, 1)


def rows_of(state: State, times: int) -> State:
    return state.select(torch.arange(B).repeat_interleave(times))


def test_teacher_forcing_is_repeated_steps(
    decoder: Decoder, photos: tuple[Tensor, Tensor, Tensor]
) -> None:
    words = written(B * K)
    taught = decoder(words, rows_of(decoder.start(*photos), K))
    log_probs, each = follow(decoder, words, rows_of(decoder.start(*photos), K))
    torch.testing.assert_close(decoder.score(taught.features), log_probs)
    torch.testing.assert_close(taught.weights, each)
    assert log_probs.shape == (B * K, T, V) and taught.weights.shape == (B * K, T, L)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(B * K, T))


def test_a_step_is_the_paper_s_lstm(
    decoder: Decoder, photos: tuple[Tensor, Tensor, Tensor]
) -> None:
    """One row written out: attention, gates, deep output, tied weights."""
    state, word = decoder.start(*photos), torch.tensor([4, 5, 6])
    log_probs, after, _ = decoder.step(word, state)
    p = dict(decoder.named_parameters())
    row = 1
    h, c, x = state.hidden[row, 0], state.cell[row, 0], p["embedding.weight"][5]
    query = torch.cat([h, x])[None, None]
    memory = state.memory
    seen, _ = decoder.region_attention(query, memory.region_keys[[row]], memory.regions[[row]])
    named, _ = decoder.attribute_attention(
        query, memory.attribute_keys[[row]], memory.attributes[[row]]
    )
    context = torch.cat([seen.flatten(), named.flatten()])
    gates = p["cell.weight_ih"] @ torch.cat([x, context]) + p["cell.bias_ih"]
    gates = gates + p["cell.weight_hh"] @ h + p["cell.bias_hh"]
    i, f, g, o = gates.chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    torch.testing.assert_close(after.hidden[row, 0], h)
    torch.testing.assert_close(after.cell[row, 0], c)
    out = p["output.weight"] @ torch.cat([h, x, context]) + p["output.bias"]
    logits = p["embedding.weight"] @ out + p["bias"]
    expected = (logits - logits.exp().sum().log()).float()
    torch.testing.assert_close(log_probs[row], expected)


def test_select_continues_rows_and_lets_photos_leave(
    decoder: Decoder, photos: tuple[Tensor, Tensor, Tensor]
) -> None:
    words = written(B * K)
    _, state, _ = decoder.step(words[:, 0], rows_of(decoder.start(*photos), K))
    chosen, stay = torch.tensor([1, 1, 5, 4]), torch.tensor([0, 2])
    less = state.select(chosen, stay)
    torch.testing.assert_close(less.hidden, state.hidden[[1, 1, 5, 4]])
    torch.testing.assert_close(less.cell, state.cell[[1, 1, 5, 4]])
    for part in fields(less.memory):
        kept = getattr(state.memory, part.name)[[0, 2]]
        torch.testing.assert_close(getattr(less.memory, part.name), kept)
    following = torch.tensor([7, 3, 2, 1])
    log_probs, _, maps = decoder.step(following, less)
    alone = {0: 1, 1: 1, 2: 5, 3: 4}
    for new_row, old_row in alone.items():
        photo = old_row // K
        single = State(
            decoder.start(*(part[[photo]] for part in photos)).memory,
            state.hidden[[old_row]],
            state.cell[[old_row]],
            state.taught[[old_row]],
        )
        expected, _, where = decoder.step(following[[new_row]], single)
        torch.testing.assert_close(log_probs[[new_row]], expected)
        torch.testing.assert_close(maps[[new_row]], where)


def test_rows_do_not_meet(decoder: Decoder, photos: tuple[Tensor, Tensor, Tensor]) -> None:
    """Another word in one row, or another photo, changes nothing in the other rows."""
    words = written(B * K)
    log_probs, _ = follow(decoder, words, rows_of(decoder.start(*photos), K))
    other = words.clone()
    other[2, 1] = (other[2, 1] + 1) % V
    grid = photos[0].clone()
    grid[0, 0] *= -1
    changed, _ = follow(decoder, other, rows_of(decoder.start(grid, *photos[1:]), K))
    same = (changed == log_probs).flatten(1).all(1)
    assert same.tolist() == [False, False, False, True, True, True]
    assert torch.equal(changed[2, 0], log_probs[2, 0])


def test_without_a_photo_only_attributes_are_seen(
    decoder: Decoder, photos: tuple[Tensor, Tensor, Tensor]
) -> None:
    _, words, certainty = photos
    state = decoder.start(None, words, certainty)
    torch.testing.assert_close(state.memory.regions, decoder.no_photo.expand(B, 1, -1))
    log_probs, maps = follow(decoder, written(B), state)
    torch.testing.assert_close(maps, torch.ones(B, T, 1))
    others = decoder.start(None, words.roll(1, 1) + 0, certainty.flip(1))
    assert not torch.allclose(follow(decoder, written(B), others)[0], log_probs)


def test_attributes_of_certainty_0_are_padding(
    decoder: Decoder, photos: tuple[Tensor, Tensor, Tensor]
) -> None:
    """Which id fills up plays no role, and the order of attributes neither."""
    grid, words, certainty = photos
    certainty = certainty.clone()
    certainty[:, -1] = 0
    filled = torch.cat([words[:, :-1], torch.zeros(B, 1, dtype=torch.long)], 1)
    expected, _ = follow(decoder, written(B), decoder.start(grid, words, certainty))
    for ids, levels in ((filled, certainty), (words.flip(1), certainty.flip(1))):
        log_probs, _ = follow(decoder, written(B), decoder.start(grid, ids, levels))
        torch.testing.assert_close(log_probs, expected)
    one = words.clone()
    one[0, 0] = words[0, 0] % (V - 1) + 1  # a word that is not padding does play one
    changed, _ = follow(decoder, written(B), decoder.start(grid, one, certainty))
    assert not torch.allclose(changed[0], expected[0])
    torch.testing.assert_close(changed[1:], expected[1:])


def test_no_attributes_at_all(decoder: Decoder, photos: tuple[Tensor, Tensor, Tensor]) -> None:
    state = decoder.start(photos[0], photos[1][:, :0], photos[2][:, :0])
    log_probs, maps = follow(decoder, written(B), state)
    assert log_probs.isfinite().all()
    torch.testing.assert_close(maps.sum(-1), torch.ones(B, T))


def test_dropout_is_for_training_only(
    decoder: Decoder, photos: tuple[Tensor, Tensor, Tensor]
) -> None:
    words = written(B)
    before, _ = follow(decoder, words, decoder.start(*photos))
    decoder.regularise(0.5, 0.5)
    after, _ = follow(decoder, words, decoder.start(*photos))
    torch.testing.assert_close(before, after)
    decoder.train()
    dropped, _ = follow(decoder, words, decoder.start(*photos))
    assert not torch.allclose(before, dropped)


def test_attribute_head_pools_by_log_mean_exp() -> None:
    torch.manual_seed(3)
    head = AttributeHead(C, 7, 4).double().eval()
    head.start_at(torch.tensor([0.5, 0.1, 0.2, 0.9], dtype=torch.float64))
    grid = torch.randn(B, L, C, dtype=torch.float64)
    logits = head(grid)
    each = torch.stack([head.layers(grid[:, region]) for region in range(L)], 1)
    torch.testing.assert_close(logits, each.exp().mean(1).log().float(), atol=1e-6, rtol=1e-6)
    last = head.layers[-1]
    torch.nn.init.zeros_(last.weight)
    torch.testing.assert_close(
        head(grid).sigmoid()[0], torch.tensor([0.5, 0.1, 0.2, 0.9]), atol=1e-6, rtol=1e-6
    )


@pytest.mark.parametrize("bf16", [False, True])
def test_an_lstm_s_step_is_its_equations(bf16: bool) -> None:
    """Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; on the processor
    nothing else is done, whatever type the other layers compute in."""
    torch.manual_seed(0)
    cell = nn.LSTMCell(5, 7)
    x, hidden, memory = torch.randn(3, 5), torch.randn(3, 7), torch.randn(3, 7)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        found = lstm(cell, x, hidden, memory)
        assert all(map(torch.equal, found, cell(x, (hidden, memory))))
    gates = x @ cell.weight_ih.T + cell.bias_ih + hidden @ cell.weight_hh.T + cell.bias_hh
    enter, keep, new, leave = gates.chunk(4, 1)
    after = keep.sigmoid() * memory + enter.sigmoid() * new.tanh()
    rough = {"atol": 0.05, "rtol": 0.05} if bf16 else {"atol": 1e-6, "rtol": 1e-5}
    torch.testing.assert_close(found[1].float(), after, **rough)
    torch.testing.assert_close(found[0].float(), leave.sigmoid() * after.tanh(), **rough)
