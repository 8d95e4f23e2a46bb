"""The command `captioner alt`: alternative texts for the pictures of a site."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from captioner.batch.command import load_model
from captioner.cli.options import (
    AfterOption,
    AvoidOption,
    BatchSizeOption,
    BeamOption,
    BeforeOption,
    ConsensusOption,
    DeviceOption,
    LengthPenaltyOption,
    MaxWordsOption,
    MinWordsOption,
    ModelOption,
    OldSuffixOption,
    PrefixOption,
    StyleOption,
    listed,
    one_of,
    options,
)

if TYPE_CHECKING:
    from captioner.alt.documents import Document
    from captioner.alt.gaps import Gap
    from captioner.batch.result import Result

FIELDS = ("file", "line", "picture", "text", "problem")


@dataclass(frozen=True)
class Row:
    """An image without alternative text, and the text proposed for it, or why there is none."""

    document: Document
    gap: Gap
    text: str = ""
    problem: str = ""

    def cells(self) -> dict[str, str | int]:
        values = (str(self.document.path), self.gap.line, self.gap.source, self.text, self.problem)
        return dict(zip(FIELDS, values, strict=True))


def alt(
    inputs: Annotated[list[str], typer.Argument(metavar="SITE_OR_FILE", hidden=True)],
    check: Annotated[
        bool, typer.Option("--check", help="Propose nothing; exit with 1 if any is missing.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Put the texts into the files, and change nothing else.")
    ] = False,
    format: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            parser=one_of("table", "jsonl", "csv"),
            help="How the list is printed: table, jsonl or csv.",
        ),
    ] = "table",
    before: BeforeOption = "",
    after: AfterOption = "",
    min_words: MinWordsOption = None,
    max_words: MaxWordsOption = None,
    beam: BeamOption = None,
    length_penalty: LengthPenaltyOption = None,
    consensus: ConsensusOption = None,
    prefix: PrefixOption = None,
    avoid: AvoidOption = None,
    style: StyleOption = None,
    model: ModelOption = None,
    batch_size: BatchSizeOption = 16,
    device: DeviceOption = "cpu",
    suffix: OldSuffixOption = None,
) -> None:
    """Find pictures without alt text in HTML and Markdown, and propose one for each.

    SITE_OR_FILE is a folder, searched for such pages, or one page.

    <img> without alt and ![](...) are listed; alt="" says that a picture is decorative, and is left
    alone. Pictures that are missing or lie on another server are listed too. The exit code is 1
    where a page or a picture of the site cannot be read, or a page changed while it was at work.
    """
    from captioner.alt.documents import Document, documents
    from captioner.errors import CaptionerError

    if check and write:
        raise typer.BadParameter("--check changes nothing: leave out --write.")
    search = options(
        model,
        beam=beam,
        length_penalty=length_penalty,
        consensus=consensus,
        prefix=prefix,
        avoid=listed(avoid),
        style=style,
        min_words=min_words,
        max_words=max_words,
    )
    pages = list(documents(inputs))
    found = [page for page in pages if isinstance(page, Document)]
    unread = [page for page in pages if isinstance(page, CaptionerError)]
    for error in unread:
        _say(error)
    if not pages:
        _say("no picture there lacks a text")
    if check:
        rows = [Row(document, gap) for document in found for gap in document.gaps]
        _show(rows, format)
        raise typer.Exit(1 if rows or unread else 0)
    from captioner.batch.run import caption_photos, dressed
    from captioner.datasets.photos.photo import Photo

    wanted = dict.fromkeys(
        str(picture)
        for document in found
        for gap in document.gaps
        if (picture := document.picture(gap)) is not None
    )
    photos = [Photo(path, path) for path in wanted]
    results = caption_photos(lambda: load_model(model, device), photos, search, batch_size)
    texts = {result.path: dressed(result, before, after) for result in results}
    rows = [_row(document, gap, texts) for document in found for gap in document.gaps]
    _show(rows, format)
    written = _write(rows) if write else True
    raise typer.Exit(1 if unread or not written or any(map(_is_failure, rows)) else 0)


def _say(message: object) -> None:
    print(f"captioner: {message}", file=sys.stderr)


def _row(document: Document, gap: Gap, texts: dict[str, Result]) -> Row:
    picture = document.picture(gap)
    if not gap.source:
        return Row(document, gap, problem="names no picture")
    if picture is None:
        return Row(document, gap, problem=_elsewhere(document, gap))
    result = texts[str(picture)]
    if result.caption is None:
        return Row(document, gap, problem=result.error)
    unplaced = "" if gap.place is not None else "cannot be put in here; do it by hand"
    return Row(document, gap, result.caption.text, unplaced)


def _elsewhere(document: Document, gap: Gap) -> str:
    """Why the picture that the gap names is no file of the site."""
    from captioner.alt.documents import address_parts

    if gap.source.startswith("data:"):
        return "lies in the page itself"
    if address_parts(gap.source) is None or address_parts(document.base) is None:
        return "its address cannot be read; correct it"
    return "lies on another server; download it to have it described"


def _is_failure(row: Row) -> bool:
    return not row.text and row.document.picture(row.gap) is not None


def _write(rows: list[Row]) -> bool:
    """Put the texts into their pages. Whether each page could be written."""
    from captioner.batch.summary import counted
    from captioner.errors import CaptionerError

    texts: dict[Path, dict[Gap, str]] = {}
    pages: dict[Path, Document] = {}
    for row in rows:
        if row.text and not row.problem:
            texts.setdefault(row.document.path, {})[row.gap] = row.text
            pages[row.document.path] = row.document
    written = []
    for path, page in pages.items():
        try:
            page.write(texts[path])
            written.append(path)
        except CaptionerError as error:
            _say(error)
    count = sum(len(texts[path]) for path in written)
    left = f", {len(rows) - count} left to you" if len(rows) > count else ""
    _say(f"{counted(count, 'text')} written into {counted(len(written), 'file')}{left}")
    return len(written) == len(pages)


def _show(rows: list[Row], format: str) -> None:
    if hasattr(sys.stdout, "reconfigure"):  # an address comes out with the bytes it has in its page
        errors = "backslashreplace" if format == "jsonl" else "surrogateescape"
        sys.stdout.reconfigure(encoding="utf-8", errors=errors)
    if format == "jsonl":
        for row in rows:
            print(json.dumps({k: v for k, v in row.cells().items() if v}, ensure_ascii=False))
    elif format == "csv":
        writer = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.cells() for row in rows)
    else:
        for line in _table(rows):
            print(line)


def _table(rows: list[Row]) -> Iterator[str]:
    """Columns under each other: where, which picture, the text or in brackets the problem."""
    if not rows:
        return
    proposed = "proposed text" if any(row.text or row.problem for row in rows) else ""
    cells = [("where", "picture", proposed)]
    for row in rows:
        problem = f"[{row.problem}]" if row.problem else ""
        source = row.gap.source if len(row.gap.source) <= 60 else f"{row.gap.source[:57]}..."
        where = f"{row.document.path}:{row.gap.line}"
        cells.append((where, source, " ".join(filter(None, (row.text, problem)))))
    widths = [max(len(row[column]) for row in cells) for column in (0, 1)]
    for where, source, text in cells:
        yield f"{where:{widths[0]}}  {source:{widths[1]}}  {text}".rstrip()
