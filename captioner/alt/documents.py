"""The documents of a site, their gaps, and the pictures these want a text for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from captioner.alt import in_html, in_markdown
from captioner.alt.gaps import Gap, filled
from captioner.alt.site import Site, Sites, generator
from captioner.alt.template_tags import imported, plain_address
from captioner.datasets.photos.search import Search
from captioner.errors import CaptionerError, why_unread
from captioner.files import finish, rewrite

HTML = (".html", ".htm", ".xhtml")
MARKDOWN = (".md", ".markdown", ".mdown", ".mkd", ".mkdn", ".mdx", ".qmd", ".rmd")
LARGEST = 20_000_000  # bytes of a page
_PASSED_OVER = {"node_modules", "__pycache__"}
_BOMS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# Pages in languages that are not read here, and what in them may be a picture.
_SCRIPTS = (".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs")
_OTHERS = (
    *(".astro", ".vue", ".svelte", ".php", ".phtml", ".njk", ".nunjucks", ".liquid", ".hbs"),
    *(".handlebars", ".mustache", ".ejs", ".erb", ".haml", ".slim", ".pug", ".jade", ".twig"),
    *(".j2", ".jinja", ".jinja2", ".adoc", ".asciidoc", ".asc", ".rst", ".org", ".textile"),
    *(".ipynb", ".tmpl", ".gohtml", ".templ", ".cshtml", ".razor", ".jsp", ".asp", ".aspx"),
    *(".shtml", ".webc", ".marko", ".ftl", ".heex", ".eex", ".wiki", ".mediawiki", ".typ"),
)
_TAG = re.compile(rb"<(?:img|image|picture)\b", re.IGNORECASE)
_PICTURE = re.compile(
    rb"<(?:img|image|picture)\b|\bimg\b|image:|!\[|\.(?:jpe?g|png|gif|webp|avif|svg|bmp|tiff?)\b",
    re.IGNORECASE,
)


class NotLookedInto(CaptionerError):
    """A page with pictures, of a kind that is not read."""


class NoPicture(CaptionerError):
    """Why the picture that a gap names is no file of the site."""


@dataclass(frozen=True)
class Document:
    """A page with gaps, in its site."""

    path: Path
    site: Site
    text: str = field(repr=False)
    encoding: str
    gaps: tuple[Gap, ...]
    base: str = ""  # what the page says its addresses start from

    def picture(self, gap: Gap) -> Path:
        """The file that the gap's picture should be. Raises NoPicture where it is none."""
        try:
            return self._held(self._picture(gap))
        except (OSError, ValueError):  # a name too long, a NUL in it, http://[x/
            raise NoPicture("its address cannot be read; correct it") from None

    def _picture(self, gap: Gap) -> Path:
        if not gap.source:
            raise NoPicture("names no picture")
        if gap.source.startswith("data:"):
            raise NoPicture("lies in the page itself")
        address = plain_address(imported(gap.source, self.text))
        if address is None:
            raise NoPicture("a template makes its address; see to it by hand")
        if gap.kind == "wiki":
            return self._in_vault(address)
        parts, base = urlsplit(address.replace("\\", "/")), urlsplit(self.base)
        if parts.scheme or parts.netloc or base.scheme or base.netloc:
            raise NoPicture("lies on another server; download it to have it described")
        folder = self.path.parent
        if base.path:
            folder = self.site.find(folder, unquote(base.path))
            folder = folder if base.path.endswith("/") else folder.parent
        return self.site.find(folder, unquote(parts.path, errors="surrogateescape"))

    def _in_vault(self, address: str) -> Path:
        name = address.partition("#")[0].strip()
        there = self.site.find(self.path.parent, name)
        alone = None if there.exists() else self.site.named_alone(Path(name).name)
        return alone or there

    def _held(self, picture: Path) -> Path:
        if not self.site.holds(picture):
            raise NoPicture("lies outside of the site; name the folder of all of it")
        if picture.exists() and not picture.is_file():
            raise NoPicture("is no file; name a picture")
        return picture

    def write(self, texts: dict[Gap, str]) -> None:
        """Put the texts into the file, byte for byte the same elsewhere, whole or not at all.

        Raises CaptionerError where the file is no longer what was read, cannot be written, or is a
        link that leads out of the site.
        """
        if not self.site.holds(self.path):
            raise CaptionerError(
                f"{self.path}: is a link to a file outside of the site and is left as it is; "
                f"name that file ({os.path.realpath(self.path)})."
            )
        before, after = self._encoded(self.text), self._encoded(filled(self.text, texts))
        if (there := _bytes(self.path)) == after:
            return
        if there != before:
            raise CaptionerError(
                f"{self.path}: was changed meanwhile and is left as it is; run again."
            )
        rewrite(self.path, after)

    def _encoded(self, text: str) -> bytes:
        return text.encode(self.encoding, "surrogateescape")


