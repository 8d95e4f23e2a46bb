"""docs/family.md quotes the code as it stands, and names what is there."""

import inspect
import re
from pathlib import Path

import pytest

from captioner.model import decoder
from captioner.model.config import DecoderConfig
from captioner.training.recipe import TrainingConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "family.md").read_text(encoding="utf-8")
CODE = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "captioner").rglob("*.py"))


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_quoted_code_is_the_code(block: str) -> None:
    lines = {line.strip() for line in CODE.splitlines()}
    quoted = [line.split("  # ")[0].strip() for line in block.splitlines()]
    assert [line for line in quoted if line and line not in lines] == []


def test_fields_and_files_exist() -> None:
    named = re.findall(r"`(decoder|training)\.(\w+)`", PAGE)
    known = {"decoder": DecoderConfig, "training": TrainingConfig}
    assert len(named) > 10
    assert [f"{s}.{f}" for s, f in named if f not in known[s].model_fields] == []
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (ROOT / "docs" / link).exists()] == []


def test_functions_exist() -> None:
    named = re.findall(r"`([A-Z]\w+)\.(\w+)`", PAGE)
    assert len(named) >= 9
    for owner, name in named:
        source = inspect.getsource(getattr(decoder, owner))
        assert re.search(rf"\b(self\.{name}\b|def {name}\b|{name}:)", source), f"{owner}.{name}"
