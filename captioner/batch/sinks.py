"""Where results go besides the output itself: into pictures of attention."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from captioner.batch.result import PhotoResult
from captioner.batch.run import Item
from captioner.datasets.photos.search import ATTENTION
from captioner.errors import CaptionerError, ImageError
from captioner.files import free_name, make_folder, whole_file
from captioner.images import USUAL, Allowed, open_image

_LONGEST = 200  # bytes of a picture's name before its number and ending; a name may have 255


class Attention:
    """A picture a photo, `NAME.attention.png` in `folder`: the photo with one panel a word.

    With `keep` those that are there stay, and a new one of such a name gets a number.
    """

    def __init__(self, folder: Path, allowed: Allowed = USUAL, keep: bool = False) -> None:
        make_folder(folder)
        if not os.access(folder, os.W_OK):
            raise CaptionerError(f"{folder}: cannot be written: no permission.")
        self.folder, self._allowed, self._keep = folder, allowed, keep
        self._taken: Counter[str] = Counter()

    def check(self, photos: Iterable[Item]) -> None:
        """Raise CaptionerError, before anything is captioned, for a picture that is there already
        and would be replaced by that of one of the photos."""
        if not any(self.folder.glob(f"*{ATTENTION}")):
            return
        taken: Counter[str] = Counter()
        for photo in photos:
            if isinstance(photo, ImageError):
                continue
            place = self.folder / _name(photo.path, taken)
            if place.exists():
                raise CaptionerError(
                    f"{place}: is there already; name another folder with --attention, or replace"
                    " it with --overwrite."
                )

    def write(self, result: PhotoResult) -> None:
        if result.caption is None:
            return
        from captioner.overlay import PANEL, panels

        try:
            photo = open_image(result.picture or result.path, target=PANEL, allowed=self._allowed)
        except ImageError:
            return  # it went away meanwhile; its caption stays
        picture = panels(photo, result.caption)
        with whole_file(self._place(result.path), "wb") as file:
            picture.save(file, format="PNG")

    def _place(self, path: str) -> Path:
        while True:
            place = self.folder / _name(path, self._taken)
            if not (self._keep and place.exists()):
                return place


def _name(path: str, taken: Counter[str]) -> str:
    """Photos of one name from two folders get pictures of two names."""
    stem = Path(path).stem
    while len(os.fsencode(stem)) > _LONGEST:
        stem = stem[:-1]
    return free_name(stem, ATTENTION, taken)
