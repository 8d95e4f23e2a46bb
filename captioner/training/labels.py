"""Labels of photos: which of some categories stand in each, and the head that learns them.

The labels teach the encoder; the captioner that is kept has no such head.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from captioner.datasets.captions.files import read_json
from captioner.datasets.captions.names import first_few
from captioner.errors import CaptionerError
from captioner.training.data import Example


def read_labels(file: Path, examples: Sequence[Example]) -> tuple[list[str], Tensor, Tensor]:
    """The G categories, which of them stand in each photo (N, G), and which have labels (N,).

    Raises CaptionerError for a file of another form, for ids of photos that are not among
    `examples`, and where no photo has a label.
    """
    try:
        tree = TypeAdapter(dict[str, list[str]]).validate_python(read_json(file))
    except ValidationError:
        said = f'{file}: labels are written as {{"<id of a photo>": ["kite", …]}}'
        raise CaptionerError(said) from None
    places = {str(example.id): i for i, example in enumerate(examples)}
    unknown = [key for key in tree if key not in places]
    if unknown:
        raise CaptionerError(
            f"{file}: has labels for photos that are not there: {first_few(unknown)}"
        )
    categories = sorted({name for names in tree.values() for name in names})
    if not categories:
        raise CaptionerError(f"{file}: names no category")
    index = {name: i for i, name in enumerate(categories)}
    targets = torch.zeros(len(examples), len(categories))
    known = torch.zeros(len(examples))
    for key, names in tree.items():
        known[places[key]] = 1
        targets[places[key], [index[name] for name in names]] = 1
    return categories, targets, known
