"""Several stages, one after the other in one process: words, language, captions, rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from captioner.errors import CaptionerError
from captioner.training import processes
from captioner.training.loop import train
from captioner.training.output import BEST, LAST, RESUME, check_output, check_recipe
from captioner.training.recipe import Recipe, check_files


def train_chain(recipes: Sequence[Recipe], resume: bool = False, overwrite: bool = False) -> Path:
    """Train the stages in their order; the last one's best checkpoint.

    What they read is read once. With `resume` stages that ended are left as they are, and the one
    that was stopped goes on, or begins again where it had not got far enough. Raises
    CaptionerError, before anything is computed, for recipes that do not fit one another and folders
    that hold another run.
    """
    _check(recipes, resume, overwrite)
    with processes.together(recipes[0].training.device):
        return [_train_or_skip(recipe, resume, overwrite) for recipe in recipes][-1]


def _train_or_skip(recipe: Recipe, resume: bool, overwrite: bool) -> Path:
    output = recipe.training.output
    if resume and (output / LAST).exists():
        return output / (BEST if (output / BEST).exists() else LAST)
    goes_on = resume and (output / RESUME).exists()
    return train(recipe, goes_on, overwrite or (resume and not goes_on))


def _check(recipes: Sequence[Recipe], resume: bool, overwrite: bool) -> None:
    if resume and overwrite:
        raise CaptionerError("--resume goes on with what --overwrite would lose: take one of them")
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
        _check_words(recipe, made)
        check_files(recipe, [*made])
        if not resume:
            check_output(training.output, False, overwrite)
        elif (training.output / RESUME).exists():
            check_recipe(training.output / RESUME, recipe)
        for name in (LAST, BEST):
            made[training.output / name] = recipe
    if resume and not any(
        (recipe.training.output / name).exists() for recipe in recipes for name in (RESUME, LAST)
    ):
        first = recipes[0].training.output
        raise CaptionerError(f"{first}: holds no run that could be resumed; leave --resume out")


def _check_words(recipe: Recipe, made: Mapping[Path, Recipe]) -> None:
    """Raise CaptionerError where stages to come would start one with different words."""
    before = [made[start] for start in recipe.training.start if start in made]
    for other in before[1:]:
        if _words(other, made) != _words(before[0], made):
            raise CaptionerError(
                f"training.start: {before[0].training.output} and {other.training.output} will have"
                " other words; train, text, styles and minimum_count of their data must agree"
            )


def _words(recipe: Recipe, made: Mapping[Path, Recipe]) -> object:
    """What decides which words a stage's model has."""
    for start in recipe.training.start[:1]:
        return _words(made[start], made) if start in made else start
    data = recipe.data
    return data.train, data.text, data.styles, data.minimum_count
