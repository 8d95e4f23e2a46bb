"""How a decoder learns a style of its own from a few photos: its other styles stay as they are."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from captioner import checkpoint
from captioner.errors import CaptionerError
from captioner.model.model import Model
from captioner.notes import TRAINING
from captioner.teaching.words import NEVER
from captioner.training.batches import CaptionBatches, Order
from captioner.training.data import Example
from captioner.training.objectives import repeat
from captioner.training.photos import Photos, encode

FEW = 20  # photos


@dataclass(frozen=True)
class Lesson:
    """How long and how hard is learnt.

    `steps` None: 30 times through the photos, 150 to 3,000 steps. It ends early where `patience`
    looks at the held-out photos, of `looks`, found nothing better. `pull` is how much of the loss
    is what the model would have said before instead of the caption, less where there are more than
    FEW photos: few captions are soon known by heart.
    """

    steps: int | None = None
    minutes: float | None = None
    rate: float = 1e-3
    batch: int = 16
    smoothing: float = 0.1
    pull: float = 0.5
    dropout: float = 0.3
    looks: int = 10
    patience: int = 3
    max_words: int = 30
    seed: int = 0


@dataclass(frozen=True)
class Learnt:
    """The scores of the held-out photos as it went, by step, and whether a person ended it."""

    scores: Mapping[int, float]
    stopped: bool = False

    @property
    def best(self) -> int:
        """The step whose weights were kept."""
        return best_of(self.scores)


def best_of(scores: Mapping[int, float]) -> int:
    """The step with the best score; of equal ones the last, which has learnt most."""
    return max(scores, key=lambda step: (scores[step], step))


class Learner:
    """Teaches a model its usual style, the first one; all else stays as it is.

    What learns are the style's adapter and the embeddings of its start word and of the words that
    it alone writes. `step`, `seconds`, `scores`, the best weights and those of the optimizer are
    all that a lesson needs to go on where it was.
    """

    def __init__(
        self, model: Model, photos: Photos, examples: Sequence[Example], lesson: Lesson
    ) -> None:
        self.model, self.photos, self.lesson = model, photos, lesson
        several = max(len(example.captions) for example in examples)
        self.captions = CaptionBatches(
            examples, model.vocabulary, min(several, 2), lesson.max_words
        )
        self.order = Order(self.captions.lengths, lesson.batch, lesson.seed)
        usual = min(max(150, 30 * self.order.batches), 3000)
        self.steps = lesson.steps or usual
        decoder = model.decoder
        self.learning: dict[str, Tensor] = {
            **dict(decoder.style_adapters[0].named_parameters()),
            "embedding": decoder.embedding.weight,
        }
        self.rows = _rows(model)
        self.known, self.pull = _known(model), lesson.pull * min(1.0, FEW / len(examples))
        self.before = copy.deepcopy(decoder).requires_grad_(False).eval()
        model.requires_grad_(False)
        for weight in self.learning.values():
            weight.requires_grad_(True)
        decoder.regularise(lesson.dropout, lesson.dropout / 2)
        self.optimizer = torch.optim.AdamW(
            self.learning.values(), lesson.rate, weight_decay=0.0, foreach=True
        )
        self.step, self.seconds = 0, 0.0
        self.scores: dict[int, float] = {}
        self.best = self.weights()

    def learn(
        self,
        score: Callable[[Model], float],
        after: Callable[[Learner], None] = lambda learner: None,
    ) -> Learnt:
        """Learn until the steps, the minutes or the patience end, or a person does (Ctrl-C); the
        model is left with the weights that wrote best about the held-out photos.

        `score` is a model's on the held-out photos; `after` is called at the start and after each
        step.
        """
        every = max(1, self.steps // self.lesson.looks)
        stopped = False
        with tqdm(
            total=self.steps, initial=self.step, desc="teaching", unit="step", dynamic_ncols=True
        ) as bar:
            try:
                if not self.scores:
                    self._look(score)
                    after(self)
                while not self._over(every):
                    began = time.monotonic()
                    self.learn_batch(self.step, self.progress)
                    self.step += 1
                    self.seconds += time.monotonic() - began
                    bar.update()
                    if self.step % every == 0 or self.progress >= 1:
                        self._look(score)
                        bar.set_postfix_str(f"held-out score {self.scores[self.step]:.2f}")
                    after(self)
            except KeyboardInterrupt:
                stopped = True
        self.restore(self.best)
        self.model.eval()
        return Learnt(self.scores, stopped)

    @property
    def progress(self) -> float:
        """How much of the lesson is done, 0…1: by steps or by time, whichever is further."""
        minutes = self.lesson.minutes or math.inf
        return max(self.step / self.steps, self.seconds / 60 / minutes)

    def _over(self, every: int) -> bool:
        waited = self.step - best_of(self.scores)
        return self.progress >= 1 or waited >= self.lesson.patience * every

    def _look(self, score: Callable[[Model], float]) -> None:
        self.scores[self.step] = score(self.model)
        if best_of(self.scores) == self.step:
            self.best = self.weights()

    def learn_batch(self, step: int, progress: float) -> float:
        """One step, at a rate that warms up and falls to nothing; returns the loss."""
        lesson, decoder = self.lesson, self.model.decoder
        scale = min(1.0, 10 * progress + 0.01) * (0.5 + 0.5 * math.cos(math.pi * progress))
        for group in self.optimizer.param_groups:
            group["lr"] = lesson.rate * scale
        torch.manual_seed(lesson.seed * 1_000_003 + step)  # of the dropout
        rng = np.random.default_rng([lesson.seed, step])
        decoder.train()
        loss = self._loss(self.order.at(step), rng)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        assert decoder.embedding.weight.grad is not None
        decoder.embedding.weight.grad *= self.rows
        nn.utils.clip_grad_norm_(self.learning.values(), 1.0)
        self.optimizer.step()
        return float(loss.detach())

    def _loss(self, chosen: np.ndarray, rng: np.random.Generator) -> Tensor:
        """Cross-entropy with the captions and, but for the words that only this style writes, with
        the decoder of before (Li and Hoiem 2016, https://arxiv.org/abs/1606.09282)."""
        model, lesson = self.model, self.lesson
        look = self.photos.draw(chosen, rng)
        grid = encode(self.photos, self.photos.read(torch.from_numpy(chosen), look), model.encoder)
        captions = self.captions.draw(chosen, rng)
        state = repeat(model.start_from_grid(grid), self.captions.count)
        said = model.decoder.score(model.decoder(captions.words, state).features)
        with torch.no_grad():
            fed = self.known[captions.words]
            before = self.before.score(self.before(fed, state).features).exp()
        targets = captions.targets.flatten()
        told = F.cross_entropy(
            said.flatten(0, 1),
            targets,
            ignore_index=-1,
            label_smoothing=lesson.smoothing,
            reduction="none",
        )  # 0 for what is no word, −1
        held = -(before * said).sum(2).flatten()
        pull = self.pull * (1 - self.rows[targets].squeeze(1)) * (targets >= 0)
        return ((1 - pull) * told + pull * held).sum() / max(1, captions.count)

    def weights(self) -> dict[str, Tensor]:
        """A copy of what learns."""
        return {name: weight.detach().clone() for name, weight in self.learning.items()}

    def restore(self, weights: Mapping[str, Tensor]) -> None:
        """Put back what `weights` gave."""
        with torch.no_grad():
            for name, weight in self.learning.items():
                weight.copy_(weights[name])

    def mark(self, examples: Sequence[Example]) -> str:
        """Sixteen letters that stand for what is learnt, and how: not for how long."""
        settings = {name: value for name, value in asdict(self.lesson).items() if name != "minutes"}
        said = [(example.file_name, example.raw) for example in examples]
        words = self.model.vocabulary.words
        digest = hashlib.sha256(json.dumps([settings, said, words]).encode())
        for weight in self.model.decoder.parameters():
            digest.update(weight.detach().numpy().tobytes())
        return digest.hexdigest()[:16]

    def keep(self, file: Path, mark: str) -> None:
        """Write all that the lesson needs to go on. Raises CaptionerError."""
        tensors = {}
        for name, weight in self.learning.items():
            tensors[f"{TRAINING}now.{name}"] = weight.detach()
            tensors[f"{TRAINING}best.{name}"] = self.best[name]
            for key, value in self.optimizer.state.get(weight, {}).items():
                tensors[f"{TRAINING}adam.{key}.{name}"] = value
        notes = {
            "mark": mark,
            "step": str(self.step),
            "seconds": repr(self.seconds),
            "scores": json.dumps(self.scores),
        }
        checkpoint.write(file, tensors, {**checkpoint.metadata(self.model), **notes})

    def go_on(self, file: Path, mark: str) -> None:
        """Be where `keep` noted it. Raises CaptionerError where that was another lesson."""
        if not file.is_file():
            raise CaptionerError(f"{file}: there is no lesson to go on with; leave --resume out")
        tensors, notes = checkpoint.read(file)
        if notes.get("mark") != mark:
            raise CaptionerError(
                f"{file}: is of a lesson with other photos, captions or options; leave --resume out"
                " to begin anew"
            )
        self.step, self.seconds = int(notes["step"]), float(notes["seconds"])
        self.scores = {int(step): score for step, score in json.loads(notes["scores"]).items()}
        self.best = {name: tensors[f"{TRAINING}best.{name}"] for name in self.learning}
        self.restore({name: tensors[f"{TRAINING}now.{name}"] for name in self.learning})
        for name, weight in self.learning.items():
            if f"{TRAINING}adam.step.{name}" in tensors:
                self.optimizer.state[weight] = {
                    key: tensors[f"{TRAINING}adam.{key}.{name}"]
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }


def _rows(model: Model) -> Tensor:
    """(V, 1): 1 for the words that the usual style alone writes, and for its start word."""
    decoder = model.decoder
    others = [decoder.bias, *(decoder.bias + each.bias for each in decoder.style_adapters[1:])]
    rows = (torch.stack(others).detach().amax(0) < NEVER / 2).float()
    rows[model.vocabulary.start(model.vocabulary.styles[0])] = 1
    return rows.unsqueeze(1)


def _known(model: Model) -> Tensor:
    """(V,): each word's id, or that of the attribute word which stands for it."""
    ids = model.vocabulary.ids
    known = torch.arange(len(model.vocabulary))
    for word, of in model.stand_ins.items():
        known[ids[word]] = ids[of]
    return known
