"""The documents of a site, their gaps, and the pictures these want a text for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from captioner.alt import in_html, in_markdown
from captioner.alt.gaps import Gap, filled
from captioner.errors import CaptionerError
from captioner.files import whole_file

HTML = (".html", ".htm", ".xhtml")
MARKDOWN = (".md", ".markdown", ".mdown")
_PASSED_OVER = {"node_modules", "__pycache__"}
_BOMS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True)
class Document:
    """A page with gaps. `root` is the folder that an address such as /img/a.jpg starts from."""

    path: Path
    root: Path
    text: str = field(repr=False)
    encoding: str
    gaps: tuple[Gap, ...]
    base: str = ""  # what the page says its addresses start from

    def picture(self, gap: Gap) -> Path | None:
        """The file that the gap's picture should be; None where it is no file of the site."""
        address, base = address_parts(gap.source), address_parts(self.base)
        if not gap.source or address is None or base is None:
            return None
        if address.scheme or address.netloc or base.scheme or base.netloc:
            return None
        path = unquote(address.path, errors="surrogateescape")
        folder = self.path.parent
        if base.path:
            folder = _joined(folder, self.root, unquote(base.path))
            folder = folder if base.path.endswith("/") else folder.parent
        return _joined(folder, self.root, path)

    def write(self, texts: dict[Gap, str]) -> None:
        """Put the texts into the file, byte for byte the same elsewhere, whole or not at all.

        Raises CaptionerError where the file is no longer what was read, or cannot be written.
        """
        before, after = self._encoded(self.text), self._encoded(filled(self.text, texts))
        if (there := _bytes(self.path)) == after:
            return
        if there != before:
            raise CaptionerError(
                f"{self.path}: was changed meanwhile and is left as it is; run again."
            )
        mode = self.path.stat().st_mode
        with whole_file(self.path, "wb") as file:
            file.write(after)
            os.fchmod(file.fileno(), mode)

    def _encoded(self, text: str) -> bytes:
        return text.encode(self.encoding, "surrogateescape")


def address_parts(address: str) -> SplitResult | None:
    """The parts of an address; None for what is none, such as http://[x/."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def documents(inputs: Iterable[str]) -> Iterator[Document | CaptionerError]:
    """The documents with gaps, in the order of their paths; the error for one that cannot be read.

    Raises CaptionerError for an input that is not there, holds no document or is none.
    """
    for name in inputs:
        if re.match(r"[a-z]+://", name):
            raise CaptionerError(f"{name}: is a web address; name the folder of the site's files.")
        path = Path(name)
        if path.is_dir():
            pages = _pages(path)
            first = next(pages, None)
            if first is None:
                raise CaptionerError(
                    f"{name}: no HTML or Markdown in this folder; name the site's."
                )
            for page in chain([first], pages):
                yield from _with_gaps(page, path)
        elif not path.exists():
            raise CaptionerError(f"{name}: there is no such file; check the name.")
        elif path.suffix.lower() in (*HTML, *MARKDOWN):
            yield from _with_gaps(path, path.parent)
        else:
            raise CaptionerError(f"{name}: is neither HTML nor Markdown ({', '.join(HTML)}, .md).")


def _pages(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _PASSED_OVER and not f.startswith("."))
        for name in sorted(names):
            if name.lower().endswith((*HTML, *MARKDOWN)) and not name.startswith("."):
                yield Path(parent, name)


def _with_gaps(path: Path, root: Path) -> Iterator[Document | CaptionerError]:
    try:
        document = _read(path, root)
    except CaptionerError as error:
        yield error
    else:
        if document.gaps:
            yield document


def _read(path: Path, root: Path) -> Document:
    data = _bytes(path)
    encoding = _BOMS.get(data[:2], "utf-8")
    markdown = path.suffix.lower() in MARKDOWN
    try:
        text = data.decode(encoding, "surrogateescape")
        found = tuple((in_markdown if markdown else in_html).gaps(text))
        base = "" if markdown else _base(text)
    except UnicodeDecodeError:
        raise CaptionerError(f"{path}: is not text in UTF-16; save it as UTF-8.") from None
    except AssertionError as error:  # html.parser's, for declarations that HTML does not have
        raise CaptionerError(f"{path}: its HTML cannot be read ({error}); mend it.") from None
    return Document(path, root, text, encoding, found, base)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CaptionerError(f"{path}: cannot be read: {error.strerror}.") from None


def _joined(folder: Path, root: Path, path: str) -> Path:
    return root / path.lstrip("/") if path.startswith("/") else folder / path


def _base(text: str) -> str:
    parser = _Base()
    parser.feed(text)
    return parser.href


class _Base(HTMLParser):
    href = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "base" and not self.href:
            self.href = dict(attrs).get("href") or ""
