"""New words for a model: which, how they are written, and where their embeddings start."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from captioner.model.model import Model
from captioner.training.stopwords import STOP_WORDS
from captioner.vocabulary import SPECIAL, Vocabulary, tokenize_whole

ALIKE = 0.6  # Dice's coefficient of the trigrams of two words that look alike
NEVER = -100.0  # the bias of a word in the styles that lack it: its probability is 0
ADAPTERS = "decoder.adapters."
COMPANY = 8  # known words beside which a new one most often stands
SEEN = 0.3  # how much more probable a word's stand-in is on the photos that are told with the word


@dataclass(frozen=True)
class Growth:
    """What captions add to a vocabulary. `spelling` is how each of their tokens, lower-case, is
    written; `new` are the words that it lacked and `dropped` those that are too rare to learn, with
    how often they occur, the commonest first."""

    spelling: Mapping[str, str]
    new: Mapping[str, int]
    dropped: Mapping[str, int]

    def tokens(self, caption: str) -> tuple[str, ...]:
        """The words of a caption, as the vocabulary will have them."""
        return tuple(self.spelling.get(low, low) for low in map(str.lower, tokenize_whole(caption)))


def grow(captions: Iterable[str], vocabulary: Vocabulary, minimum: int) -> Growth:
    """The words of captions that a vocabulary lacks and that occur `minimum` times.

    A word is written as it mostly is within sentences: "Rex" keeps its capital, "A" does not.
    """
    inside, first = _spellings(captions)
    spelling: dict[str, str] = {}
    new: dict[str, int] = {}
    dropped: dict[str, int] = {}
    for low in inside.keys() | first.keys():
        count = inside[low].total() + first[low].total()
        usual, often = (inside[low] or first[low]).most_common(1)[0]
        known = vocabulary.tokenize(low)
        is_known = len(known) == 1 and known[0] in vocabulary.ids
        if is_known and not (usual != low and inside[low] and often >= minimum):
            spelling[low] = known[0]  # "Rose" within sentences is a name, and another word
            continue
        spelling[low] = usual
        if usual not in vocabulary.ids:
            (new if count >= minimum else dropped)[usual] = count
    return Growth(spelling, _commonest(new), _commonest(dropped))


def _spellings(captions: Iterable[str]) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
    """How each lower-case token is written within captions, and at their beginning. The capitals
    of a caption that has them everywhere say nothing."""
    inside: dict[str, Counter[str]] = defaultdict(Counter)
    first: dict[str, Counter[str]] = defaultdict(Counter)
    for caption in captions:
        tokens = tokenize_whole(caption)
        letters = [token for token in tokens[1:] if token[0].isalpha()]
        titled = 2 * sum(token[0].isupper() for token in letters) > len(letters) > 1
        for place, token in enumerate(tokens):
            where = inside if place and not titled else first
            where[token.lower()][token.lower() if titled else token] += 1
    return inside, first


def _commonest(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def enlarged(
    model: Model, growth: Growth, style: str, captions: Sequence[Sequence[str]], photos: int
) -> Model:
    """The model with the new words and the taught style, which becomes its usual one.

    All other styles stay as they are, and write none of the new words. The style's start word and
    its adapter begin as those of the usual style; a new word as the known ones that are written
    alike, else as those beside which it stands in the tokenized `captions` of so many `photos`.
    """
    old = model.vocabulary
    again = style in old.styles  # a style that was taught before learns more
    styles = (style, *(name for name in old.styles if name != style))
    words = (*old.words[len(SPECIAL) + len(old.styles) :], *growth.new)
    vocabulary = Vocabulary(words, styles)
    before = model.config.decoder
    decoder = before.model_copy(update={"taught": before.taught + (not again)})
    config = model.config.model_copy(update={"decoder": decoder})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the same adapter to begin with, so that a lesson can be gone on with
        larger = Model(config, vocabulary, model.attributes)
    larger.stand_ins, larger.worn = dict(model.stand_ins), dict(model.worn)
    begun = old.start(style if again else old.styles[0])
    known = [old.ids.get(word, begun) for word in vocabulary.words]
    fresh = torch.tensor([word in growth.new for word in vocabulary.words])
    weights = {name: _by_word(name, weight, known) for name, weight in _moved(model, styles)}
    larger.load_state_dict(weights, strict=False)  # the adapter of a first style begins as nothing
    rare = model.decoder.bias[-max(1, len(words) // 10) :].mean()
    with torch.no_grad():
        mine, *others = larger.decoder.style_adapters
        mine.bias[fresh] = rare - NEVER
        for other in others:
            other.bias[fresh] = 0
        larger.decoder.bias[fresh] = NEVER
        for word, row in _starts(model, growth, captions).items():
            place = vocabulary.ids[word]
            larger.decoder.embedding.weight[place] = row
            larger.rarity[place] = max(0.0, float(torch.tensor(photos / growth.new[word]).log()))
    return larger.eval()


def stand_in(
    model: Model, new: Iterable[str], captions: Sequence[Collection[str]], seen: Tensor
) -> None:
    """Find the attribute word that stands for each new word: the one that is more probable than
    elsewhere on the photos with the word in their `captions`; a word counts as rare as it.

    `captions` are the words of N photos, `seen` (N, A) the probabilities of the attribute words.
    """
    for word in new:
        there = torch.tensor([word in words for words in captions])
        if not 0 < there.sum() < len(there):
            continue
        more, place = (seen[there].mean(0) - seen[~there].mean(0)).max(0)
        if more >= SEEN:
            model.stand_ins[word] = model.attributes[int(place)]
            old, own = (model.vocabulary.ids[w] for w in (model.stand_ins[word], word))
            model.rarity[own] = torch.maximum(model.rarity[own], model.rarity[old])


def _moved(model: Model, styles: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    """The weights of a model, its adapters at the places that their styles have in `styles`; that
    of a new style begins as the usual one's."""
    old = model.vocabulary.styles
    taught = model.config.decoder.taught
    for name, weight in model.state_dict().items():
        if not name.startswith(ADAPTERS):
            yield name, weight
    for place, style in enumerate(styles[: taught + (styles[0] not in old)]):
        there = old.index(style) if style in old else 0
        for name, weight in model.decoder.adapters[there].state_dict().items() if taught else ():
            yield f"{ADAPTERS}{place}.{name}", weight


