"""The folder that an export is: two graphs and captioner.json, which says all else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from captioner.errors import CaptionerError

FORMAT = 1
NOTES = "captioner.json"
FILES = {NOTES, "start.onnx", "step.onnx", "start.pt2", "step.pt2"}


def read_notes(folder: Path) -> dict[str, Any]:
    """What captioner.json says. Raises CaptionerError for a folder that is no whole export."""
    file = folder / NOTES
    try:
        notes = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise CaptionerError(
            f"{folder}: holds no {NOTES}; name a folder that captioner export wrote"
        ) from None
    except ValueError as error:
        raise CaptionerError(f"{file}: is damaged ({error}); export again") from None
    if not isinstance(notes, dict) or notes.get("format") != "captioner export":
        raise CaptionerError(f"{file}: was not written by captioner export")
    if notes.get("version") != FORMAT:
        raise CaptionerError(
            f"{file}: has version {notes.get('version')}, this captioner reads {FORMAT};"
            " export again or use the captioner that wrote it"
        )
    for graph in notes["graphs"].values():
        if not (folder / graph["file"]).is_file():
            raise CaptionerError(f"{folder}: {graph['file']} is missing; export again")
    return notes


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
