"""The report for programs, as JSON, and for a person at the terminal, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from captioner.datasets.captions import PhotoId
from captioner.evaluation.bootstrap import p_text
from captioner.evaluation.figures import Evaluation, plain
from captioner.evaluation.results import Candidate
from captioner.files import whole_file


def write_json(path: Path, figures: Mapping[str, Any]) -> None:
    """All figures, those of single photos too; the file is there whole or not at all."""
    _write(path, json.dumps(plain(dict(figures)), ensure_ascii=False, indent=1, allow_nan=False))


def write_results(path: Path, candidates: Mapping[PhotoId, Candidate]) -> None:
    """The captions in COCO results format, which the COCO server takes."""
    entries = [
        {"image_id": key, "caption": candidate.caption} for key, candidate in candidates.items()
    ]
    _write(path, json.dumps(entries, ensure_ascii=False))


def write_page(path: Path, html: str) -> None:
    """The HTML page; whole or not at all."""
    _write(path, html)


def _write(path: Path, text: str) -> None:
    with whole_file(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def print_report(evaluation: Evaluation, console: Console) -> None:
    """The headline figures and one line on each further subject."""
    figures = plain(evaluation.figures)
    console.print(_scores(figures))
    if "by_source" in figures:
        console.print()
        console.print(_sources(figures))
    console.print()
    for line in _lines(figures):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _scores(figures: Mapping[str, Any]) -> Table:
    against = figures.get("against", {})
    samples = figures["bootstrap"]["samples"]
    heads = ["metric", "score", "95 % interval"]
    if against:
        heads += ["other", "difference", "95 % interval", "p"]
    rows = []
    for name, value in figures["metrics"].items():
        row = [name, _number(value), _range(figures["intervals"][name])]
        if one := against.get("differences", {}).get(name):
            change = f"{one['difference']:+.4f}"
            bounds = _range([one["low"], one["high"]])
            row += [_number(against["metrics"][name]), change, bounds, p_text(one["p"], samples)]
        rows.append(row)
    return _table(heads, rows)


def _sources(figures: Mapping[str, Any]) -> Table:
    names = list(figures["metrics"])
    rows = [
        [source, str(part["photos"]), *(_number(part["metrics"].get(name)) for name in names)]
        for source, part in figures["by_source"].items()
    ]
    return _table(["source", "photos", *names], rows)


def _lines(figures: Mapping[str, Any]) -> Iterable[str]:
    frequencies = figures["cider_document_frequencies"]
    yield (
        f"{figures['photos_scored']} photos, {figures['references_scored']} references; CIDEr's "
        f"document frequencies are from {frequencies['from']} ({frequencies['photos']} photos)"
    )
    looked = figures.get("where_it_looked")
    if looked and looked["words"]:
        yield (
            f"where it looked: {looked['words']} words for boxed things; attention maximum inside "
            f"{_percent(looked['accuracy'])} (centre {_percent(looked['accuracy_of_centre'])}, "
            f"chance {_percent(looked['accuracy_of_chance'])}), attention mass inside "
            f"{_percent(looked['attention_mass'])}"
        )
    if made := figures.get("what_it_made_up"):
        yield (
            f"what it made up: CHAIRs {_percent(made['CHAIRs'])}, "
            f"CHAIRi {_percent(made['CHAIRi'])} of {made['words']} words on {made['photos']} photos"
        )
    style = figures["how_it_says_it"]
    yield (
        f"how it says it: {_percent(style['distinct'])} distinct, "
        + (f"{_percent(style['novel'])} novel, " if style["novel"] is not None else "")
        + f"{style['vocabulary']} words known, {style['mean_length']:.1f} a caption, "
        f"{_percent(style['bad_endings'])} bad endings"
        + (f", self-BLEU {_number(style['self_bleu'])}" if "self_bleu" in style else "")
    )
    if known := figures.get("calibration"):
        yield (
            f"whether it knows: score and CIDEr correlate {_number(known['pearson'])} (Pearson), "
            f"{_number(known['spearman'])} (Spearman)"
        )
    yield from (f"note: {note}" for note in figures["notes"])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _range(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.4f} – {bounds[1]:.4f}"