def _by_word(name: str, weight: Tensor, known: Sequence[int]) -> Tensor:
    """The weight with its rows where a larger vocabulary has them."""
    of_words = ("decoder.embedding.weight", "decoder.bias", "rarity")
    if name in of_words or (name.startswith(ADAPTERS) and name.count(".") == 3):
        return weight[list(known)]
    return weight


def _starts(model: Model, growth: Growth, captions: Sequence[Sequence[str]]) -> dict[str, Tensor]:
    """The embedding (E,) with which each new word starts."""
    table, old = model.decoder.embedding.weight.detach(), model.vocabulary
    grams = {w: _trigrams(w) for w in old.words if w.isalpha() and w not in STOP_WORDS}
    company: dict[str, Counter[str]] = defaultdict(Counter)
    for caption in captions:
        near = sorted({w for w in caption if w in old.ids and w.isalpha()} - STOP_WORDS)
        for word in set(caption) & growth.new.keys():
            company[word].update(near)
    size = table.norm(dim=1).mean()
    generator = torch.Generator().manual_seed(0)
    starts = {}
    for word in growth.new:
        like = _alike(word, grams) or [other for other, _ in company[word].most_common(COMPANY)]
        noise = torch.randn(table.shape[1], generator=generator)
        mean = table[[old.ids[w] for w in like]].mean(0) if like else torch.zeros_like(noise)
        row = mean / mean.norm().clamp_min(1e-6) + 0.5 * noise / noise.norm()
        starts[word] = row * size / row.norm()
    return starts


def _alike(word: str, known: Mapping[str, set[str]]) -> list[str]:
    """The three `known` words that look most like this one, if any do, by their trigrams."""
    own = _trigrams(word)
    score = {w: 2 * len(own & grams) / (len(own) + len(grams)) for w, grams in known.items()}
    near = sorted((w for w in score if score[w] >= ALIKE), key=lambda w: (-score[w], w))
    return near[:3]


def _trigrams(word: str) -> set[str]:
    plain = unicodedata.normalize("NFD", word.lower())
    letters = f"  {''.join(c for c in plain if not unicodedata.combining(c))} "
    return {letters[i : i + 3] for i in range(len(letters) - 2)}
