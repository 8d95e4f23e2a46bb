"""Every kind of model, exported once for all tests of this room."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioner.export.run import Format, export
from captioner.model.model import Model
from tests.export.kinds import KINDS, model_of_kind

Exported = Callable[[str, Format], tuple[Model, Path]]


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """`exported(kind, format)`: a model of KINDS and the folder that holds it."""
    pytest.importorskip("onnxruntime")

    @cache
    def make(kind: str, format: Format) -> tuple[Model, Path]:
        model, folder = model_of_kind(**KINDS[kind]), tmp_path_factory.mktemp("export")
        export(model, folder, format)
        return model, folder

    return make


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Five pictures that have little in common."""
    rng = np.random.default_rng(0)
    pictures = []
    for i in range(5):
        blocks = rng.integers(0, 256, (2 + i, 3, 3), dtype=np.uint8)
        size = (int(rng.integers(20, 120)), int(rng.integers(20, 120)))
        pictures.append(Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST))
    return pictures
