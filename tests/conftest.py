"""Fixtures that several rooms' tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with photos, captions and weights that lies beside a developer's checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data" / "captions_val.json").exists():
        pytest.skip("needs the data folder beside the checkout (../shared), absent here")
    return folder
