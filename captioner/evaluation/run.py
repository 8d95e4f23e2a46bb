"""What the command does: reads everything, captions, scores, and writes the reports last."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
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
from captioner.evaluation.command import Request
from captioner.evaluation.diagram import critical_difference
from captioner.evaluation.figures import Context, document_frequencies, evaluate
from captioner.evaluation.groups import group_field
from captioner.evaluation.human import human_figures, rated_metrics, read_ratings
from captioner.evaluation.instances import read_instances
from captioner.evaluation.java import Java
from captioner.evaluation.page_file import page
from captioner.evaluation.printing import print_human, print_report, print_systems
from captioner.evaluation.report import Report, write_json
from captioner.evaluation.results import Candidate, match, read_results
from captioner.evaluation.scorers import Scorer
from captioner.evaluation.spice import unpack_spice
from captioner.evaluation.systems import compare_systems
from captioner.evaluation.tables import paper_table
from captioner.files import whole_file
from captioner.options import Options

Figures = dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Captions:
    """Captions by photo, where they are from, and where the photos lie."""

    candidates: Mapping[PhotoId, Candidate]
    system: dict[str, Any]
    found: Found


def run(request: Request) -> None:
    """Do what was asked. Raises CaptionerError; nothing is written until all is computed."""
    for path in request.outputs.values():
        if not path.resolve().parent.is_dir():
            raise CaptionerError(f"{path}: the folder {path.parent} does not exist")
    notes: list[str] = []
    photos = read_references(
        request.annotations, request.split, request.source, request.score, tell=notes.append
    )
    context = _context(request, photos, notes)
    if request.spice is not None:
        unpack_spice(request.spice)
    if not request.score:
        _write_results(request.write_results, _captions(request, photos, notes))
    elif len(request.systems) > 1:
        _run_systems(request, photos, context, notes)
    elif request.systems or request.images:
        _run_one(request, photos, context, notes)
    else:
        with Java() as java:
            figures = _human(request, photos, context, java, notes)
        _finish(request, _headed(request, figures, notes), print_human)


def _run_one(
    request: Request, photos: list[CaptionedPhoto], context: Context, notes: list[str]
) -> None:
    with Java() as java:
        captions = _captions(request, photos, notes)
        context = _with_clip(request, context, captions.found)
        common = set(captions.candidates) & set(context.against or captions.candidates)
        scored = [photo for photo in photos if photo.id in common]  # the rest is noted already
        found = {photo.id: captions.candidates[photo.id] for photo in scored}
        report = evaluate(scored, found, context, request.samples, request.seed, java)
        human = _human(request, photos, context, java, notes)
    figures = {"system": captions.system, **human, **report.figures}
    report = replace(report, figures=_headed(request, figures, notes))
    html = _page(request, report, captions) if request.html else ""
    _write_results(request.write_results, captions)
    if request.html is not None:
        _write(request.html, html)
    name = next(iter(captions.system.values()))
    systems = [{"name": name, "metrics": report.metrics}]
    _finish(request, report.figures, print_report, systems)


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
    context = _with_clip(request, context, _there(request, photos))
    systems = {}
    for path, name in zip(request.systems, distinct_names(request.systems), strict=True):
        # What a system lacks is left out for all, which is said.
        found = read_results(path, request.candidates)
        systems[name], told = match(photos, found, name, allow_missing=True)
        notes += told
    with Scorer() as scorer:
        figures = compare_systems(photos, systems, context, request.samples, request.seed, scorer)
    figures = _headed(request, figures, notes)
    if request.plot is not None:
        _write(request.plot, critical_difference(figures))
    _finish(request, figures, print_systems, figures["systems"])


def _headed(request: Request, figures: Figures, notes: Sequence[str]) -> Figures:
    """The figures, with the references that they are of, and all notes."""
    names = {
        "file": request.annotations.name,
        "split": " ".join(_names(request.split)),
        "source": request.source,
    }
    references = {name: value for name, value in names.items() if value}
    told = [*notes, *figures.get("notes", ())]
    return {"references": references, **figures, "notes": told}


def _finish(
    request: Request,
    figures: Figures,
    show: Callable[[Figures, Console], None],
    systems: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the report, and print it, or the table of the systems, which can go into a file; what
    is odd is then said beside it."""
    if request.output is not None:
        write_json(request.output, figures, not request.summary)
    if request.table is None or not systems:
        # Numbers are never cut: a terminal that is too narrow folds the lines.
        show(figures, Console(width=500))
        return
    print(paper_table(systems, request.table), end="")
    for note in figures["notes"]:
        print(f"note: {note}", file=sys.stderr)


