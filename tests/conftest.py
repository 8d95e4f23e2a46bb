"""Fixtures that several rooms' tests share."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with photos, captions and weights that lies beside a developer's checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data" / "captions_val.json").exists():
        pytest.skip("needs the data folder beside the checkout (../shared), absent here")
    return folder


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[Any, Path]]:
    """`exported(kind, format)`: a model of KINDS and the folder that holds it."""
    pytest.importorskip("onnxscript")
    from captioner.export.run import export
    from tests.export.kinds import KINDS, model_of_kind

    @cache
    def make(kind: str, format: Any) -> tuple[Any, Path]:
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
