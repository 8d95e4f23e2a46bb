"""The training loop: one recipe, one stage, from its first step to its last."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

from captioner import checkpoint
from captioner.errors import CaptionerError
from captioner.interrupts import interrupts
from captioner.model.lite3 import Lite3
from captioner.training import processes
from captioner.training.batches import Batch, Share
from captioner.training.folds import fold_file
from captioner.training.log import Log
from captioner.training.objectives import Loss
from captioner.training.output import (
    BEST,
    LAST,
    RESUME,
    check_output,
    check_recipe,
    forget,
    noted,
)
from captioner.training.recipe import Recipe, TrainingConfig
from captioner.training.stage import Stage
from captioner.training.validate import validate

UNREAD = 25  # steps whose losses a GPU keeps to itself, so that nothing waits for it


def train(recipe: Recipe, resume: bool = False, overwrite: bool = False) -> Path:
    """Train one stage and return its best checkpoint (the last one where nothing is validated).

    Raises CaptionerError for data, weights or folders that cannot be used, for a folder that holds
    a run already (unless `overwrite` or `resume`), and for one without a run of this recipe to
    `resume`. Interrupted (Ctrl-C), one process alone keeps its state before KeyboardInterrupt.
    """
    config = recipe.training
    with processes.together(config.device) as share:
        check_output(config.output, resume, overwrite)
        if resume:
            check_recipe(config.output / RESUME, recipe)
        processes.wait(share)  # all have looked before the first process writes
        stage = Stage(recipe, share)
        try:
            return Trainer(stage, config, share).run(resume)
        finally:
            stage.close()


class Trainer:
    """Steps, averages, validates, and can stop and go on at any step."""

    def __init__(self, stage: Stage, config: TrainingConfig, share: Share) -> None:
        self.stage, self.config, self.share = stage, config, share
        self.model, self.device = stage.model, stage.device
        self.learning = learning_parameters(stage)
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self.learning.items():
            groups.setdefault(rate_of(name, stage), []).append(parameter)
        self.rates = list(groups)
        self.optimizer = torch.optim.AdamW(
            [{"params": parameters} for parameters in groups.values()],
            lr=0.0, betas=(0.9, 0.98), weight_decay=config.weight_decay,
            fused=self.device.type == "cuda",
        )  # fmt: skip
        self.average = {name: p.detach().clone() for name, p in self.learning.items()}
        self.start = {name: p.detach().clone() for name, p in self.learning.items()}
        self.step, self.best, self.seconds = 0, -math.inf, 0.0
        self.unread: list[tuple[int, float, Tensor, list[str]]] = []
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True

    def run(self, resume: bool) -> Path:
        output = self.config.output
        self._make(output)
        if resume:
            self._load(output / RESUME)
        elif self.share.rank == 0:
            forget(output)
        log = Log(output, self.step, self.config.max_steps) if self.share.rank == 0 else None
        self.began = time.monotonic() - self.seconds
        if self.config.start and not self.step:
            self._validate(log)
        alone = self.share.world == 1  # several would have to agree on the step
        with interrupts("finishing this step") if alone else nullcontext(never) as stopped:
            try:
                self._steps(log, stopped)
            finally:
                if log:
                    log.close()
        if log:
            self._finish(output)
        processes.wait(self.share)  # a next stage reads what the first process has written
        if stopped():
            raise KeyboardInterrupt("stopped at the end of a stage; --resume goes on")
        return output / (BEST if self.stage.examples_val else LAST)

    def _steps(self, log: Log | None, stopped: Callable[[], bool]) -> None:
        saved, state = time.monotonic(), self.config.output / RESUME
        for batch in self.stage.batches(self.step):
            self._train_step(batch)
            self.step += 1
            self.seconds = time.monotonic() - self.began
            last, stop = self._progress() >= 1, stopped()
            due = self.step % self.config.validate_every == 0
            read = last or due or stop or len(self.unread) >= self._patience()  # in all alike
            if read:
                self._read_losses(log)
            if self.stage.examples_val and (last or due):
                self._validate(log)
            minutes = (time.monotonic() - saved) / 60
            if log and (last or stop or (read and minutes > self.config.checkpoint_minutes)):
                self._save(state)
                saved = time.monotonic()
            if stop and not last:
                raise KeyboardInterrupt(f"stopped after step {self.step}; --resume goes on")
            if last:
                break

    def _patience(self) -> int:
        return UNREAD if self.device.type == "cuda" else 1

    def _progress(self) -> float:
        """How much of the stage is done, 0…1: by steps or by time, whichever is further."""
        minutes = self.config.max_minutes
        done = self.step / self.config.max_steps
        if minutes is None:
            return done
        [timed] = processes.furthest([self.seconds / 60 / minutes], self.share, self.device)
        return max(done, timed)

    def _make(self, output: Path) -> None:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CaptionerError(f"training.output: {output} cannot be made ({error})") from None

    def _train_step(self, batch: Batch) -> None:
        torch.manual_seed((self.config.seed * 1_000_003 + self.step) * 64 + self.share.rank)
        scale = rate_at(self._progress(), self.config)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * scale
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16):
            loss = self.stage.loss(self.step, batch)
        own = [count for _, count in [*loss.terms, *loss.figures.values()]]
        counts = processes.add_up(own, self.share, self.device)
        self.optimizer.zero_grad(set_to_none=True)
        terms = [term / max(1, n) for (term, _), n in zip(loss.terms, counts, strict=False)]
        torch.stack(terms).sum().backward()
        parameters = list(self.learning.values())
        processes.add_up_gradients(parameters, self.share)
        nn.utils.clip_grad_norm_(parameters, self.config.clip)
        self.optimizer.step()
        keep = min(self.config.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_([*self.average.values()], [*self.learning.values()], 1 - keep)
        self._note(loss, counts, scale)

    def _note(self, loss: Loss, counts: Sequence[float], scale: float) -> None:
        """Keep what the log will say of this step, without waiting for it."""
        figures = [figure for figure, _ in loss.figures.values()]
        own = [term.detach() for term, _ in loss.terms] + figures
        means = torch.stack(
            [value.float() / max(1, count) for value, count in zip(own, counts, strict=True)]
        )
        total = means[: len(loss.terms)].sum()[None]
        row = torch.cat([total, means[len(loss.terms) :]])
        self.unread.append((self.step + 1, scale, row, list(loss.figures)))

    def _read_losses(self, log: Log | None) -> None:
        """Fetch the losses of the steps since the last time, and log them."""
        rows = processes.sum_rows([row for _, _, row, _ in self.unread], self.share)
        for (step, scale, _, names), row in zip(self.unread, rows, strict=True):
            if not all(map(math.isfinite, row)):
                raise CaptionerError(
                    f"step {step}: the loss is {row[0]}, the training cannot go on;"
                    " lower training.learning_rate or training.encoder_learning_rate"
                )
            if log:
                rate = self.config.learning_rate * scale
                log.advance(row[0], rate)
                speed = {"photos_per_second": round(self._speed(), 1), "gigabytes": self._memory()}
                figures = dict(zip(names, row[1:], strict=True))
                log.write(
                    step, loss=row[0], rate=rate, seconds=round(self.seconds), **figures, **speed
                )
        self.unread = []

    def _speed(self) -> float:
        return self.step * self.stage.photos_a_step / max(self.seconds, 1e-9)

    def _memory(self) -> float:
        used = torch.cuda.max_memory_allocated() if self.device.type == "cuda" else 0
        return round(used / 1e9, 2)

    def _validate(self, log: Log | None) -> None:
        """Let the first process validate the averaged weights, and keep the best."""
        if log and self.stage.examples_val:
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

    def _finish(self, output: Path) -> None:
        """Keep the encoders of the folds for the stage that follows, then the averaged weights:
        with those the stage is over."""
        with self._averaged():
            if self.stage.folds is not None and self.config.tune != "nothing":
                own = self.model.encoder
                for fold, encoder in enumerate(self.stage.folds):
                    self.model.encoder = encoder
                    checkpoint.save(self.model, fold_file(output, fold))
                self.model.encoder = own
            checkpoint.save(self.model, output / LAST)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """What is kept in place of the weights: their moving average, and of that so much as the
        recipe says, the rest as it was at the start (Wortsman et al. 2022,
        https://arxiv.org/abs/2109.01903)."""
        own = {name: p.detach().clone() for name, p in self.learning.items()}
        self._put({n: self.start[n].lerp(w, self.config.kept) for n, w in self.average.items()})
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
        for name, tensor in self.stage.beside.state_dict().items():
            tensors[f"training.beside.{name}"] = tensor
        for name, parameter in self.learning.items():
            tensors[f"training.average.{name}"] = self.average[name]
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"training.adam.{key}.{name}"] = value
        notes = {"step": str(self.step), "best": repr(self.best), "seconds": repr(self.seconds)}
        notes["recipe"] = noted(self.stage.recipe)
        checkpoint.write(file, tensors, {**checkpoint.metadata(self.model), **notes})

    def _load(self, file: Path) -> None:
        """Go on from what `_save` wrote: not all that learns has met a gradient by then."""
        tensors, notes = checkpoint.read(file)
        own = {name: t for name, t in tensors.items() if not name.startswith("training.")}
        beside = {
            name.removeprefix("training.beside."): t
            for name, t in tensors.items()
            if name.startswith("training.beside.")
        }
        same = all(notes.get(key) == note for key, note in checkpoint.metadata(self.model).items())
        same = same and own.keys() == self.model.state_dict().keys()
        same = same and beside.keys() == self.stage.beside.state_dict().keys()
        averages = {name for name in tensors if name.startswith("training.average.")}
        if not same or averages != {f"training.average.{name}" for name in self.learning}:
            raise CaptionerError(f"{file}: was written by a run with other words or weights")
        self.model.load_state_dict(own)
        self.stage.beside.load_state_dict(beside)
        for name, parameter in self.learning.items():
            self.average[name].copy_(tensors[f"training.average.{name}"])
            if f"training.adam.step.{name}" in tensors:
                self.optimizer.state[parameter] = {
                    "step": tensors[f"training.adam.step.{name}"].to(_place_of_step(parameter)),
                    "exp_avg": tensors[f"training.adam.exp_avg.{name}"].to(parameter.device),
                    "exp_avg_sq": tensors[f"training.adam.exp_avg_sq.{name}"].to(parameter.device),
                }
        self.step, self.best = int(notes["step"]), float(notes["best"])
        self.seconds = float(notes["seconds"])