def documents(
    inputs: Iterable[str], root: str | None = None, exclude: Iterable[str] = ()
) -> Iterator[Document | CaptionerError]:
    """The documents with gaps, in the order of their paths; the error for one that cannot be read,
    and NotLookedInto for one of another kind that holds pictures.

    `root` is the folder that an address such as /a.jpg starts from, and `exclude` patterns of names
    or paths to pass over. Raises CaptionerError for an input that is not there, holds no document
    or is none.
    """
    search = Search(exclude)
    for name in inputs:
        if re.match(r"[a-z]+://", name):
            raise CaptionerError(f"{name}: is a web address; name the folder of the site's files.")
        path = Path(name)
        sites = Sites(path if path.is_dir() else path.parent, root)
        if root is not None and not sites.root_folder():
            raise CaptionerError(f"--root {root}: there is no such folder; check the name.")
        if path.is_dir():
            pages = list(_pages(path, search))
            if all(isinstance(page, Path) and page.suffix in _SCRIPTS for page in pages):
                raise CaptionerError(
                    f"{name}: no HTML or Markdown in this folder; name the site's."
                )
            for page in pages:
                yield from _looked_into(page, sites) if isinstance(page, Path) else [page]
        elif not path.exists():
            raise CaptionerError(f"{name}: there is no such file; check the name.")
        elif path.suffix.lower() in (*HTML, *MARKDOWN):
            finish(path.parent)
            yield from _looked_into(path, sites)
        else:
            raise CaptionerError(f"{name}: is neither HTML nor Markdown ({', '.join(HTML)}, .md).")


def _pages(folder: Path, search: Search) -> Iterator[Path | CaptionerError]:
    unread: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=unread.append):
        finish(Path(parent))
        made = generator(Path(parent))
        passed_over = _PASSED_OVER.union(made.output if made else ())
        seen = (each for each in folders if each not in passed_over)
        folders[:] = sorted(each for each in seen if _is_seen(parent, each, search))
        for name in sorted(names):
            page = Path(parent, name)
            kinds = (*HTML, *MARKDOWN, *_SCRIPTS, *_OTHERS)
            if page.suffix.lower() in kinds and _is_seen(parent, name, search):
                yield page
    for error in unread:
        yield CaptionerError(f"{error.filename}: {why_unread(error)}.")


def _is_seen(parent: str, name: str, search: Search) -> bool:
    return not name.startswith(".") and not search.excludes(f"{parent}/{name}")


def _looked_into(path: Path, sites: Sites) -> Iterator[Document | CaptionerError]:
    kind = path.suffix.lower()
    try:
        if kind in (*HTML, *MARKDOWN):
            document = _read(path, sites)
            if document.gaps:
                yield document
        elif (_TAG if kind in _SCRIPTS else _PICTURE).search(_bytes(path)):
            yield NotLookedInto(
                f"{path}: is not looked into, as {kind} is not read here; see to its pictures by "
                f"hand, or leave it out with --exclude."
            )
    except CaptionerError as error:
        yield error


def _read(path: Path, sites: Sites) -> Document:
    data = _bytes(path)
    encoding = _BOMS.get(data[:2], "utf-8")
    try:
        text = data.decode(encoding, "surrogateescape")
    except UnicodeDecodeError:
        raise CaptionerError(f"{path}: is not text in UTF-16; save it as UTF-8.") from None
    markdown = path.suffix.lower() in MARKDOWN
    found = tuple((in_markdown if markdown else in_html).gaps(text))
    base = "" if markdown or not found else in_html.base(text)
    return Document(path, sites.around(path.parent), text, encoding, found, base)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            size = f"{LARGEST // 1_000_000} MB"
            raise CaptionerError(f"{path}: is larger than a page may be ({size}); split it.")
        return path.read_bytes()
    except OSError as error:
        raise CaptionerError(f"{path}: {why_unread(error)}.") from None
