"""The command `captioner alt`: alternative texts for the pictures of a site."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from captioner.cli import options as shared
from captioner.cli.streams import tell

if TYPE_CHECKING:
    from captioner.alt.findings import Finding
    from captioner.batch.result import PhotoResult

_DECORATIVE = 'decorative: alt="" is enough'
_UNPLACED = "cannot be put in here; do it by hand"
MIN_CONFIDENCE = 0.3  # below it a sentence is probably wrong, as captioner.confidence.STEPS says


def alt(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="SITE_OR_FILE", hidden=True)],
    check: Annotated[
        bool, typer.Option("--check", help="Propose nothing; exit with 1 if any is missing.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Put the texts into the files, and change nothing else.")
    ] = False,
    root: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Where addresses such as /a.jpg start, as in --root static. Found by itself for "
            "Hugo, Jekyll, Docusaurus, Astro and Eleventy.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Pages and folders to pass over, as in '*.vue'."),
    ] = None,
    min_confidence: Annotated[
        float,
        typer.Option(
            metavar="P",
            min=0.0,
            max=1.0,
            help="A text less likely than this to be accepted by a person is not written.",
        ),
    ] = MIN_CONFIDENCE,
    format: Annotated[
        Literal["table", "jsonl", "csv"],
        typer.Option(
            metavar="FORMAT",
            help="How the list is printed: table, jsonl or csv.",
        ),
    ] = "table",
    before: shared.BeforeOption = "",
    after: shared.AfterOption = "",
    min_words: shared.MinWordsOption = None,
    max_words: shared.MaxWordsOption = None,
    beam: shared.BeamOption = None,
    length_penalty: shared.LengthPenaltyOption = None,
    consensus: shared.ConsensusOption = None,
    prefix: shared.PrefixOption = None,
    avoid: shared.AvoidOption = None,
    style: shared.StyleOption = None,
    model: shared.ModelOption = None,
    batch_size: shared.BatchSizeOption = 16,
    device: shared.DeviceOption = None,
    runtime: shared.RuntimeOption = None,
    suffix: shared.OldSuffixOption = None,
) -> None:
    """Find pictures without alt text in HTML and Markdown, and propose one for each.

    SITE_OR_FILE is a folder, searched for such pages, or one page.

    <img> without alt and ![](...) are listed, with Hugo's figures and ![[a.jpg]]; what has a name
    by ARIA, a title, its link or figure, or says by alt="" that it is decorative, is left alone.
    Dots and rules get alt="". Pictures that are missing or lie on another server are listed too,
    and pages of other kinds are named. The exit code is 1 where a page or a picture of the site
    cannot be read, a page changed while it was at work, or --check finds anything.
    """
    from captioner.alt.documents import Document, NotLookedInto, documents
    from captioner.alt.findings import findings
    from captioner.errors import CaptionerError

    if check and write:
        raise typer.BadParameter("--check changes nothing: leave out --write.")
    search = shared.options(context.params)
    pages = list(documents(inputs, root, exclude or ()))
    found = list(findings(page for page in pages if isinstance(page, Document)))
    errors = [page for page in pages if isinstance(page, CaptionerError)]
    unread = [error for error in errors if not isinstance(error, NotLookedInto)]
    for error in errors:
        tell(str(error))
    if not found and not errors:
        tell("no picture there lacks a text")
    if check:
        _show([replace(each, problem=_DECORATIVE if each.blank else "") for each in found], format)
        raise typer.Exit(1 if found or errors else 0)
    from captioner.batch.run import Wording, caption_photos, worded
    from captioner.datasets.photos.photo import Photo

    wanted = dict.fromkeys(str(each.picture) for each in found if each.picture and not each.blank)
    photos = [Photo(path, path) for path in wanted]
    results = caption_photos(
        lambda: shared.load_model(model, device, runtime), photos, search, batch_size
    )
    texts = {result.path: worded(result, Wording(before, after)) for result in results}
    rows = [_described(each, texts, min_confidence) for each in found]
    _show(rows, format)
    written = _write(rows) if write else True
    raise typer.Exit(1 if unread or not written or any(map(_is_failure, rows)) else 0)


def _described(finding: Finding, texts: dict[str, PhotoResult], min_confidence: float) -> Finding:
    from captioner.confidence import why_withheld

    if finding.blank:
        return replace(finding, problem=_DECORATIVE)
    if finding.picture is None:
        return finding
    result = texts[str(finding.picture)]
    if result.caption is None:
        return replace(finding, problem=result.error)
    problem = finding.gap.problem
    if finding.gap.place is None:
        problem = problem or _UNPLACED
    elif (sure := result.caption.confidence) is not None and round(sure, 2) < min_confidence:
        why = f"{why_withheld(sure)} ({sure:.2f})"
        problem = f"{why}; look at it, and write it by hand or lower --min-confidence"
    return replace(finding, text=result.caption.text, problem=problem)


def _is_failure(row: Finding) -> bool:
    return not row.text and not row.blank and row.picture is not None


def _write(rows: list[Finding]) -> bool:
    """Put the texts into their pages. Whether each page could be written."""
    from captioner.batch.summary import counted
    from captioner.errors import CaptionerError

    pages: dict[Path, list[Finding]] = {}
    for row in rows:
        if row.filling is not None:
            pages.setdefault(row.document.path, []).append(row)
    written = []
    for found in pages.values():
        try:
            found[0].document.write({row.gap: row.filling or "" for row in found})
            written.append(len(found))
        except CaptionerError as error:
            tell(str(error))
    count = sum(written)
    left = f", {len(rows) - count} left to you" if len(rows) > count else ""
    tell(f"{counted(count, 'text')} written into {counted(len(written), 'file')}{left}")
    return len(written) == len(pages)


def _show(rows: list[Finding], format: str) -> None:
    if hasattr(sys.stdout, "reconfigure"):  # an address comes out with the bytes it has in its page
        errors = "backslashreplace" if format == "jsonl" else "surrogateescape"
        sys.stdout.reconfigure(encoding="utf-8", errors=errors)
    if format != "table":
        from captioner.alt.findings import FIELDS
        from captioner.batch.rows import defused, to_json
    if format == "jsonl":
        for row in rows:
            print(to_json({name: value for name, value in row.cells().items() if value}), end="")
    elif format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows([defused(str(cell)) for cell in row.cells().values()] for row in rows)
    else:
        for line in _table(rows):
            print(line)


def _table(rows: list[Finding]) -> Iterator[str]:
    """Columns under each other: where, which picture, the text or in brackets the problem."""
    if not rows:
        return
    proposed = "proposed text" if any(row.text or row.problem for row in rows) else ""
    cells = [("where", "picture", proposed)]
    for row in rows:
        problem = f"[{row.problem}]" if row.problem else ""
        source = row.gap.source
        source = source if len(source) <= 60 else f"{source[:57]}..."
        where = f"{row.document.path}:{row.gap.line}"
        cells.append((where, source, " ".join(filter(None, (row.text, problem)))))
    cells = [(_harmless(where), _harmless(source), text) for where, source, text in cells]
    widths = [max(len(row[column]) for row in cells) for column in (0, 1)]
    for where, source, text in cells:
        yield f"{where:{widths[0]}}  {source:{widths[1]}}  {text}".rstrip()


def _harmless(text: str) -> str:
    """The text with what would steer a terminal written out; bytes that are no UTF-8 stay."""
    from captioner.errors import shown

    return re.sub("[^\udc80-\udcff]+", lambda found: shown(found[0]), text)
