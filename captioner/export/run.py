"""A model written as a folder of graphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from captioner import __version__, checkpoint
from captioner.captioner import rules
from captioner.errors import CaptionerError
from captioner.export.folder import FORMAT, NOTES, check_output
from captioner.export.graphs import Graph, graphs
from captioner.extras import how_to_install
from captioner.files import whole_folder
from captioner.model.model import Model

Format = Literal["onnx", "torch"]


def export(
    model: Model, output: Path, format: Format = "onnx", int8: bool = False, overwrite: bool = False
) -> None:
    """Write `start`, `step` and captioner.json into the folder `output`, all of them or nothing.

    Raises CaptionerError for a folder that holds something else, and where a package is missing.
    """
    check_output(output, overwrite)
    if format == "torch" and int8:
        raise CaptionerError("int8 weights are for --format onnx")
    pair = graphs(model)
    with whole_folder(output) as folder:
        files = {graph.name: _write(graph, folder, format, int8) for graph in pair}
        notes = describe(model, pair, files)
        text = json.dumps(notes, ensure_ascii=False, indent=1)
        (folder / NOTES).write_text(text + "\n", encoding="utf-8")


def _write(graph: Graph, folder: Path, format: Format, int8: bool) -> str:
    """Write the graph; the file's name."""
    if format == "torch":
        from captioner.export import programs

        programs.write(graph, folder / (graph.name + programs.SUFFIX))
        return graph.name + programs.SUFFIX
    try:
        from captioner.export import onnx_files

        onnx_files.write(graph, folder / (graph.name + onnx_files.SUFFIX), int8)
    except ImportError as error:
        raise CaptionerError(
            f"--format onnx needs more packages ({error}): {how_to_install('export')}"
        ) from None
    return graph.name + onnx_files.SUFFIX


def describe(model: Model, pair: tuple[Graph, Graph], files: dict[str, str]) -> dict[str, Any]:
    """What captioner.json says."""
    vocabulary = model.vocabulary
    usual = rules(vocabulary)
    return {
        "format": "captioner export",
        "version": FORMAT,
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
    }


def export_file(
    file: Path | None, output: Path, format: Format, int8: bool, overwrite: bool
) -> None:
    """`export` of the model in a checkpoint, by default the embedded one."""
    check_output(output, overwrite)
    export(checkpoint.load(file or checkpoint.EMBEDDED), output, format, int8, overwrite)
