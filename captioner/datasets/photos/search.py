"""Which of the files that nobody named one by one are photos, and what becomes of the others."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase

from captioner.images import IMAGE_SUFFIXES

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
TABLES = (
    *(".csv", ".tsv", ".jsonl", ".ndjson", ".csv.gz", ".tsv.gz", ".jsonl.gz", ".ndjson.gz"),
    *(".parquet", ".arrow", ".json", ".json.gz"),
)
SIDECARS = (".txt", ".caption", ".xmp", ".json")
ATTENTION = ".attention.png"
"""How the command's own pictures of attention end: a folder's are no photos of its."""

EXCLUDED = (
    *("@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information"),
    *("__MACOSX", ".thumbnails", "Thumbs.db", "*-masklabel.png"),
    *(f"*{ATTENTION}", "*.progress", "*.partial"),
)
"""What a NAS, a system, a trainer and captioner itself leave beside photos, pictures among it."""


class Search:
    """What folders, patterns and archives stand for; `left_out` counts the other files by kind.

    A pattern of `exclude` stands for files and folders of such a name, whatever their case; with
    "/" in it for the end of their path. Hidden files are nobody's photos, and are not counted.
    """

    def __init__(self, exclude: Iterable[str] = ()) -> None:
        self._patterns = [pattern.rstrip("/").casefold() for pattern in (*EXCLUDED, *exclude)]
        self.left_out: Counter[str] = Counter()

    def excludes(self, path: str) -> bool:
        """Whether the file or folder at the end of that path is excluded, by itself."""
        path = f"/{path.rstrip('/').casefold()}"
        name = path.rpartition("/")[2]
        return any(
            fnmatchcase(path, f"*/{pattern}") if "/" in pattern else fnmatchcase(name, pattern)
            for pattern in self._patterns
        )

    def excludes_below(self, start: str, path: str) -> bool:
        """Whether the path is excluded by what it is called below its `start`; a name that a
        pattern's start itself spells out is wanted."""
        fixed = re.split(r"[*?\[]", start)[0]
        fixed = fixed if fixed == start else fixed[: fixed.rfind("/") + 1]
        parts = path.removeprefix(fixed).strip("/").split("/")
        spelt = start.split("/")
        return any(
            part not in spelt and self.excludes("/".join(parts[: end + 1]))
            for end, part in enumerate(parts)
        )

    def takes(self, path: str) -> bool:
        """Whether the file is a photo; else it is counted."""
        if is_picture(path):
            return True
        self.left_out[kind_of(path)] += 1
        return False

    def takes_member(self, path: str) -> bool:
        """The same, of a file in an archive, where the folders above it count as well."""
        parts = path.split("/")
        if any(part.startswith(".") and part not in (".", "..") for part in parts):
            return False
        return not self.excludes_below("", path) and self.takes(path)


def is_picture(name: str) -> bool:
    """Whether the file of that name is a picture by its ending."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_sidecar(name: str) -> bool:
    """Whether this is a photo's text or notes: `a.txt` or `a.jpg.xmp` beside `a.jpg`."""
    stem, ending = os.path.splitext(name)
    if ending.lower() not in SIDECARS:
        return False
    endings = (each for lower in IMAGE_SUFFIXES for each in (lower, lower.upper()))
    beside = os.path.isfile(stem) and is_picture(stem)
    return beside or any(os.path.isfile(stem + each) for each in endings)


def holds_photos(item: object) -> bool:
    """Whether the file is an archive or a table: nobody knows how many photos are in it."""
    return isinstance(item, str) and item.lower().endswith((*ARCHIVES, *TABLES))


def is_for_patterns(name: str) -> bool:
    """Whether a pattern stands for the file as an archive or a table. JSON is too often a photo's
    notes: it must be named."""
    return holds_photos(name) and not name.lower().endswith((".json", ".json.gz"))


def kind_of(name: str) -> str:
    """How a file's name ends: ".cr2", ".tar.gz"; "no ending" for none."""
    lower = os.path.basename(name).lower()
    long = next((ending for ending in (*ARCHIVES, *TABLES) if lower.endswith(ending)), "")
    return long or os.path.splitext(lower)[1] or "no ending"


def told(left_out: Counter[str], most: int = 8) -> str:
    """The kinds of files that were left out, those with most files first: "3 .cr2, 1 .psd"."""
    kinds = [f"{count:,} {kind}" for kind, count in left_out.most_common(most)]
    rest = left_out.total() - sum(count for _, count in left_out.most_common(most))
    return ", ".join([*kinds, f"{rest:,} of other kinds"] if rest else kinds)
