"""The training loop: one recipe, one stage, from its first step to its last."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from captioner import checkpoint
from captioner.config import Recipe, TrainingConfig
from captioner.errors import CaptionerError
from captioner.model.lite3 import Lite3
from captioner.model.model import Model
from captioner.training import processes
from captioner.training.batches import Share
from captioner.training.log import Log
from captioner.training.stage import Stage
from captioner.training.validate import validate

RESUME = "training.safetensors"
BEST = "best.safetensors"
LAST = "last.safetensors"


def train(recipe: Recipe, resume: bool = False) -> Path:
    """Train one stage and return its best checkpoint (the last one where nothing is validated).

    Raises CaptionerError for data, weights or folders that cannot be used.
    """
    config = recipe.training
    share = processes.join(config.device)
    try:
        return Trainer(Stage(recipe, share), config, share).run(resume)
    finally:
        processes.leave(share)


class Trainer:
    """Steps, averages, validates, and can stop and go on at any step."""

    def __init__(self, stage: Stage, config: TrainingConfig, share: Share) -> None:
        self.stage, self.config, self.share = stage, config, share
        self.model = stage.model
        self.learning = learning_parameters(self.model, config)
        encoder = [p for name, p in self.learning.items() if name.startswith("encoder.")]
        others = [p for name, p in self.learning.items() if not name.startswith("encoder.")]
        self.rates = [config.encoder_learning_rate, config.learning_rate]
        self.optimizer = torch.optim.AdamW(
            [{"params": encoder}, {"params": others}],
            lr=0.0, betas=(0.9, 0.98), weight_decay=config.weight_decay,
        )  # fmt: skip
        self.average = {name: p.detach().clone() for name, p in self.learning.items()}
        self.step, self.best, self.seconds = 0, -math.inf, 0.0

    def run(self, resume: bool) -> Path:
        output = self.config.output
        self._make(output)
        if resume and (output / RESUME).exists():
            self._load(output / RESUME)
        first = self.share.rank == 0
        log = Log(output, self.step, self.config.max_steps) if first else None
        began, saved = time.monotonic() - self.seconds, time.monotonic()
        while self.step < self.config.max_steps:
            loss, figures, rate = self._train_step()
            self.step += 1
            self.seconds = time.monotonic() - began
            if log:
                log.advance(loss, rate)
                log.write(self.step, loss=loss, rate=rate, seconds=round(self.seconds), **figures)
            last = self.step == self.config.max_steps
            if self.stage.examples_val and (last or self.step % self.config.validate_every == 0):
                self._validate(log)
            if first and (last or time.monotonic() - saved > 60 * self.config.checkpoint_minutes):
                self._save(output / RESUME)
                saved = time.monotonic()
        if log:
            with self._averaged():
                checkpoint.save(self.model, output / LAST)
            log.close()
        return output / (BEST if self.stage.examples_val else LAST)

    def _make(self, output: Path) -> None:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CaptionerError(f"training.output: {output} cannot be made ({error})") from None

    def _train_step(self) -> tuple[float, dict[str, float], float]:
        torch.manual_seed((self.config.seed * 1_000_003 + self.step) * 64 + self.share.rank)
        scale = rate_at(self.step, self.config)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * scale
        device = self.model.encoder.mean.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.config.bf16):
            loss = self.stage.loss(self.step)
        own = [(float(term.detach()), count) for term, count in loss.terms]
        pairs = [*own, *loss.figures.values()]
        sums = processes.add_up([part for pair in pairs for part in pair], self.share, device)
        means = [total / count for total, count in zip(sums[::2], sums[1::2], strict=True)]
        if not math.isfinite(sum(means)):
            raise CaptionerError(
                f"step {self.step + 1}: the loss is {sum(means)}, the training cannot go on;"
                " lower training.learning_rate or training.encoder_learning_rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(
            [term / count for (term, _), count in zip(loss.terms, sums[1::2], strict=False)]
        ).sum().backward()
        parameters = list(self.learning.values())
        processes.add_up_gradients(parameters, self.share)
        nn.utils.clip_grad_norm_(parameters, self.config.clip)
        self.optimizer.step()
        keep = min(self.config.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for name, parameter in self.learning.items():
                self.average[name].lerp_(parameter, 1 - keep)
        terms = len(loss.terms)
        figures = dict(zip(loss.figures, means[terms:], strict=True))
        return sum(means[:terms]), figures, self.rates[1] * scale

    def _validate(self, log: Log | None) -> None:
        """Let the first process validate the averaged weights, and keep the best."""
        if log:
            with self._averaged():
                stage = self.stage
                scores = validate(
                    self.model, stage.photos_val, stage.examples_val, self.config.bf16
                )
                mean = sum(scores.values()) / len(scores)
                log.write(self.step, cider=mean, val=json.dumps(scores))
                log.bar.write(
                    f"step {self.step}: CIDEr "
                    + ", ".join(f"{k} {v:.3f}" for k, v in scores.items())
                )
                if mean > self.best:
                    self.best = mean
                    checkpoint.save(self.model, self.config.output / BEST)
        processes.wait(self.share)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The exponential moving average of the weights in place of the weights."""
        own = {name: p.detach().clone() for name, p in self.learning.items()}
        self._put(self.average)
        try:
            yield
        finally:
            self._put(own)

    def _put(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.learning.items():
                parameter.copy_(weights[name])

    def _save(self, file: Path) -> None:
        """Everything a resumed run needs, readable as a checkpoint too."""
        tensors = dict(self.model.state_dict())
        for name, parameter in self.learning.items():
            tensors[f"training.average.{name}"] = self.average[name]
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"training.adam.{key}.{name}"] = value
        notes = {"step": str(self.step), "best": repr(self.best), "seconds": repr(self.seconds)}
        checkpoint.write(file, tensors, {**checkpoint.metadata(self.model), **notes})

    def _load(self, file: Path) -> None:
        """Go on from what `_save` wrote: not all that learns has met a gradient by then."""
        tensors, notes = checkpoint.read(file)
        if "step" not in notes:
            raise CaptionerError(f"{file}: is no training state to resume from")
        own = {name: t for name, t in tensors.items() if not name.startswith("training.")}
        same = all(notes.get(key) == note for key, note in checkpoint.metadata(self.model).items())
        same = same and own.keys() == self.model.state_dict().keys()
        averages = {name for name in tensors if name.startswith("training.average.")}
        if not same or averages != {f"training.average.{name}" for name in self.learning}:
            raise CaptionerError(f"{file}: was written by a run with another recipe")
        self.model.load_state_dict(own)
        for name, parameter in self.learning.items():
            self.average[name].copy_(tensors[f"training.average.{name}"])
            if f"training.adam.step.{name}" in tensors:
                self.optimizer.state[parameter] = {
                    "step": tensors[f"training.adam.step.{name}"],
                    "exp_avg": tensors[f"training.adam.exp_avg.{name}"].to(parameter.device),
                    "exp_avg_sq": tensors[f"training.adam.exp_avg_sq.{name}"].to(parameter.device),
                }
        self.step, self.best = int(notes["step"]), float(notes["best"])
        self.seconds = float(notes["seconds"])


def rate_at(step: int, config: TrainingConfig) -> float:
    """The factor on every learning rate: linear warm-up, then a cosine to zero."""
    warm = max(1, round(config.warmup * config.max_steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, config.max_steps - warm)))


def learning_parameters(model: Model, config: TrainingConfig) -> dict[str, nn.Parameter]:
    """Freeze what this stage leaves alone; return the rest by name."""
    backbone = model.encoder.backbone
    backbone.requires_grad_(config.tune == "everything")
    if config.tune == "top" and isinstance(backbone, Lite3):
        backbone.tune_upper(config.stochastic_depth)
    model.decoder.requires_grad_(config.objective != "words")
    named = config.objective == "cross_entropy" and config.attribute_weight > 0
    model.head.requires_grad_(config.objective == "words" or named)
    model.head.regularise(config.dropout)
    model.decoder.regularise(config.dropout, config.grid_dropout)
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
