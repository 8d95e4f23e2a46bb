"""One running Java for all tests of the scores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from captioner.evaluation.java import Java


@pytest.fixture(scope="session")
def java() -> Iterator[Java]:
    with Java() as machine:
        yield machine
