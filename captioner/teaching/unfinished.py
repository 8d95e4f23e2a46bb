"""A lesson that was ended before its end, in a file beside the model that it makes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from captioner import checkpoint
from captioner.errors import CaptionerError
from captioner.model.model import Model
from captioner.notes import TRAINING
from captioner.teaching.lesson import Learner, Lesson
from captioner.training.data import Example


def unfinished_file(output: Path) -> Path:
    """Where the lesson that makes `output` is kept until it is over."""
    return output.with_name(f"{output.stem}.unfinished.safetensors")


def mark_of(model: Model, examples: Sequence[Example], lesson: Lesson) -> str:
    """Sixteen letters that stand for what is learnt, and how: not for how long."""
    settings = {name: value for name, value in asdict(lesson).items() if name != "minutes"}
    said = [(example.file_name, example.raw) for example in examples]
    digest = hashlib.sha256(json.dumps([settings, said, model.vocabulary.words]).encode())
    for weight in model.decoder.parameters():
        digest.update(weight.detach().numpy().tobytes())
    return digest.hexdigest()[:16]


def keep(learner: Learner, file: Path, mark: str) -> None:
    """Write all that the lesson needs to go on. Raises CaptionerError."""
    tensors = {}
    for name, weight in learner.learning.items():
        tensors[f"{TRAINING}now.{name}"] = weight.detach()
        tensors[f"{TRAINING}best.{name}"] = learner.best[name]
        for key, value in learner.optimizer.state.get(weight, {}).items():
            tensors[f"{TRAINING}adam.{key}.{name}"] = value
    notes = {
        "mark": mark,
        "step": str(learner.step),
        "seconds": repr(learner.seconds),
        "scores": json.dumps(learner.scores),
    }
    checkpoint.write(file, tensors, {**checkpoint.metadata(learner.model), **notes})


def go_on(learner: Learner, file: Path, mark: str) -> None:
    """Put the lesson where `keep` noted it. Raises CaptionerError where that was another one."""
    if not file.is_file():
        raise CaptionerError(f"{file}: there is no lesson to go on with; leave --resume out")
    tensors, notes = checkpoint.read(file)
    if notes.get("mark") != mark:
        raise CaptionerError(
            f"{file}: is of a lesson with other photos, captions or options; leave --resume out to"
            " begin anew"
        )
    learner.step, learner.seconds = int(notes["step"]), float(notes["seconds"])
    learner.scores = {int(step): score for step, score in json.loads(notes["scores"]).items()}
    learner.best = {name: tensors[f"{TRAINING}best.{name}"] for name in learner.learning}
    learner.restore({name: tensors[f"{TRAINING}now.{name}"] for name in learner.learning})
    for name, weight in learner.learning.items():
        if f"{TRAINING}adam.step.{name}" in tensors:
            keys = ("step", "exp_avg", "exp_avg_sq")
            state: dict[str, torch.Tensor] = {
                key: tensors[f"{TRAINING}adam.{key}.{name}"] for key in keys
            }
            learner.optimizer.state[weight] = state
