"""The report at the terminal, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from captioner.datasets.captions import brief
from captioner.evaluation.bootstrap import least_p, p_text
from captioner.evaluation.report import plain
from captioner.evaluation.systems import RANKED


def print_report(figures: Mapping[str, Any], console: Console) -> None:
    """The headline figures and one line on each further subject."""
    figures = plain(figures)
    tables = [_scores(figures)]
    for name, groups in _grouped(figures).items():
        tables.append(_groups(name, groups, list(figures["metrics"])))
    if several := figures.get("several"):
        tables.append(_several(several))
    if human := figures.get("human"):
        tables.append(_human(human))
    _print(console, tables, _lines(figures), figures["notes"])


def _print(
    console: Console, tables: Iterable[Table], lines: Iterable[str], notes: Iterable[str]
) -> None:
    for table in tables:
        console.print(table)
        console.print()
    for line in (*lines, *(f"note: {note}" for note in notes)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
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
    for name, one in figures["further_metrics"].items():
        rows.append([name, _number(one["score"]), _range(one["interval"])])
    return _table(heads, rows)


def _grouped(figures: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    sources = {"source": figures["by_source"]} if "by_source" in figures else {}
    return {**sources, **figures.get("by_group", {})}


def _groups(name: str, groups: Mapping[str, Any], metrics: Sequence[str]) -> Table:
    rows = [
        [value, str(part["photos"]), *(_number(part["metrics"].get(name)) for name in metrics)]
        for value, part in groups.items()
    ]
    return _table([name, "photos", *metrics], rows)


def _several(several: Mapping[str, Any]) -> Table:
    rows = [
        [name, _number(one["mean"]), _number(one["oracle"]), _range(one["oracle_interval"])]
        for name, one in several["metrics"].items()
    ]
    rows += [[name, _number(value), "", ""] for name, value in several["diversity"].items()]
    return _table(["of several captions", "mean", "best", "95 % interval"], rows)


def print_human(figures: Mapping[str, Any], console: Console) -> None:
    """The correlations of every metric with people's ratings."""
    figures = plain(figures)
    human = figures["human"]
    line = (
        f"{human['ratings']} ratings of {human['photos']} photos; the intervals are of "
        f"{human['samples']} bootstrap samples of the photos"
    )
    _print(console, [_human(human)], [line], figures["notes"])


def _human(human: Mapping[str, Any]) -> Table:
    heads = ["against people", "τ-b", "95 %", "τ-c", "95 %", "Pearson", "95 %"]
    rows = []
    for name, one in human["metrics"].items():
        parts = (one["tau_b"], one["tau_c"], one["pearson"])
        cells = [
            text for part in parts for text in (_number(part["value"]), _range(part["interval"]))
        ]
        rows.append([name, *cells])
    return _table(heads, rows)


def print_systems(figures: Mapping[str, Any], console: Console) -> None:
    """Systems with their ranks, by group, the paired tests by CIDEr, and the notes."""
    figures = plain(figures)
    systems = sorted(figures["systems"], key=lambda system: system["rank"])
    metrics = list(systems[0]["metrics"])
    heads = ["system", *metrics, f"rank by {RANKED}", "95 %"]
    rows = [
        [
            brief(system["name"]),
            *(_number(system["metrics"].get(name)) for name in metrics),
            f"{system['rank']:.2f}",
            f"{system['rank_interval'][0]:.2f} – {system['rank_interval'][1]:.2f}",
        ]
        for system in systems
    ]
    by_group = [_systems_by_group(systems, name) for name in _grouped(systems[0])]
    tables = [_table(heads, rows), *by_group, _pairs(figures)]
    _print(console, tables, [f"{figures['photos_scored']} photos"], figures["notes"])


def _systems_by_group(systems: Sequence[Mapping[str, Any]], name: str) -> Table:
    grouped = [_grouped(system)[name] for system in systems]
    rows = [
        [group, str(part["photos"]), *(_number(one[group]["metrics"][RANKED]) for one in grouped)]
        for group, part in grouped[0].items()
    ]
    heads = [f"{RANKED} by {name}", "photos", *(brief(system["name"]) for system in systems)]
    return _table(heads, rows)


def _pairs(figures: Mapping[str, Any]) -> Table:
    samples = figures["bootstrap"]["samples"]
    rows = [
        [
            f"{brief(pair['one'])} – {brief(pair['other'])}",
            f"{pair['difference']:+.4f}",
            _range(pair["interval"]),
            p_text(pair["p"], samples),
            p_text(pair["p_holm"], samples, below=pair["p"] <= least_p(samples)),
        ]
        for pair in figures["pairs"][RANKED]
    ]
    return _table([RANKED, "difference", "95 % interval", "p", "p (Holm)"], rows)


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
    known = figures.get("calibration", {})
    if "pearson" in known:
        yield (
            f"whether it knows: score and CIDEr correlate {_number(known['pearson'])} (Pearson), "
            f"{_number(known['spearman'])} (Spearman)"
        )
    if sure := known.get("confidence"):
        yield (
            f"confidence: area under the curve {_number(sure['area_under_curve'])} "
            f"({_range(sure['interval'])}) for a CIDEr above the median, calibration error "
            f"{_number(sure['reliability']['error'])}"
        )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _range(bounds: Sequence[float] | None) -> str:
    return "–" if bounds is None else f"{bounds[0]:.4f} – {bounds[1]:.4f}"
