"""The folder that an export is: two graphs, the weights, and captioner.json on all else."""

from __future__ import annotations

from pathlib import Path

from captioner.assets import EMBEDDED
from captioner.engines.graphs import START, STEP, graph_file
from captioner.errors import CaptionerError

FORMAT = 2
NOTES = "captioner.json"
WEIGHTS = EMBEDDED.name
FILES = {
    NOTES,
    WEIGHTS,
    *(graph_file(Path(WEIGHTS), graph).name for graph in (START, STEP)),
    *("start.pt2", "step.pt2", "start.onnx", "step.onnx"),  # the last two of format 1
}


def check_output(folder: Path, overwrite: bool) -> None:
    """Raises CaptionerError where an export may not be put in the place of `folder`."""
    if folder.exists() and not folder.is_dir():
        raise CaptionerError(f"{folder}: is a file; name a folder")
    held = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if held and not overwrite:
        raise CaptionerError(f"{folder}: is not empty; name another folder, or add --overwrite")
    if held - FILES:
        raise CaptionerError(
            f"{folder}: holds what is no export ({min(held - FILES)}); name another folder"
        )
