"""What is minimised, against numbers worked out by hand."""

import math

import pytest
import torch
import torch.nn.functional as F
from pycocoevalcap.cider.cider import Cider
from torch import Tensor

from captioner.model.model import Model
from captioner.search import SearchOptions, sample_ids
from captioner.training import objectives
from captioner.training.batches import Captions, TextBatch, pad
from captioner.training.objectives import Teaching
from tests.tiny import tiny_model

PHOTOS, REGIONS, SAMPLES, LONGEST = 2, 4, 4, 5


@pytest.fixture
def model() -> Model:
    """One that is not sure of anything."""
    model = tiny_model().train()
    with torch.no_grad():
        model.decoder.embedding.weight *= 0.05
    return model


@pytest.fixture
def grid(model: Model) -> Tensor:
    draw = torch.Generator().manual_seed(3)
    return torch.randn(PHOTOS, REGIONS, model.encoder.channels, generator=draw)


@torch.no_grad()
def sentence_log_probs(model: Model, grid: Tensor, start: int, words: list[int]) -> Tensor:
    """(T, V) of one sentence about one photo, a step after the other."""
    state, word, found = model.start_from_grid(grid[None]), start, []
    for following in words:
        log_probs, state, _ = model.decoder.step(torch.tensor([word]), state)
        found.append(log_probs[0])
        word = following
    return torch.stack(found)


