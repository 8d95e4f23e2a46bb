"""The command `captioner export`: a model as graphs for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def export(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder to make: two graphs and their json.")
    ],
    format: Annotated[
        Literal["onnx", "torch"],
        typer.Option(help="onnx: for ONNX Runtime; torch: torch.export programs (.pt2)."),
    ] = "onnx",
    model: Annotated[
        Path | None, typer.Option(help="A model's .safetensors file, not the built-in one.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights as int8: a quarter of the size. For onnx.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an export that is there.")
    ] = False,
) -> None:
    """Write a model as graphs for other programs, or to run without PyTorch (docs/export.md)."""
    from captioner.export.run import export_file

    if int8 and format != "onnx":
        raise typer.BadParameter("--int8 is for --format onnx.")
    export_file(model, output, format, int8, overwrite)
    typer.echo(f"{output}: the exported captioner; try it with")
    typer.echo(f"  python -m captioner.export.runtime {output} PHOTO")
