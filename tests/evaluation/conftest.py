"""One running Java for all tests of the scores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from captioner.evaluation.scorers import Scorer


@pytest.fixture(scope="session")
def java() -> Iterator[Scorer]:
    with Scorer() as machine:
        yield machine
