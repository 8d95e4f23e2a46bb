"""The toy album, made once, and a captioner trained on it, once."""

from pathlib import Path

import pytest

from captioner.training.loop import train
from tests.training.toy import Album


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> Album:
    return Album(tmp_path_factory.mktemp("album"))


@pytest.fixture(scope="session")
def trained(album: Album, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best checkpoint of a run that learned the colours."""
    output = tmp_path_factory.mktemp("trained") / "run"
    recipe = album.recipe(output, val=album.val, max_steps=70, validate_every=40)
    return train(recipe)
