"""The command `captioner evaluate`. Nothing heavy is imported before it runs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from captioner.cli import options as shared
from captioner.cli.outputs import check_outputs


@dataclass(frozen=True)
class Request:
    """Every option of the command, under its name."""

    annotations: Annotated[
        Path,
        typer.Option(
            help="Reference captions: COCO captions_*.json, Karpathy dataset_*.json, "
            "a Flickr token file, or JSON lines."
        ),
    ]
    images: Annotated[
        list[Path] | None,
        typer.Option(help="Folder, tar or ZIP of the photos; may be given several times."),
    ] = None
    results: Annotated[
        list[Path] | None,
        typer.Option(
            help="Score these captions (COCO results or any other shape), caption nothing. "
            "Several files are compared: --results a.json b.json c.json."
        ),
    ] = None
    further: Annotated[
        list[Path] | None, typer.Argument(metavar="[RESULTS]...", help="More of --results.")
    ] = None
    split: Annotated[
        str | None,
        typer.Option(help="Only this split, or the photos that a text file of names lists."),
    ] = None
    source: Annotated[
        str | None, typer.Option(help="Only photos of this source (coco, flickr8k, …).")
    ] = None
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the report here, as JSON.")
    ] = None
    summary: Annotated[
        bool, typer.Option("--summary", help="No single photos in --output: a tenth of its size.")
    ] = False
    html: Annotated[Path | None, typer.Option(help="Write the report here, as one HTML page.")] = (
        None
    )
    photos_in_page: Annotated[
        bool, typer.Option("--photos/--no-photos", help="Pictures in the HTML page.")
    ] = True
    write_results: Annotated[
        Path | None, typer.Option(help="Write the captions here, in COCO results format.")
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there already.")
    ] = False
    score: Annotated[
        bool, typer.Option("--score/--no-score", help="No score: only caption and write results.")
    ] = True
    model: shared.ModelOption = None
    beam: shared.BeamOption = None
    style: Annotated[
        str | None,
        typer.Option(
            help="The kind of sentence, one of the model's styles; auto: each photo's source."
        ),
    ] = None
    batch_size: shared.BatchSizeOption = 16
    device: shared.DeviceOption = None
    runtime: shared.RuntimeOption = None
    against: Annotated[
        Path | None,
        typer.Option(help="Compare with these results of another system, photo by photo."),
    ] = None
    df: Annotated[
        Path | None,
        typer.Option(help="References to take CIDEr's document frequencies from."),
    ] = None
    df_split: Annotated[str | None, typer.Option(help="Only this split of --df.")] = None
    instances: Annotated[
        Path | None,
        typer.Option(help="COCO instances file: where it looked, what it made up."),
    ] = None
    training: Annotated[
        Path | None,
        typer.Option(help="The captions it was trained on: how many of its own are novel."),
    ] = None
    training_split: Annotated[str | None, typer.Option(help="Only this split of --training.")] = (
        None
    )
    candidates: Annotated[
        bool,
        typer.Option("--candidates", help="Several captions of a photo: mean, best, diversity."),
    ] = False
    group: Annotated[
        list[str] | None,
        typer.Option(
            help="Also report by this field of the references; several times if you like."
        ),
    ] = None
    embeddings: Annotated[
        Path | None,
        typer.Option(help="CLIP's embeddings (.npz): CLIPScore and RefCLIPScore."),
    ] = None
    pac_embeddings: Annotated[
        Path | None, typer.Option(help="PAC-S's embeddings (.npz): PAC-S and RefPAC-S.")
    ] = None
    clip: Annotated[
        str | None,
        typer.Option(
            help="CLIPScore by this CLIP model on your disk, a folder of transformers or open_clip "
            "or a name in Hugging Face's cache; needs --images."
        ),
    ] = None
    bertscore: Annotated[
        bool, typer.Option("--bertscore", help="BERTScore, by the package bert-score.")
    ] = False
    spice: Annotated[
        Path | None,
        typer.Option(help="Stanford's archive of models, once: SPICE is unpacked into your cache."),
    ] = None
    human: Annotated[
        Path | None,
        typer.Option(help="Ratings (photo, caption, rating): each metric's correlation with them."),
    ] = None
    table: Annotated[
        Literal["latex", "markdown"] | None,
        typer.Option(
            metavar="KIND",
            help="Print the scores as a paper's table: latex or markdown.",
        ),
    ] = None
    plot: Annotated[
        Path | None,
        typer.Option(help="Write the critical-difference diagram of several systems here (.svg)."),
    ] = None
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing", help="Leave out photos without a picture or caption, and say so."
        ),
    ] = False
    samples: Annotated[int, typer.Option(min=1, help="Bootstrap samples.")] = 1000
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0

    @property
    def systems(self) -> list[Path]:
        """The files of results, wherever they were named."""
        return [*(self.results or ()), *(self.further or ())]

    @property
    def inputs(self) -> list[str]:
        """What is read; of a split, the list of photos that it may be."""
        single = (
            *(self.annotations, self.split, self.model, self.against, self.df, self.df_split),
            *(self.instances, self.training, self.training_split, self.embeddings),
            *(self.pac_embeddings, self.spice, self.human),
        )
        return [str(one) for one in (*single, *(self.images or ()), *self.systems) if one]

    @property
    def outputs(self) -> dict[str, Path]:
        """What is written, by its option."""
        paths = {
            "--output": self.output,
            "--html": self.html,
            "--write-results": self.write_results,
            "--plot": self.plot,
        }
        return {option: path for option, path in paths.items() if path is not None}


def evaluate(**options: Any) -> None:
    """Score captions against what people wrote: the official COCO figures, and more.

    Either captions the photos in --images with a model, or scores the captions in --results.
    """
    from captioner.evaluation.run import run

    request = Request(**options)
    _check(request)
    run(request)


# What typer reads the options from.
evaluate.__signature__ = inspect.signature(Request, eval_str=True)  # type: ignore[attr-defined]
evaluate.__annotations__ = Request.__annotations__


def _check(request: Request) -> None:
    """Raise typer.BadParameter for options that do not go together."""
    if not (request.images or request.systems or request.human):
        raise typer.BadParameter(
            "give --images, to caption photos, or --results, to score captions"
        )
    if not request.score and (request.systems or request.write_results is None):
        raise typer.BadParameter("--no-score captions --images into --write-results")
    if request.clip and not request.images:
        raise typer.BadParameter("--clip needs the photos: give --images")
    if len(request.systems) > 1:
        for name in (
            *("html", "write_results", "against", "human", "instances", "training"),
            *("embeddings", "pac_embeddings"),
        ):
            if getattr(request, name) is not None:
                option = name.replace("_", "-")
                raise typer.BadParameter(f"--{option} is for one system; give one --results")
    elif request.plot is not None:
        raise typer.BadParameter("--plot compares systems; give several --results")
    check_outputs(request.outputs, request.inputs, request.overwrite)