def test_cross_entropy_with_smoothing(model: Model, grid: Tensor) -> None:
    vocabulary = model.vocabulary
    ids = [[7, 8, vocabulary.unknown], [9], [10, 11, 12, 7], []]  # two captions a photo
    start = vocabulary.start("coco")
    captions = pad([start] * 4, ids, vocabulary)
    loss = objectives.cross_entropy(model, grid, captions, Teaching(0.1))

    smoothed, plain, words = 0.0, 0.0, 0
    for row, sentence in enumerate(ids):
        wanted = [*sentence, vocabulary.end]
        log_probs = sentence_log_probs(model, grid[row // 2], start, wanted)
        for t, word in enumerate(wanted):
            if word != vocabulary.unknown:
                spread = torch.full((len(vocabulary),), 0.1 / len(vocabulary))
                spread[word] += 0.9
                smoothed -= float(spread @ log_probs[t])
                plain -= float(log_probs[t, word])
                words += 1
    [(captioning, count)] = loss.terms
    assert count == captions.count == words == 11
    assert captioning.item() == pytest.approx(smoothed, rel=1e-5)
    assert loss.figures == {"nll": (pytest.approx(plain, rel=1e-5), words)}


@torch.no_grad()
def test_attention_is_guided_to_where_the_head_finds_the_word(model: Model, grid: Tensor) -> None:
    vocabulary, names = model.vocabulary, model.attribute_ids.tolist()
    other = next(i for i in range(7, len(vocabulary)) if i not in names)
    ids = [[names[0], other], [names[3]], [other], [names[4], names[0], names[1]]]
    start = vocabulary.start("coco")
    captions = pad([start] * 4, ids, vocabulary)
    plain, guided = (
        objectives.cross_entropy(model, grid, captions, Teaching(guidance=g)) for g in (0.0, 0.7)
    )
    expected = 0.0
    for row, sentence in enumerate(ids):
        photo = grid[row // 2][None]
        found = model.head.layers(photo)[0].exp()  # (L, A)
        state, word = model.start_from_grid(photo), start
        for following in sentence:
            _, state, weights = model.decoder.step(torch.tensor([word]), state)
            if following in names:
                seen = found[:, names.index(following)]
                expected -= float((seen / seen.sum()) @ weights[0].log())
            word = following
    assert guided.terms[0][1] == plain.terms[0][1]
    difference = guided.terms[0][0] - plain.terms[0][0]
    assert difference.item() == pytest.approx(0.7 * expected, rel=1e-4)
    assert guided.figures == plain.figures


@pytest.mark.parametrize("guidance", [0.0, 0.5])
def test_no_caption_loss_teaches_the_attribute_head(
    model: Model, grid: Tensor, guidance: float
) -> None:
    captions = pad([model.vocabulary.start("coco")] * 2, [[7], [8]], model.vocabulary)
    loss = objectives.cross_entropy(model, grid, captions, Teaching(guidance=guidance))
    loss.terms[0][0].backward()
    assert all(p.grad is None for p in model.head.parameters())
    assert model.decoder.certainty.weight.grad is not None


@pytest.mark.parametrize("known", [[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
def test_words_of_photos_of_which_they_are_known(
    model: Model, grid: Tensor, known: list[float]
) -> None:
    targets = torch.rand(2, 5, generator=torch.Generator().manual_seed(0))
    certain, photos = torch.tensor(known), int(sum(known))
    total, count = objectives.named_in_photos(model.head, grid, targets, certain, photos)
    rows = [i for i, one in enumerate(known) if one]
    chances = model.head(grid)[rows].sigmoid()
    expected = F.binary_cross_entropy(chances, targets[rows], reduction="sum")
    assert count == photos and total.item() == pytest.approx(expected.item(), rel=1e-5)


def test_language(model: Model) -> None:
    vocabulary = model.vocabulary
    captions = pad([vocabulary.start("flickr8k")], [[7, 8]], vocabulary)
    batch = TextBatch(captions, torch.tensor([[9, 0]]), torch.tensor([[0.7, 0.0]]))
    [(total, count)] = objectives.language(model, batch, Teaching()).terms
    state = model.decoder.start(None, batch.attributes, batch.certainty)
    nll = 0.0
    for word, following in zip([vocabulary.start("flickr8k"), 7, 8], [7, 8, 1], strict=True):
        log_probs, state, _ = model.decoder.step(torch.tensor([word]), state)
        nll -= log_probs[0, following].item()
    assert count == 3 and total.item() == pytest.approx(nll, rel=1e-5)


REFERENCES = [
    [[10, 7, 16], [5, 7, 9, 6]],  # of photo 0; 9 is the silent comma
    [[6, 6, 7], [12, 5, 10, 13, 13]],
    [[5, 13]],
]
COMMA = 9


def official_rewards(sampled: Tensor, photos: list[int], pad: int, end: int) -> list[list[float]]:
    """pycocoevalcap's CIDEr-D with the end as a word, without commas."""

    def text(ids: list[int]) -> str:
        return " ".join(f"w{i}" for i in ids if i not in (COMMA, pad))

    references = {i: [text([*r, end]) for r in refs] for i, refs in enumerate(REFERENCES)}
    rewards = []
    for rows, photo in zip(sampled.tolist(), photos, strict=True):
        scores = []
        for row in rows:
            candidates = {i: ["nothing"] for i in references} | {photo: [text(row)]}
            scores.append(float(Cider().compute_score(references, candidates)[1][photo]))
        rewards.append(scores)
    return rewards


def test_self_critical_gradient_is_reinforce_by_hand(model: Model, grid: Tensor) -> None:
    """The gradient of the output bias: −Σ advantage · (one-hot − probabilities), in loops."""
    vocabulary, photos = model.vocabulary, [1, 0]
    assert vocabulary.words[COMMA] == ","
    starts = torch.tensor([vocabulary.start("coco"), vocabulary.start("flickr8k")])
    options = SearchOptions(
        end=vocabulary.end, pad=vocabulary.pad, max_words=LONGEST,
        forbidden=vocabulary.never_written,
    )  # fmt: skip
    critic = objectives.SelfCritical(REFERENCES, [COMMA], vocabulary.end)
    torch.manual_seed(3)
    loss = critic(model, grid, starts, photos, options, SAMPLES)
    [(total, count)] = loss.terms
    total.backward()
    assert model.training

    torch.manual_seed(3)
    with torch.no_grad():
        state = model.eval().start_from_grid(grid)
        sampled = sample_ids(model.decoder.step, state, starts, options, SAMPLES)
    rewards = official_rewards(sampled, photos, vocabulary.pad, vocabulary.end)
    assert all(max(scores) - min(scores) > 0.01 for scores in rewards)
    bias = torch.zeros(len(vocabulary))
    expected, words = 0.0, 0
    for photo in range(PHOTOS):
        for row in range(SAMPLES):
            others = [r for i, r in enumerate(rewards[photo]) if i != row]
            advantage = rewards[photo][row] - sum(others) / len(others)
            ids = [i for i in sampled[photo, row].tolist() if i != vocabulary.pad]
            log_probs = sentence_log_probs(model, grid[photo], int(starts[photo]), ids)
            for t, word in enumerate(ids):
                expected -= advantage * float(log_probs[t, word])
                bias += advantage * log_probs[t].exp()
                bias[word] -= advantage
                words += 1
    assert count == words
    assert total.item() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert model.decoder.bias.grad is not None
    torch.testing.assert_close(model.decoder.bias.grad, bias, atol=1e-4, rtol=1e-3)
    figures = sum(map(sum, rewards)), PHOTOS * SAMPLES
    assert loss.figures["reward"] == (pytest.approx(figures[0], rel=1e-5), figures[1])


def test_workers_reckon_the_same_rewards() -> None:
    critic = objectives.SelfCritical(REFERENCES, [COMMA], end=1)
    helped = objectives.SelfCritical(REFERENCES, [COMMA], end=1, workers=2)
    photos = [i % len(REFERENCES) for i in range(40)]
    sampled = torch.randint(4, 17, (40, SAMPLES, LONGEST), generator=torch.manual_seed(0))
    sampled[:, :, -1] = 1
    expected = critic.rewards(sampled, photos, pad=0)
    assert torch.equal(helped.rewards(sampled, photos, pad=0), expected)
    assert len(expected.unique()) > 20
    helped.close()


def test_samples_alike_teach_nothing(model: Model, grid: Tensor) -> None:
    """Each is its photo's baseline."""
    vocabulary = model.vocabulary
    allowed = vocabulary.ids["dog"]
    options = SearchOptions(
        end=vocabulary.end, pad=vocabulary.pad, max_words=3, min_words=2,
        forbidden=tuple(i for i in range(len(vocabulary)) if i not in (allowed, vocabulary.end)),
    )  # fmt: skip
    critic = objectives.SelfCritical(REFERENCES, [], vocabulary.end)
    starts = torch.full((2,), vocabulary.start("coco"))
    torch.nn.init.constant_(model.decoder.bias, 0)
    with torch.no_grad():
        model.decoder.bias[vocabulary.end] = 50.0  # else samples differ in length
    loss = critic(model, grid, starts, [0, 1], options, 4)
    [(total, _)] = loss.terms
    assert total.item() == pytest.approx(0, abs=1e-5)


def test_rewards_count_the_end_but_no_comma() -> None:
    critic = objectives.SelfCritical([[[5, 6]], [[7]]], [COMMA], end=1)
    sampled = torch.tensor([[[5, 6, 1, 0], [5, COMMA, 6, 1], [5, 6, 0, 0], [5, 1, 0, 0]]])
    [ended, comma, cut, short] = critic.rewards(sampled, [0], pad=0)[0].tolist()
    assert ended == comma == pytest.approx(10 * 3 / 4)
    assert short < ended > cut > 0
    assert math.isfinite(short)


def test_captions_know_their_device() -> None:
    captions = Captions(torch.zeros(2, 3), torch.ones(2, 3), 6).to(torch.device("meta"))
    assert captions.words.is_meta and captions.targets.is_meta and captions.count == 6
