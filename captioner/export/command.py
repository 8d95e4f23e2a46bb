"""The command `captioner export`: a model as graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from captioner.cli.options import ModelOption


def export(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder to make; left out: beside the model."),
    ] = None,
    format: Annotated[
        Literal["onnx", "torch"],
        typer.Option(help="onnx: for OpenVINO and ONNX Runtime; torch: torch.export programs."),
    ] = "onnx",
    model: ModelOption = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights as int8: a quarter of the size. For onnx.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an export that is there.")
    ] = False,
) -> None:
    """Write a model as graphs, which run without PyTorch (docs/export.md).

    Beside a model of your own, for the captioner itself; or, with --output, into a folder that
    holds all that another program needs.
    """
    from captioner.export.run import export_file

    if int8 and format != "onnx":
        raise typer.BadParameter("--int8 is for --format onnx.")
    if output is None and (int8 or format != "onnx"):
        raise typer.BadParameter("--int8 and --format torch need a folder: add --output.")
    written = export_file(model, output, format, int8, overwrite)
    if format == "torch":
        typer.echo(f"{written}: the model as torch.export programs")
    else:
        typer.echo(f"{written}: has graphs; caption with --model {written}")
