"""What the command does: reads everything, captions, scores, and writes the reports last."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from captioner.datasets.captions import CaptionedPhoto, PhotoId, first_few, read_references
from captioner.datasets.photos.index import PhotoIndex
from captioner.errors import CaptionerError
from captioner.evaluation.bootstrap import caution
from captioner.evaluation.captioning import Found, caption_found, locate, opener
from captioner.evaluation.diagram import critical_difference
from captioner.evaluation.figures import Context, document_frequencies, evaluate
from captioner.evaluation.groups import group_field
from captioner.evaluation.human import human_figures, rated_metrics, read_ratings
from captioner.evaluation.instances import read_instances
from captioner.evaluation.java import Java
from captioner.evaluation.page_file import page
from captioner.evaluation.printing import (
    print_human,
    print_report,
    print_systems,
    write_page,
    write_results,
)
from captioner.evaluation.report import Report, write_json
from captioner.evaluation.request import Request
from captioner.evaluation.results import Candidate, match, read_results
from captioner.evaluation.scorers import Scorer
from captioner.evaluation.spice import unpack_spice
from captioner.evaluation.systems import compare_systems
from captioner.evaluation.tables import paper_table
from captioner.options import Options


@dataclass(frozen=True, eq=False)
class _Captions:
    """Captions by photo, where they are from, and what there is to say about them."""

    candidates: Mapping[PhotoId, Candidate]
    system: dict[str, Any]
    found: Found
    notes: list[str]


def run(request: Request) -> None:
    """Do what was asked. Raises CaptionerError; nothing is written until all is computed."""
    for path in (request.output, request.html, request.write_results, request.plot):
        if path is not None and not path.resolve().parent.is_dir():
            raise CaptionerError(f"{path}: the folder {path.parent} does not exist")
    notes: list[str] = []
    photos = read_references(
        request.annotations, request.split, request.source, request.score, tell=notes.append
    )
    context, told = _context(request, photos)
    notes += told
    if request.spice is not None:
        unpack_spice(request.spice)
    if not request.score:
        _write_results(request, _captions(request, photos))
    elif len(request.results) > 1:
        _run_systems(request, photos, context, notes)
    elif request.results or request.images:
        _run_one(request, photos, context, notes)
    else:
        _run_human(request, photos, context, notes)


def _run_one(
    request: Request, photos: list[CaptionedPhoto], context: Context, notes: list[str]
) -> None:
    with Java() as java:
        captions = _captions(request, photos)
        context = _with_clip(request, context, captions.found)
        common = set(captions.candidates) & set(context.against or captions.candidates)
        scored = [photo for photo in photos if photo.id in common]  # the rest is noted already
        found = {photo.id: captions.candidates[photo.id] for photo in scored}
        report = evaluate(scored, found, context, request.samples, request.seed, java)
        human = _human(request, photos, context, java, notes)
    report = _with_heading(request, report, captions, notes)
    report = replace(report, figures={**human, **report.figures})
    html = _page(request, report, captions) if request.html else None
    _write_results(request, captions)
    if request.output is not None:
        write_json(request.output, report.figures, not request.summary)
    if request.html is not None and html is not None:
        write_page(request.html, html)
    if request.table is None:
        print_report(report, _console())
    else:
        name = next(iter(captions.system.values()))
        _print_table([{"name": name, "metrics": report.metrics}], request.table, report.notes)


def _with_clip(request: Request, context: Context, found: Found) -> Context:
    if request.clip is None:
        return context
    from captioner.evaluation.clip import Clip  # torch is needed for nothing else here

    clip = Clip(request.clip, request.device)
    source = partial(clip.embeddings, picture=opener(found))
    return replace(context, embeddings={**context.embeddings, "CLIP": source})


def _run_systems(
    request: Request, photos: list[CaptionedPhoto], context: Context, notes: list[str]
) -> None:
    if request.images:
        located, _ = locate(photos, PhotoIndex(request.images), allow_missing=True)
        context = _with_clip(request, context, located)
    systems = {}
    for path, name in zip(request.results, distinct_names(request.results), strict=True):
        # What a system lacks is left out for all, which is said.
        found = read_results(path, request.candidates)
        systems[name], told = match(photos, found, name, allow_missing=True)
        notes += told
    with Scorer() as scorer:
        figures = compare_systems(photos, systems, context, request.samples, request.seed, scorer)
    figures = {"references": _references(request), **figures}
    figures["notes"] = [*notes, *figures["notes"]]
    if request.output is not None:
        write_json(request.output, figures)
    if request.plot is not None:
        write_page(request.plot, critical_difference(figures))
    if request.table is None:
        print_systems(figures, _console())
    else:
        _print_table(figures["systems"], request.table, figures["notes"])


def _print_table(systems: Sequence[Mapping[str, Any]], kind: str, notes: Sequence[str]) -> None:
    """The table alone to standard output, that it can go into a file; what is odd beside it."""
    print(paper_table(systems, kind), end="")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _run_human(
    request: Request, photos: list[CaptionedPhoto], context: Context, notes: list[str]
) -> None:
    with Java() as java:
        figures = _human(request, photos, context, java, notes)
    figures = {"references": _references(request), **figures, "notes": notes}
    if request.output is not None:
        write_json(request.output, figures)
    print_human(figures, _console())


def _human(
    request: Request, photos: list[CaptionedPhoto], context: Context, java: Java, notes: list[str]
) -> dict[str, Any]:
    """The part of the report on ratings; empty where none are given."""
    if request.human is None:
        return {}
    ratings, told = read_ratings(request.human, photos, request.allow_missing)
    notes += told
    metrics = rated_metrics(ratings, photos, java, document_frequencies(context, java))
    figures = human_figures(ratings, metrics, request.samples, request.seed)
    notes += [f"{request.human.name}: {note}" for note in caution(figures["photos"])]
    return {"human": figures}


def _context(request: Request, photos: list[CaptionedPhoto]) -> tuple[Context, list[str]]:
    context = Context()
    notes: list[str] = []
    if request.against is not None:
        name = request.against.name
        others, notes = match(photos, read_results(request.against), name, request.allow_missing)
        context = replace(context, against=others, against_name=name)
    if request.df is not None:
        frequencies = read_references(request.df, request.df_split, tell=notes.append)
        name = " ".join([request.df.name, *_names(request.df_split)])
        context = replace(context, frequencies=frequencies, frequencies_name=name)
    if request.instances is not None:
        context = replace(context, instances=read_instances(request.instances))
    if request.training is not None:
        training = read_references(request.training, request.training_split, tell=notes.append)
        context = replace(context, training=training)
    for name in request.group:
        group_field(photos, name)  # that there is such a field
    given = {"CLIP": request.embeddings, "PAC": request.pac_embeddings}
    embeddings = {kind: path for kind, path in given.items() if path is not None}
    context = replace(
        context, groups=request.group, embeddings=embeddings, bertscore=request.bertscore
    )
    return context, notes


def _captions(request: Request, photos: list[CaptionedPhoto]) -> _Captions:
    if not request.results:
        return _model_captions(request, photos)
    found: Found = []
    if request.images:
        found, _ = locate(photos, PhotoIndex(request.images), allow_missing=True)
    (path,) = request.results
    name, results = path.name, read_results(path, request.candidates)
    candidates, notes = match(photos, results, name, request.allow_missing)
    return _Captions(candidates, {"results": name}, found, notes)


def _model_captions(request: Request, photos: list[CaptionedPhoto]) -> _Captions:
    found, notes = locate(photos, PhotoIndex(request.images), request.allow_missing)
    from captioner.captioner import load  # torch is not needed to say that photos are missing

    captioner = load(request.model, engine=request.runtime, device=request.device)
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
    if request.candidates:
        candidates = {key: replace(one, others=one.alternatives) for key, one in candidates.items()}
    style = request.style or captioner.styles[0]
    system = {"model": captioner.name, "beam": options.beam, "style": style}
    return _Captions(candidates, system, found, [*notes, *broken])


def _with_heading(
    request: Request, report: Report, captions: _Captions, notes: list[str]
) -> Report:
    figures = report.figures
    return replace(
        report,
        figures={
            "system": captions.system,
            "references": _references(request),
            **figures,
            "notes": [*captions.notes, *notes, *figures["notes"]],
        },
    )


def _references(request: Request) -> dict[str, str]:
    """Which references they were, for a report's heading."""
    references = {
        "file": request.annotations.name,
        "split": " ".join(_names(request.split)),
        "source": request.source,
    }
    return {name: value for name, value in references.items() if value}


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Names of systems, from their files': with so many folders as tell apart those that are alike.

    Raises CaptionerError where a file is given twice.
    """
    whole = [path.resolve() for path in paths]
    if twice := [str(p) for p, place in zip(paths, whole, strict=True) if whole.count(place) > 1]:
        raise CaptionerError(f"the same results are given twice: {first_few(twice)}")
    names, parts = [path.stem for path in paths], 0
    while len(set(names)) < len(names):
        parts += 1
        longer = ["/".join(path.parts[-parts:]) for path in whole]
        names = [
            more if names.count(name) > 1 else name
            for name, more in zip(names, longer, strict=True)
        ]
    return names


def _page(request: Request, report: Report, captions: _Captions) -> str:
    figures = report.figures
    system = ", ".join(f"{name} {value}" for name, value in figures["system"].items())
    told = ", ".join(figures["references"].values())
    about = (
        f"{system} on {told}: {figures['photos_scored']} photos, "
        f"{figures['references_scored']} references"
    )
    shown = captions.found if request.photos_in_page else []
    return page(report, about, opener(shown) if shown else None)


def _write_results(request: Request, captions: _Captions) -> None:
    if request.write_results is not None:
        write_results(request.write_results, captions.candidates)


def _names(split: str | None) -> list[str]:
    """A split as a report names it: it may have been the path of a list of photos."""
    return [Path(split).name] if split else []


def _console() -> Console:
    """One that never cuts a table's numbers: a terminal that is too narrow folds the lines."""
    return Console(width=500)
