"""Several stages, one after the other in one process: words, language, captions, rewards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from captioner.config import Recipe, check_files
from captioner.errors import CaptionerError
from captioner.training.loop import BEST, LAST, RESUME, check_output, train


def train_chain(recipes: Sequence[Recipe], resume: bool = False, overwrite: bool = False) -> Path:
    """Train the stages in their order; the last one's best checkpoint.

    What they read is read once. With `resume` stages that ended are left as they are, and the one
    that was stopped goes on. Raises CaptionerError, before anything is computed, for recipes that
    do not fit one another and folders that hold another run.
    """
    _check(recipes, resume, overwrite)
    best = Path()
    for recipe in recipes:
        output = recipe.training.output
        if resume and (output / LAST).exists():
            best = output / (BEST if (output / BEST).exists() else LAST)
            continue
        best = train(recipe, resume and (output / RESUME).exists(), overwrite)
    return best


def _check(recipes: Sequence[Recipe], resume: bool, overwrite: bool) -> None:
    made: dict[Path, Recipe] = {}
    for recipe in recipes:
        training = recipe.training
        if training.output in {earlier.training.output for earlier in made.values()}:
            raise CaptionerError(f"training.output: two recipes write to {training.output}")
        for start in training.start:
            before = made.get(start)
            if before is not None and before.model != recipe.model:
                raise CaptionerError(
                    f"training.start: {start} will be another model than {training.output} trains;"
                    " encoder, attributes and decoder of the recipes must agree"
                )
        check_files(recipe, [*made])
        if not resume:
            check_output(training.output, False, overwrite)
        for name in (LAST, BEST):
            made[training.output / name] = recipe
    if resume and not any(
        (recipe.training.output / name).exists() for recipe in recipes for name in (RESUME, LAST)
    ):
        first = recipes[0].training.output
        raise CaptionerError(f"{first}: holds no run that could be resumed; leave --resume out")
