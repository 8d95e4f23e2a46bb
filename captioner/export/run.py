"""A model written as graphs: beside its checkpoint, or into a folder with all that they need."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from captioner import __version__, checkpoint
from captioner.engines.graphs import START, STEP, graph_file
from captioner.errors import CaptionerError
from captioner.export.graphs import Graph, graphs
from captioner.extras import needed
from captioner.files import whole_folder, whole_path
from captioner.model.model import Model
from captioner.notes import read_header
from captioner.rules import rules

Format = Literal["onnx", "torch"]
VERSION = 2
NOTES = "captioner.json"
WEIGHTS = checkpoint.EMBEDDED.name
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


def write_graphs(file: Path, model: Model | None = None) -> dict[str, Path]:
    """Write the two graphs of the checkpoint in `file` beside it, for the engines without torch.

    `model` is the one in the file, where it is at hand. Raises CaptionerError where a package is
    missing or nothing can be written there.
    """
    onnx_files = _onnx_files()
    header = read_header(file)
    written: dict[str, Path] = {}
    for graph in graphs(model or checkpoint.load(file)):
        target = graph_file(file, graph.name)
        with whole_path(target) as draft:
            onnx_files.write(graph, draft, header)
        written[graph.name] = target
    return written


def export(
    model: Model,
    output: Path,
    format: Format = "onnx",
    int8: bool = False,
    overwrite: bool = False,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write the graphs, captioner.json and, for ONNX, the checkpoint into the folder `output`, all
    of them or nothing. `notes` are added to the checkpoint's metadata.

    Raises CaptionerError for a folder that holds something else, and where a package is missing.
    """
    check_output(output, overwrite)
    if format == "torch" and int8:
        raise CaptionerError("int8 weights are for --format onnx")
    with whole_folder(output) as folder:
        pair = graphs(model)
        if format == "onnx":
            files = _write_onnx(model, folder, int8, notes)
        else:
            files = {graph.name: folder / f"{graph.name}.pt2" for graph in pair}
            for graph in pair:
                graph.write(files[graph.name])
        told = describe(model, pair, {name: file.name for name, file in files.items()})
        text = json.dumps(told, ensure_ascii=False, indent=1)
        (folder / NOTES).write_text(text + "\n", encoding="utf-8")


def _write_onnx(
    model: Model, folder: Path, int8: bool, notes: Mapping[str, str] | None
) -> dict[str, Path]:
    _onnx_files()
    own = copy.deepcopy(model)
    own.encoder.shared = False
    checkpoint.save(own, folder / WEIGHTS, int8, notes)
    return write_graphs(folder / WEIGHTS, own)


def _onnx_files() -> Any:
    with needed("ONNX graphs need more packages", "export"):
        from captioner.export import onnx_files
    return onnx_files


def describe(model: Model, pair: tuple[Graph, Graph], files: dict[str, str]) -> dict[str, Any]:
    """What captioner.json says."""
    vocabulary = model.vocabulary
    usual = rules(vocabulary)
    return {
        "format": "captioner export",
        "version": VERSION,
        "captioner": __version__,
        "graphs": {graph.name: {"file": files[graph.name], **graph.describe()} for graph in pair},
        "pixels": model.config.encoder.pixels,
        "styles": {style: vocabulary.start(style) for style in vocabulary.styles},
        "end": vocabulary.end,
        "forbidden": usual.forbidden,
        "not_last": usual.not_last,
        "no_repeat": usual.no_repeat,
        "configuration": model.config.model_dump(mode="json"),
        "words": vocabulary.words,
        "rarity": model.rarity.tolist(),
        "worn": model.worn,
    }


def export_file(
    file: Path | None, output: Path | None, format: Format, int8: bool, overwrite: bool
) -> Path:
    """Export the model in a checkpoint, by default the embedded one: into the folder `output`, or,
    without one, as graphs beside it. Returns what the captioner loads."""
    source = file or checkpoint.EMBEDDED
    if output is None:
        write_graphs(source)
        return source
    check_output(output, overwrite)
    sure = checkpoint.notes_beside(source)
    export(checkpoint.load(source), output, format, int8, overwrite, sure)
    return output
