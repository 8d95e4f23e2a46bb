"""Which photos and sentences each step trains on: a function of seed and step alone.

Because nothing else decides, a resumed run continues as the uninterrupted one would, and several
processes can each take their share of the same batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from captioner.errors import CaptionerError
from captioner.training.data import Example, StyledSentence
from captioner.training.text import SentenceAttributes
from captioner.vocabulary import Vocabulary

Indices = npt.NDArray[np.int64]
BUCKET = 20  # batches that are sorted by length together, so that little is padding


Items = TypeVar("Items", bound="npt.NDArray[Any] | list[Any]")


@dataclass(frozen=True)
class Share:
    """The part of every batch that one process takes: each `world`-th item from `rank`.

    What is random about a batch is drawn for all of it before the share is taken, so that several
    processes train on the very batch that one alone would see.
    """

    rank: int = 0
    world: int = 1

    def of(self, items: Items) -> Items:
        """This process's part of a batch's items."""
        return cast(Items, items[self.rank :: self.world])


ALL = Share()


class Moved:
    """A dataclass whose tensors, also those of its parts, move together."""

    def to(self: Part, device: torch.device) -> Part:
        """The same on `device`; the processor need not wait for it."""
        return _each_tensor(self, lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self: Part) -> Part:
        """The same in memory from which a GPU fetches by itself. A DataLoader calls this."""
        return _each_tensor(self, Tensor.pin_memory)


Part = TypeVar("Part")


def _each_tensor(part: Part, change: Callable[[Tensor], Tensor]) -> Part:
    if isinstance(part, Tensor):
        return cast(Part, change(part))
    if not is_dataclass(part) or isinstance(part, type):
        return part
    changed = [_each_tensor(getattr(part, field.name), change) for field in fields(part)]
    return cast(Part, type(part)(*changed))


@dataclass(frozen=True)
class Captions(Moved):
    """Words (N, T) that begin with the start word; targets (N, T) that end with the end, pad −1;
    how many of the targets are words."""

    words: Tensor
    targets: Tensor
    count: int


class Order:
    """Deals items 0…n−1 in a new order every epoch, items of like length in one batch.

    None comes twice an epoch; those too few to fill a last batch wait for the next.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        """Raises CaptionerError where there is nothing to deal."""
        if not lengths:
            raise CaptionerError("no photo or sentence is left to train on")
        self.lengths = np.array(lengths)
        self.batch = min(batch, len(lengths))
        self.seed = seed
        self.batches = len(lengths) // self.batch
        self._epoch = -1
        self._dealt: list[Indices] = []

    def at(self, step: int) -> Indices:
        """The items of a step's batch."""
        epoch, number = divmod(step, self.batches)
        if epoch != self._epoch:
            self._epoch, self._dealt = epoch, self._deal(np.random.default_rng([self.seed, epoch]))
        return self._dealt[number]

    def _deal(self, rng: np.random.Generator) -> list[Indices]:
        order = rng.permutation(len(self.lengths))
        dealt: list[Indices] = []
        for start in range(0, len(order), self.batch * BUCKET):
            bucket = order[start : start + self.batch * BUCKET]
            bucket = bucket[np.argsort(self.lengths[bucket], kind="stable")]
            whole = len(bucket) - len(bucket) % self.batch
            dealt += np.split(bucket[:whole], whole // self.batch) if whole else []
        return [dealt[i] for i in rng.permutation(len(dealt))]


def pad(
    starts: Sequence[int], sentences: Sequence[Sequence[int]], vocabulary: Vocabulary
) -> Captions:
    """Ids of sentences → what teacher forcing reads and predicts; `<unk>` is never a target."""
    length = max(map(len, sentences)) + 1
    words = np.full((len(sentences), length), vocabulary.pad)
    targets = np.full((len(sentences), length), -1)
    for row, (start, ids) in enumerate(zip(starts, sentences, strict=True)):
        words[row, : len(ids) + 1] = [start, *ids]
        targets[row, : len(ids) + 1] = [*ids, vocabulary.end]
    targets[targets == vocabulary.unknown] = -1
    count = int((targets >= 0).sum())
    return Captions(torch.from_numpy(words), torch.from_numpy(targets), count)


class CaptionBatches:
    """K captions for each photo of a batch, as ids."""

    def __init__(
        self, examples: Sequence[Example], vocabulary: Vocabulary, count: int, max_words: int
    ) -> None:
        self.vocabulary, self.count = vocabulary, count
        self.starts = [vocabulary.start(example.style) for example in examples]
        self.ids = [
            [vocabulary.encode(c[:max_words]) for c in example.captions if c] or [[]]
            for example in examples
        ]
        self.lengths = [max(map(len, captions)) for captions in self.ids]

    def draw(self, photos: Indices, rng: np.random.Generator, share: Share = ALL) -> Captions:
        """Captions of this share of `photos`, rows photo-major; all of a photo's before any comes
        twice."""
        turns = [np.resize(rng.permutation(len(self.ids[i])), self.count) for i in photos.tolist()]
        drawn = list(zip(photos.tolist(), turns, strict=True))
        rows = [(photo, i) for photo, turn in share.of(drawn) for i in turn.tolist()]
        starts = [self.starts[photo] for photo, _ in rows]
        return pad(starts, [self.ids[photo][i] for photo, i in rows], self.vocabulary)


@dataclass(frozen=True)
class TextBatch(Moved):
    captions: Captions
    attributes: Tensor  # (B, M) ids
    certainty: Tensor  # (B, M)


@dataclass(frozen=True)
class Batch(Moved):
    """One process's share of what a step trains on, and all that is random about it.

    `mixed` is set where the photos `under` lie beneath the own ones, which keep the share `part`.
    """

    photos: Tensor | None = None  # (B,) places in the list of examples
    look: Any = None  # how they are seen, drawn by their source
    under: Tensor | None = None  # (B,)
    part: float = 1.0
    told: int = 0  # how many of the photos have captions
    labelled: int = 0  # and how many labels
    captions: Captions | None = None
    text: TextBatch | None = None


class TextBatches:
    """Sentences without photos, with the attribute words that stand in for the photo."""

    def __init__(
        self,
        sentences: Sequence[StyledSentence],
        vocabulary: Vocabulary,
        attributes: SentenceAttributes,
        batch: int,
        seed: int,
    ) -> None:
        self.vocabulary, self.attributes, self.seed = vocabulary, attributes, seed
        self.starts = [vocabulary.start(sentence.style) for sentence in sentences]
        self.ids = [vocabulary.encode(sentence.words) for sentence in sentences]
        self.order = Order([len(ids) for ids in self.ids], batch, seed)

    def at(self, step: int, share: Share = ALL) -> TextBatch:
        rng = np.random.default_rng([self.seed, step, 1])
        chosen = self.order.at(step).tolist()
        drawn = share.of([self.attributes.draw(i, rng) for i in chosen])
        chosen = share.of(chosen)
        captions = pad(
            [self.starts[i] for i in chosen], [self.ids[i] for i in chosen], self.vocabulary
        )
        ids, certainty = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
        return TextBatch(captions, ids, certainty)
