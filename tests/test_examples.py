"""The notebooks run, and show what they showed."""

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import captioner

EXAMPLES = Path(captioner.__file__).parents[1] / "examples"
needs_model = pytest.mark.skipif(
    not list((Path(captioner.__file__).parent / "assets").glob("*.safetensors")),
    reason="needs the embedded model",
)


def cells(path: Path) -> list[dict[str, Any]]:
    notebook = json.loads(path.read_text())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_is_small_and_was_run_in_order() -> None:
    path = EXAMPLES / "attention.ipynb"
    assert path.stat().st_size < 150_000
    assert [cell["execution_count"] for cell in cells(path)] == [1, 2, 3]
    assert all(cell["outputs"] for cell in cells(path))
    kinds = {output["output_type"] for cell in cells(path) for output in cell["outputs"]}
    assert kinds == {"execute_result", "stream"}, "no error, no warning"


@needs_model
def test_the_notebook_shows_what_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    names: dict[str, Any] = {}
    for cell in cells(EXAMPLES / "attention.ipynb"):
        said = StringIO()
        with redirect_stdout(said):
            exec("".join(cell["source"]), names)
        (shown,) = cell["outputs"]
        if shown["output_type"] == "stream":
            told = "".join(shown["text"])
            assert said.getvalue() == told, "make notebook brings it up to date"
        else:
            assert names["caption"].text in "".join(shown["data"]["text/html"])
