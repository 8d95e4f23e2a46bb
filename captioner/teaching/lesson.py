"""How a decoder learns new sentences without forgetting the old ones."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from captioner.model.decoder import Decoder
from captioner.model.model import Model
from captioner.training.batches import CaptionBatches, Captions, Order, pad
from captioner.training.data import Example
from captioner.training.objectives import Teaching, repeat, teach
from captioner.training.photos import Photos, encode
from captioner.training.validate import write

NEVER = -1e4  # the bias of a word that the model before did not know


@dataclass(frozen=True)
class Lesson:
    """How long and how hard is learnt.

    `steps` None: 30 times through the photos, 150 to 3,000 steps. `replay` weighs what the model
    would have said before, in its own styles, against the new captions; `hold` is the share of the
    way back to where they started that weights go with each step at the full rate. It ends early
    where `patience` looks at the held-out photos, of `looks`, found nothing better.
    """

    steps: int | None = None
    minutes: float | None = None
    rate: float = 1e-3
    batch: int = 16
    replay: float = 0.5
    hold: float = 2e-3
    smoothing: float = 0.1
    dropout: float = 0.3
    looks: int = 10
    patience: int = 3
    max_words: int = 30
    seed: int = 0


@dataclass(frozen=True)
class Learnt:
    """CIDEr-D of the held-out photos as it went, by step, and whether a person ended it."""

    scores: dict[int, float]
    stopped: bool = False

    @property
    def best(self) -> int:
        """The step whose weights were kept."""
        return best_of(self.scores)


def best_of(scores: Mapping[int, float]) -> int:
    """The step with the best score; of equal ones the last, which has learnt most."""
    return max(scores, key=lambda step: (scores[step], step))


class Remembered:
    """What a model says of photos before it is taught, in its own styles: to say it again.

    Of the sentences, all probabilities are asked for, not only the words (Li and Hoiem 2016,
    "Learning without Forgetting", https://arxiv.org/abs/1606.09282).
    """

    def __init__(
        self, model: Model, new: Sequence[int], styles: Sequence[str], photos: Photos, count: int
    ) -> None:
        """`new` are the ids of words that it did not know; the first `count` photos are shown."""
        self.vocabulary = model.vocabulary
        self.decoder: Decoder = copy.deepcopy(model.decoder).eval().requires_grad_(False)
        self.decoder.bias[list(new)] = NEVER
        before = copy.copy(model)
        before._modules = {**model._modules, "decoder": self.decoder}
        self.starts = [self.vocabulary.start(style) for style in styles]
        self.said = [_said(before, photos, style, count) for style in styles]

    def draw(self, photos: Sequence[int], rng: np.random.Generator) -> Captions:
        """A sentence about each of `photos` (B,), in a style at random."""
        turns = rng.integers(len(self.starts), size=len(photos)).tolist()
        starts = [self.starts[turn] for turn in turns]
        sentences = [self.said[turn][i] for turn, i in zip(turns, photos, strict=True)]
        return pad(starts, sentences, self.vocabulary)

    def loss(self, model: Model, grid: Tensor, captions: Captions) -> Tensor:
        """The cross-entropy between what was said before and is said now, of grid (B, L, C), in
        nats a word."""
        named = _named(model, grid)
        taught = model.decoder(captions.words, model.decoder.start(grid, *named))
        now = model.decoder.score(taught.features)
        with torch.no_grad():
            before = self.decoder(captions.words, self.decoder.start(grid, *named))
            wanted = self.decoder.score(before.features).exp()
        known = captions.targets >= 0
        return -((wanted * now).sum(2) * known).sum() / max(1, captions.count)


def _said(model: Model, photos: Photos, style: str, count: int) -> list[list[int]]:
    examples = [Example(str(i), style, (), ()) for i in range(count)]
    vocabulary = model.vocabulary
    sentences = write(model, photos, examples, bf16=False)
    return [vocabulary.encode(vocabulary.tokenize(sentence)) for sentence in sentences]


def _named(model: Model, grid: Tensor) -> tuple[Tensor, ...]:
    return model.name_attributes(model.head(grid)) if model.sees_attributes else ()


class Learner:
    """Teaches a model's decoder captions of photos; the encoder stays as it is."""

    def __init__(
        self,
        model: Model,
        remembered: Remembered | None,
        photos: Photos,
        examples: Sequence[Example],
        lesson: Lesson,
    ) -> None:
        self.model, self.remembered, self.photos, self.lesson = model, remembered, photos, lesson
        several = max(len(example.captions) for example in examples)
        self.captions = CaptionBatches(
            examples, model.vocabulary, min(several, 2), lesson.max_words
        )
        self.order = Order(self.captions.lengths, lesson.batch, lesson.seed)
        usual = min(max(150, 30 * self.order.batches), 3000)
        self.steps = lesson.steps or usual
        model.requires_grad_(False)
        model.decoder.requires_grad_(True)
        model.decoder.regularise(lesson.dropout, lesson.dropout / 2)
        self.learning = list(model.decoder.parameters())
        self.start = [weight.detach().clone() for weight in self.learning]
        self.optimizer = torch.optim.AdamW(self.learning, lesson.rate, weight_decay=0.0)

    def learn(self, score: Callable[[Model], float]) -> Learnt:
        """Learn until the steps, the minutes or the patience end, or a person does (Ctrl-C); the
        model is left with the weights that wrote best about the held-out photos."""
        lesson, began, stopped = self.lesson, time.monotonic(), False
        scores = {0: score(self.model)}
        kept = self._weights()
        every = max(1, self.steps // lesson.looks)
        with tqdm(total=self.steps, desc="teaching", unit="step", dynamic_ncols=True) as bar:
            try:
                for step in range(1, self.steps + 1):
                    past = (time.monotonic() - began) / 60
                    progress = max(step / self.steps, past / (lesson.minutes or math.inf))
                    self.step(step, progress)
                    bar.update()
                    if step % every and step < self.steps and progress < 1:
                        continue
                    scores[step] = score(self.model)
                    bar.set_postfix_str(f"held-out CIDEr {scores[step]:.2f}")
                    best = best_of(scores)
                    if best == step:
                        kept = self._weights()
                    if progress >= 1 or step - best >= lesson.patience * every:
                        break
            except KeyboardInterrupt:
                stopped = True
        self.model.decoder.load_state_dict(kept)
        self.model.eval()
        return Learnt(scores, stopped)

    def step(self, step: int, progress: float) -> float:
        """One step, at a rate that warms up and falls to nothing; returns the loss."""
        lesson = self.lesson
        scale = min(1.0, 10 * progress) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = lesson.rate * scale
        rng = np.random.default_rng([lesson.seed, step])
        chosen = self.order.at(step - 1)
        self.model.decoder.train()
        loss = self._loss(chosen, rng)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.learning, 1.0)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_([*self.learning], self.start, lesson.hold * scale)
        return float(loss.detach())

    def _loss(self, chosen: np.ndarray, rng: np.random.Generator) -> Tensor:
        model, lesson = self.model, self.lesson
        look = self.photos.draw(chosen, rng)
        grid = encode(self.photos, self.photos.read(torch.from_numpy(chosen), look), model.encoder)
        captions = self.captions.draw(chosen, rng)
        state = repeat(model.decoder.start(grid, *_named(model, grid)), self.captions.count)
        told, _ = teach(model.decoder, captions, state, Teaching(smoothing=lesson.smoothing))
        loss = told / max(1, captions.count)
        if self.remembered is not None and lesson.replay:
            again = self.remembered.draw(chosen.tolist(), rng)
            loss = loss + lesson.replay * self.remembered.loss(model, grid, again)
        return loss

    def _weights(self) -> dict[str, Tensor]:
        return {name: w.detach().clone() for name, w in self.model.decoder.state_dict().items()}
