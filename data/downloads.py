"""What someone has downloaded: the files of a folder, wherever in it they lie."""

from __future__ import annotations

import os
import re
from pathlib import Path

from captioner.errors import CaptionerError


class Download:
    """All files below a folder, links followed, found by their names."""

    def __init__(self, folder: Path) -> None:
        """Raises CaptionerError where there is no such folder."""
        if not folder.is_dir():
            raise CaptionerError(f"{folder}: there is no such folder; name that of the downloads")
        self.folder = folder
        self.files: dict[str, Path] = {}
        for above, folders, names in os.walk(folder, followlinks=True):
            folders.sort()
            for name in sorted(names):
                self.files.setdefault(name, Path(above, name))

    def file(self, name: str, where: str) -> Path:
        """The file of that name. Raises CaptionerError, which says `where` to get it."""
        if name not in self.files:
            raise CaptionerError(f"{self.folder}: holds no {name}; it comes with {where}")
        return self.files[name]

    def photos(self, pattern: str) -> dict[str, Path]:
        """The files whose whole name matches, by the pattern's first group."""
        found = ((re.fullmatch(pattern, name), path) for name, path in self.files.items())
        return {match[1]: path for match, path in found if match}
