"""Where the pictures of a site lie: which folder its `/` is, and what is outside of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from captioner.datasets.photos.names import on_disk


@dataclass(frozen=True)
class Generator:
    """A maker of static sites: what tells its folder, where `/` lies in it, what it makes."""

    name: str
    markers: tuple[str, ...]
    roots: tuple[str, ...]
    output: tuple[str, ...]

    def made(self, folder: Path) -> bool:
        """Whether this is the folder of one of its sites."""
        return any((folder / marker).exists() for marker in self.markers)


def _configured(name: str) -> tuple[str, ...]:
    return tuple(f"{name}.config.{ending}" for ending in ("js", "ts", "mjs", "cjs", "mts", "cts"))


GENERATORS = (
    Generator(
        "Hugo",
        ("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config/_default"),
        ("static", "assets", "content"),
        ("public", "resources"),
    ),
    Generator("Jekyll", ("_config.yml", "_config.yaml", "_config.toml"), (".",), ("_site",)),
    Generator("Docusaurus", _configured("docusaurus"), ("static",), ("build",)),
    Generator("Astro", _configured("astro"), ("public",), ("dist",)),
    Generator(
        "Eleventy",
        (".eleventy.js", *_configured("eleventy")),
        (".", "src", "public", "static"),
        ("_site",),
    ),
)
# Older sites of Hugo's say who made them by their folders only.
_HUGO_BY_FOLDERS = ("content", "static")
_ANYWHERE = ("static", "public")


@dataclass
class Site:
    """The files around one folder of pages, with `folder` as the site's and `named` as the one
    that the person named; `roots` are the folders that an address such as `/a.jpg` may start from.
    """

    named: Path
    folder: Path
    roots: tuple[Path, ...]
    _pictures: dict[str, Path | None] | None = field(default=None, repr=False)

    def holds(self, path: Path) -> bool:
        """Whether the file lies in the site, links followed."""
        real = Path(os.path.realpath(path))
        folders = map(os.path.realpath, (self.named, self.folder, *self.roots))
        return any(map(real.is_relative_to, folders))

    def find(self, folder: Path, address: str) -> Path:
        """The file of an address in a page of that folder; if there is none, where it should be.

        An address that is not found beside its page is looked for from the roots. A name that
        differs in how its accents are composed, or in capitals where it stays clear, is the same.
        """
        below = address.lstrip("/")
        places = [root / below for root in self.roots]
        if address.startswith("@site/"):  # Docusaurus's own
            places = [self.folder / address.removeprefix("@site/")]
        elif not address.startswith("/"):
            places.insert(0, folder / address)
        return next(filter(None, map(self._existing, places)), places[0])

    def named_alone(self, name: str) -> Path | None:
        """The one file of that name in the site, as Obsidian finds the pictures of a vault."""
        if self._pictures is None:
            self._pictures = {}
            for parent, folders, names in os.walk(self.named):
                folders[:] = [each for each in folders if not each.startswith(".")]
                for each in names:
                    twice = each in self._pictures
                    self._pictures[each] = None if twice else Path(parent, each)
        return self._pictures.get(name)

    def _existing(self, path: Path) -> Path | None:
        there = Path(on_disk(str(path))) if self.holds(path) else path
        return there if os.path.lexists(there) else None


class Sites:
    """The sites below a folder that a person named: the nearest one around each page."""

    def __init__(self, named: Path, root: str | None = None) -> None:
        self._named = named
        self._root = root
        self._sites: dict[Path, Site] = {}

    def around(self, folder: Path) -> Site:
        """The site of the pages in that folder."""
        real = Path(os.path.realpath(folder))
        above = next((each for each in (real, *real.parents) if generator(each)), None)
        key = above or self._named
        if key not in self._sites:
            self._sites[key] = Site(self._named, key, tuple(self._roots(above)))
        return self._sites[key]

    def _roots(self, above: Path | None) -> Iterator[Path]:
        if self._root is not None:
            yield self.root_folder(above) or Path(self._root)
            return
        by = generator(above) if above else None
        if above and by:
            yield from _there(above / name for name in by.roots)
        yield from _there(self._named / name for name in _ANYWHERE)
        yield from (each for each in (self._named, above) if each)

    def root_folder(self, above: Path | None = None) -> Path | None:
        """The folder that `--root` names: from here, or from the folder of the site."""
        starts = [Path(), self._named, *([above] if above else [])]
        return next(_there(start / (self._root or ".") for start in starts), None)


def generator(folder: Path) -> Generator | None:
    """Who makes a site of that folder."""
    if all((folder / name).is_dir() for name in _HUGO_BY_FOLDERS):
        return GENERATORS[0]
    return next((each for each in GENERATORS if each.made(folder)), None)


def _there(folders: Iterable[Path]) -> Iterator[Path]:
    yield from filter(Path.is_dir, folders)