def _human(
    request: Request, photos: list[CaptionedPhoto], context: Context, java: Java, notes: list[str]
) -> Figures:
    """The part of the report on ratings; empty where none are given."""
    if request.human is None:
        return {}
    ratings, told = read_ratings(request.human, photos, request.allow_missing)
    metrics = rated_metrics(ratings, photos, java, document_frequencies(context, java))
    figures = human_figures(ratings, metrics, request.samples, request.seed)
    notes += told
    notes += [f"{request.human.name}: {note}" for note in caution(figures["photos"])]
    return {"human": figures}


def _context(request: Request, photos: list[CaptionedPhoto], notes: list[str]) -> Context:
    context = Context()
    if request.against is not None:
        name = request.against.name
        others, told = match(photos, read_results(request.against), name, request.allow_missing)
        notes += told
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
    groups = request.group or ()
    for name in groups:
        group_field(photos, name)  # that there is such a field
    given = {"CLIP": request.embeddings, "PAC": request.pac_embeddings}
    embeddings = {kind: path for kind, path in given.items() if path is not None}
    return replace(context, groups=groups, embeddings=embeddings, bertscore=request.bertscore)


def _there(request: Request, photos: list[CaptionedPhoto]) -> Found:
    """The photos that are in --images, where captions are from elsewhere."""
    if not request.images:
        return []
    return locate(photos, PhotoIndex(request.images), allow_missing=True)[0]


def _captions(request: Request, photos: list[CaptionedPhoto], notes: list[str]) -> _Captions:
    if not request.systems:
        return _model_captions(request, photos, notes)
    (path,) = request.systems
    name, results = path.name, read_results(path, request.candidates)
    candidates, told = match(photos, results, name, request.allow_missing)
    notes += told
    return _Captions(candidates, {"results": name}, _there(request, photos))


def _model_captions(request: Request, photos: list[CaptionedPhoto], notes: list[str]) -> _Captions:
    found, lost = locate(photos, PhotoIndex(request.images or ()), request.allow_missing)
    from captioner.captioner import load  # torch is not needed to say that photos are missing

    captioner = load(request.model, engine=request.runtime, device=request.device)
    options = Options(beam=request.beam or Options.beam)
    options = replace(options, alternatives=options.beam - 1)
    by_source = request.style == "auto"
    if request.style is not None and not by_source:
        options = replace(options, style=request.style)
    candidates, broken = caption_found(
        captioner, found, options, by_source, request.batch_size, request.allow_missing
    )
    notes += [*lost, *broken]
    if request.candidates:
        candidates = {key: replace(one, others=one.alternatives) for key, one in candidates.items()}
    style = request.style or captioner.styles[0]
    system = {"model": captioner.name, "beam": options.beam, "style": style}
    return _Captions(candidates, system, found)


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


def _write_results(path: Path | None, captions: _Captions) -> None:
    """The captions in COCO results format, which the COCO server takes."""
    if path is not None:
        entries = [
            {"image_id": key, "caption": candidate.caption}
            for key, candidate in captions.candidates.items()
        ]
        _write(path, json.dumps(entries, ensure_ascii=False))


def _write(path: Path, text: str) -> None:
    with whole_file(path, "w") as file:
        file.write(text + "\n")


def _names(split: str | None) -> list[str]:
    """A split as a report names it: it may have been the path of a list of photos."""
    return [Path(split).name] if split else []
