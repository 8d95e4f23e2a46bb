"""The folder of a run: what lies in it, what may be written there, what can be gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from captioner.engines.graphs import START, STEP, graph_file
from captioner.errors import CaptionerError
from captioner.notes import read_header
from captioner.training.log import LOG
from captioner.training.recipe import Recipe

RESUME = "training.safetensors"
BEST = "best.safetensors"
LAST = "last.safetensors"
# What a run that goes on may have otherwise: none of it changes a step.
FREE = {
    *("training.output", "training.device", "training.workers", "training.checkpoint_minutes"),
    *("training.validate_every", "data.cache", "data.hold", "data.photos"),
}


def check_output(output: Path, resume: bool, overwrite: bool) -> None:
    """Raise CaptionerError where a run would write over another, or has nothing to resume."""
    state = output / RESUME
    if resume and not state.exists():
        raise CaptionerError(f"{output}: holds no run that could be resumed; leave --resume out")
    held = [file for file in (*_left(output), output / LOG) if file.exists()]
    if held and not (resume or overwrite):
        on = "--resume to go on with it, " if held[0].name in (RESUME, LAST, BEST) else ""
        raise CaptionerError(
            f"training.output: {output} holds another run ({held[0].name}); take {on}--overwrite"
            " to lose it, or another folder"
        )


def forget(output: Path) -> None:
    """Take away what another run has left, so that none of it is held for this one's."""
    for file in _left(output):
        file.unlink(missing_ok=True)


def _left(output: Path) -> list[Path]:
    """The models that a run may leave, the graphs beside them, and the encoders of its folds."""
    models = [output / RESUME, output / LAST, output / BEST]
    graphs = [graph_file(model, graph) for model in models[1:] for graph in (START, STEP)]
    return [*models, *graphs, *output.glob("fold-*.safetensors")]


def noted(recipe: Recipe) -> str:
    """The fields of a recipe that decide what a run learns, for its state."""
    fields = {
        f"{section}.{name}": value
        for section, tree in recipe.model_dump(mode="json").items()
        for name, value in tree.items()
    }
    return json.dumps({name: value for name, value in fields.items() if name not in FREE})


def check_recipe(state: Path, recipe: Recipe) -> None:
    """Raise CaptionerError, naming the fields, where a run's state is another recipe's."""
    notes = read_header(state).notes
    if "step" not in notes:
        raise CaptionerError(f"{state}: is no training state to resume from")
    old: Mapping[str, Any] = json.loads(notes.get("recipe", "{}"))  # older states lack it
    new = json.loads(noted(recipe))
    changed = [name for name in new if name in old and old[name] != new[name]]
    if changed:
        was = ", ".join(f"{name} {old[name]!r} (now {new[name]!r})" for name in changed)
        raise CaptionerError(
            f"{state}: was written by a run with another recipe: {was}; go on with that, or choose"
            " another training.output"
        )
