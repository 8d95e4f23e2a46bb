"""Every search is checked on the arrays of both libraries that engines speak."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.search.toy import Toy


@pytest.fixture(scope="module", autouse=True, params=["numpy", "torch"])
def library(request: pytest.FixtureRequest) -> Iterator[str]:
    Toy.library = request.param
    yield request.param
    Toy.library = "torch"


@pytest.fixture
def torchs(library: str) -> None:
    """For training's samples, which are torch's alone."""
    if library != "torch":
        pytest.skip("training draws with torch")
