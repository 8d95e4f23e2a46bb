"""What the command does: reads everything, captions, scores, and writes the reports last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from captioner.datasets.captions import CaptionedPhoto, PhotoId, read_references
from captioner.errors import CaptionerError
from captioner.evaluation.captioning import Found, caption_found, locate, opener
from captioner.evaluation.figures import Beside, Evaluation, evaluate
from captioner.evaluation.instances import read_instances
from captioner.evaluation.java import Java
from captioner.evaluation.page_file import page
from captioner.evaluation.photos import PhotoIndex
from captioner.evaluation.report import print_report, write_json, write_page, write_results
from captioner.evaluation.results import Candidate, match, read_results
from captioner.options import Options

if TYPE_CHECKING:
    from captioner.evaluation.command import Request


@dataclass(frozen=True, eq=False)
class _Captions:
    """Captions by photo, where they are from, and what there is to say about them."""

    candidates: Mapping[PhotoId, Candidate]
    system: dict[str, Any]
    found: Found
    notes: list[str]


def run(request: Request) -> None:
    """Do what was asked. Raises CaptionerError; nothing is written until all is computed."""
    for path in (request.output, request.html, request.write_results):
        if path is not None and not path.resolve().parent.is_dir():
            raise CaptionerError(f"{path}: the folder {path.parent} does not exist")
    notes: list[str] = []
    photos = read_references(
        request.annotations, request.split, request.source, request.score, tell=notes.append
    )
    beside, told = _beside(request, photos)
    notes += told
    if not request.score:
        captions = _captions(request, photos)
        _write_results(request, captions)
        return
    with Java() as java:
        captions = _captions(request, photos)
        evaluation = evaluate(
            photos, captions.candidates, beside, request.samples, request.seed, java
        )
    evaluation = _with_heading(request, evaluation, captions, notes)
    html = _page(request, evaluation, captions) if request.html else None
    _write_results(request, captions)
    if request.output is not None:
        write_json(request.output, evaluation.figures)
    if request.html is not None and html is not None:
        write_page(request.html, html)
    print_report(evaluation, _console())


def _beside(request: Request, photos: list[CaptionedPhoto]) -> tuple[Beside, list[str]]:
    beside = Beside()
    notes: list[str] = []
    if request.against is not None:
        name = request.against.name
        others, notes = match(photos, read_results(request.against), name, request.allow_missing)
        beside = replace(beside, against=others, against_name=name)
    if request.df is not None:
        frequencies = read_references(request.df, request.df_split)
        name = " ".join([request.df.name, *_names(request.df_split)])
        beside = replace(beside, frequencies=frequencies, frequencies_name=name)
    if request.instances is not None:
        beside = replace(beside, instances=read_instances(request.instances))
    if request.training is not None:
        training = read_references(request.training, request.training_split)
        beside = replace(beside, training=training)
    return beside, notes


def _captions(request: Request, photos: list[CaptionedPhoto]) -> _Captions:
    if request.results is None:
        return _model_captions(request, photos)
    found: Found = []
    if request.images:
        found, _ = locate(photos, PhotoIndex(request.images), allow_missing=True)
    name = request.results.name
    candidates, notes = match(photos, read_results(request.results), name, request.allow_missing)
    return _Captions(candidates, {"results": name}, found, notes)


def _model_captions(request: Request, photos: list[CaptionedPhoto]) -> _Captions:
    found, notes = locate(photos, PhotoIndex(request.images), request.allow_missing)
    from captioner.captioner import load  # torch is not needed to say that photos are missing

    captioner = load(request.model, device=request.device)
    options = Options()
    options = replace(options, beam=request.beam or options.beam)
    options = replace(options, alternatives=options.beam - 1)
    if request.style not in (None, "auto"):
        options = replace(options, style=str(request.style))
    candidates, broken = caption_found(
        captioner,
        found,
        options,
        request.style == "auto",
        request.batch_size,
        request.allow_missing,
    )
    style = request.style or captioner.styles[0]
    system = {"model": captioner.name, "beam": options.beam, "style": style}
    return _Captions(candidates, system, found, [*notes, *broken])


def _with_heading(
    request: Request, evaluation: Evaluation, captions: _Captions, notes: list[str]
) -> Evaluation:
    references = {
        "file": request.annotations.name,
        "split": " ".join(_names(request.split)),
        "source": request.source,
    }
    figures = evaluation.figures
    return replace(
        evaluation,
        figures={
            "system": captions.system,
            "references": {name: value for name, value in references.items() if value},
            **figures,
            "notes": [*captions.notes, *notes, *figures["notes"]],
        },
    )


def _page(request: Request, evaluation: Evaluation, captions: _Captions) -> str:
    figures = evaluation.figures
    system = ", ".join(f"{name} {value}" for name, value in figures["system"].items())
    told = ", ".join(figures["references"].values())
    about = (
        f"{system} on {told}: {figures['photos_scored']} photos, "
        f"{figures['references_scored']} references"
    )
    shown = captions.found if request.photos_in_page else []
    return page(evaluation, about, opener(shown) if shown else None)


def _write_results(request: Request, captions: _Captions) -> None:
    if request.write_results is not None:
        write_results(request.write_results, captions.candidates)


def _names(split: str | None) -> list[str]:
    """A split as a report names it: it may have been the path of a list of photos."""
    return [Path(split).name] if split else []


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=140)
