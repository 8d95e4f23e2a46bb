"""COCO's results format, and the ids that its photos go by."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from captioner.batch.result import PhotoResult
from captioner.batch.rivals import rivals
from captioner.batch.rows import Format, finish_list, to_json
from captioner.batch.summary import counted
from captioner.datasets.captions import CaptionedPhoto, Names, PhotoId, first_few, read_references
from captioner.errors import CaptionerError, ImageError

Paths = Callable[[], Iterable[str]]

_NUMBERED = re.compile(r"(?:COCO_\w+_)?(\d{12})")  # the name of a file of COCO's, any year
_SHOWN = 3  # ids with several photos that are named


class ImageIds:
    """The `image_id` of each photo.

    With `annotations`, a file of references in any format, it is the id that the photo's file name
    has there. Otherwise it is the number that is a COCO file's name, 391895 for
    COCO_val2014_000000391895.jpg, where one photo alone has it; any other photo goes by its path.

    `paths` goes through all photos of the run, each time it is called; `tell` gets a sentence on
    what goes by its path. Raises CaptionerError where photos of several paths are one in
    `annotations`.
    """

    def __init__(self, paths: Paths, annotations: Path | None, tell: Callable[[str], None]) -> None:
        self._annotations = annotations
        self._names: Names[CaptionedPhoto] = Names()
        if annotations is not None:
            for photo in read_references(annotations, need_captions=False, tell=tell):
                self._names.add(photo.file_name, photo)
        shared = self._rivals(paths, tell)
        self._shared = set(shared)
        if shared:
            named = [f"{key}: {first_few(photos, 2)}" for key, photos in shared.items()]
            several = f"several photos have one image_id ({first_few(named, _SHOWN)})"
            if annotations is not None:
                raise CaptionerError(f"{annotations}: {several}; leave out all but one of each.")
            tell(f"{several}; they go by their paths.")

    def of(self, path: str) -> PhotoId:
        """Raises ImageError for a photo that the annotations do not name."""
        key = self._known(path)
        if key is None and self._annotations is not None:
            raise ImageError(
                path, f"{self._annotations} names no such photo, so it has no image_id"
            )
        return path if key is None or key in self._shared else key

    def is_shared(self, key: PhotoId) -> bool:
        return key in self._shared

    def _known(self, path: str) -> PhotoId | None:
        if self._annotations is not None:
            photo = self._names.find(path)
            return photo.id if photo and _stem(photo.file_name) == _stem(path) else None
        number = _NUMBERED.fullmatch(os.path.splitext(os.path.basename(path))[0])
        return None if number is None else int(number[1])

    def _rivals(self, paths: Paths, tell: Callable[[str], None]) -> dict[PhotoId, list[str]]:
        """The ids that photos of several paths would have."""
        total = numbered = 0

        def keyed() -> Iterator[tuple[str, PhotoId | None]]:
            nonlocal total, numbered
            total = numbered = 0
            for path in paths():
                key = self._known(path)
                total, numbered = total + 1, numbered + (key is not None)
                yield path, key

        found: dict[PhotoId, list[str]] = rivals(keyed)
        if self._annotations is None and numbered < total:
            tell(
                f"image_id is the path of {total - numbered:,} of {counted(total, 'photo')},"
                " with no COCO number for a name; --annotations FILE takes ids by file name."
            )
        return found


def _stem(path: str) -> str:
    name = os.path.splitext(path.replace("\\", "/").rpartition("/")[2])[0]
    return unicodedata.normalize("NFC", name).casefold()


class Coco(Format):
    """COCO's results: a list of {"image_id", "caption"}, without those that failed."""

    encoding_errors = "backslashreplace"

    def __init__(self, ids: ImageIds) -> None:
        self._ids = ids

    def rows(self, result: PhotoResult) -> str:
        if result.caption is None:
            return ""
        return to_json({"image_id": self._ids.of(result.path), "caption": result.caption.text})

    def key(self, path: str) -> str:
        try:
            return repr(self._ids.of(path))
        except ImageError:
            return ""  # writing it will say why

    def finish(self, draft: Path, target: Path) -> None:
        finish_list(draft, target)

    def existing(self, target: Path) -> Iterator[tuple[str, str]]:
        """A number that several photos would have now says of none that it has a caption."""
        try:
            for entry in json.loads(target.read_bytes()):
                if not self._ids.is_shared(entry["image_id"]):
                    yield repr(entry["image_id"]), to_json(entry)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise CaptionerError(f"{target}: is no file of COCO results.") from None