def never() -> bool:
    return False


def _place_of_step(parameter: Tensor) -> torch.device:
    """Where AdamW counts: fused on the GPU, else on the processor."""
    return parameter.device if parameter.is_cuda else torch.device("cpu")


def rate_at(progress: float, config: TrainingConfig) -> float:
    """The factor on every learning rate in a step that begins when so much of the stage is done:
    linear warm-up, then a cosine to zero."""
    if progress < config.warmup:
        return min(1.0, (progress + 1 / config.max_steps) / config.warmup)
    return 0.5 * (
        1 + math.cos(math.pi * min(1.0, (progress - config.warmup) / (1 - config.warmup)))
    )


def learning_parameters(stage: Stage) -> dict[str, nn.Parameter]:
    """What learns in a stage, by name: of the model, and of what learns beside it."""
    named = [*stage.model.named_parameters()]
    named += [(f"beside.{name}", p) for name, p in stage.beside.named_parameters()]
    return {name: p for name, p in named if p.requires_grad}


def rate_of(name: str, stage: Stage) -> float:
    """The learning rate of a weight: an encoder's falls with every block further from the grid."""
    config = stage.config
    _, encoder, inner = name.partition("backbone.")
    if not encoder:
        return config.learning_rate
    backbone = stage.model.encoder.backbone
    depth = backbone.depth(inner) if isinstance(backbone, Lite3) else 0
    return config.encoder_learning_rate * config.layer_decay**depth
