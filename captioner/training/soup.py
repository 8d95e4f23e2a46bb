"""One model out of several: the mean of the weights of runs that began with the same model.

A model soup (Wortsman et al. 2022, https://arxiv.org/abs/2203.05482): runs that differ in their
seed or settings alone end in one valley, and its middle often captions better than its rims.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from captioner import checkpoint
from captioner.config import differences
from captioner.errors import CaptionerError
from captioner.model.model import Model


def soup(files: Sequence[Path]) -> Model:
    """The first checkpoint's model with the mean of all their weights.

    Raises CaptionerError where one differs from the first in its words or sizes.
    """
    models = [checkpoint.load(file) for file in files]
    first = models[0]
    for file, model in zip(files, models, strict=True):
        if changed := differences(model.config, first.config):
            raise CaptionerError(f"{file}: has another {', '.join(changed)} than {files[0]}")
        if (model.vocabulary.words, model.attributes) != (first.vocabulary.words, first.attributes):
            raise CaptionerError(f"{file}: has other words than {files[0]}")
    states = [model.state_dict() for model in models]
    first.load_state_dict({name: _mean([state[name] for state in states]) for name in states[0]})
    return first


def _mean(weights: Sequence[Tensor]) -> Tensor:
    """Weights that are alike in all stay what they are: the mean of three would be rounded."""
    if all(torch.equal(weights[0], other) for other in weights[1:]):
        return weights[0]
    return torch.stack(list(weights)).mean(0)


def write_soup(
    files: Annotated[list[Path], typer.Argument(help="Checkpoints of runs that began alike.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The checkpoint to write.")],
) -> None:
    """Average checkpoints into one."""
    checkpoint.save(soup(files), output)
    typer.echo(f"{output}: the mean of {', '.join(map(str, files))}")


if __name__ == "__main__":
    try:
        typer.run(write_soup)
    except CaptionerError as problem:
        sys.exit(f"soup: {problem}")
