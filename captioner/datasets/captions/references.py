"""Photos with their reference captions, from files of every shape."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from captioner.datasets.captions.columns import (
    IDS,
    ROW_IDS,
    Entry,
    cell,
    has_caption,
    plain,
)
from captioner.datasets.captions.entries import (
    checked_id,
    file_name,
    lacks,
    read_id,
    rows_of,
    texts,
)
from captioner.datasets.captions.files import json_rows, read_content, read_text
from captioner.datasets.captions.names import PhotoId, brief, composed, first_few, photo_id
from captioner.errors import CaptionerError

Tell = Callable[[str], None]

_log = logging.getLogger(__name__).warning

_UNUSABLE = ("is_rejected", "is_precanned")  # VizWiz: the annotators could not see what it is


@dataclass(frozen=True)
class CaptionedPhoto:
    """A photo that captions are known of.

    `file_name` is its path within the folder or archive of photos; `source` the collection it
    is from and `split` the part of it, "" where the file does not say. `fields` are what else the
    file says of it, such as the domain of nocaps, as text.
    """

    id: PhotoId
    file_name: str
    captions: tuple[str, ...]
    source: str = ""
    split: str = ""
    fields: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def read_references(
    path: Path,
    split: str | None = None,
    source: str | None = None,
    need_captions: bool = True,
    tell: Tell = _log,
) -> list[CaptionedPhoto]:
    """All photos of a reference file, in its order, with their captions as they were written.

    `split` keeps one part (several with commas between, such as "train,restval"); it can also be
    the path of a list of file names, one a line, as Flickr8k's official splits are. `source` keeps
    the photos of one collection. Photos without any caption are left out unless `need_captions`
    is False. `tell` gets a sentence on captions that were left out: of photos that the file does
    not list, empty ones, those that VizWiz marks as rejected. Raises CaptionerError for a file
    that cannot be read or leaves no photo.
    """
    path = Path(path)
    content = read_content(path)
    photos = _Reading(path, tell).photos(content)
    if split is not None:
        photos = _of_split(path, photos, split)
    if source is not None:
        photos = _matching(path, photos, "source", [source])
    photos = [photo for photo in photos if photo.captions or not need_captions]
    if not photos:
        raise CaptionerError(f"{path}: no photo in it has a caption")
    return photos


class _Reading:
    """One file being read, and what is to be told of it."""

    def __init__(self, path: Path, tell: Tell) -> None:
        self._path, self._tell = path, tell
        self._empty: list[object] = []
        self._unusable: list[object] = []

    def photos(self, content: list[Entry] | dict[str, Any]) -> list[CaptionedPhoto]:
        if isinstance(content, dict) and "images" in content:
            photos = self._of_images(content)
        else:
            photos = self._of_rows(rows_of(self._path, content))
        for what, found in (
            ("are empty", self._empty),
            ("are rejected or precanned", self._unusable),
        ):
            if found:
                self._say(f"captions {what} and left out ({len(found)}), of photo", found)
        return photos

    def _say(self, what: str, names: Sequence[object]) -> None:
        self._tell(f"{self._path.name}: {what} {first_few(names)}")

    def _of_images(self, content: dict[str, Any]) -> list[CaptionedPhoto]:
        images = self._objects(content, "images")
        if any("sentences" in image.cells for image in images):
            photos = [self._karpathy(image, content.get("dataset")) for image in images]
        else:
            photos = self._coco(images, self._objects(content, "annotations"))
        ids = Counter(photo_id(photo.id) for photo in photos)
        doubles = [key for key, times in ids.items() if times > 1]
        if doubles:
            raise CaptionerError(
                f"{self._path}: {len(doubles)} photo ids occur twice: {first_few(doubles)}"
            )
        return photos

    def _objects(self, content: dict[str, Any], name: str) -> list[Entry]:
        entries = content.get(name) or []
        if not isinstance(entries, list):
            raise CaptionerError(f"{self._path}: its '{name}' are no list")
        rows = list(json_rows(self._path, entries))
        return [Entry(f"{row.place} of '{name}'", row.cells) for row in rows]

    def _coco(self, images: Sequence[Entry], annotations: Sequence[Entry]) -> list[CaptionedPhoto]:
        names = [file_name(image) for image in images]
        keys = [read_id(image, ("id", "image_id")) for image in images]
        told: dict[PhotoId, list[str]] = {key: [] for key in keys}
        stray = []
        for annotation in annotations:
            key = read_id(annotation, IDS)
            if key in told:
                told[key] += self._captions(annotation, key)
            else:
                stray.append(key)
        if stray and not any(told.values()):
            raise CaptionerError(
                f"{self._path}: all {len(stray)} captions belong to photos it does not list: "
                + first_few(stray)
            )
        if stray:
            self._say(f"captions left out ({len(stray)}), of photos that it does not list:", stray)
        return [
            _photo(_written(image, key), name or str(key), told[key], image)
            for key, name, image in zip(keys, names, images, strict=True)
        ]

    def _karpathy(self, image: Entry, source: object) -> CaptionedPhoto:
        folder, name = cell(image.cells, ("filepath",)), cell(image.cells, ("filename",))
        if not isinstance(name, str) or not isinstance(image.cells.get("sentences"), list):
            raise lacks(image, "a 'filename' and a list of 'sentences'")
        key = read_id(image, ("cocoid", "imgid", "filename"))
        place = f"{folder}/{name}" if folder else name
        own = Entry(image.place, {"captions": image.cells["sentences"]})
        photo = _photo(key, place, self._captions(own, key), image)
        return replace(photo, source=source if isinstance(source, str) else photo.source)

    def _of_rows(self, rows: Iterable[Entry]) -> list[CaptionedPhoto]:
        listed = list(rows)
        names = [file_name(row) for row in listed]
        keys = self._keys(listed, names)
        told: dict[PhotoId, list[str]] = {}
        first: dict[PhotoId, tuple[str, Entry]] = {}
        for row, name, key in zip(listed, names, keys, strict=True):
            there, _ = first.setdefault(key, (name or str(key), row))
            if name and name != there:
                raise CaptionerError(
                    f"{self._path}: photo id {brief(key)} names two files, {brief(there)} and "
                    f"{brief(name)}"
                )
            found = self._captions(row, key)
            known = told.setdefault(key, [])
            # TextCaps repeats all captions of a photo with each of them.
            known += found if len(found) < 2 else [text for text in found if text not in known]
        return [_photo(key, name, told[key], row) for key, (name, row) in first.items()]

    def _keys(self, rows: Sequence[Entry], names: Sequence[str]) -> list[PhotoId]:
        """The id of each row's photo: its own, else its file name.

        A column "id" is the photo's only if no photo has two of them: else it counts the rows.
        """
        own = [cell(row.cells, IDS) for row in rows]
        numbers: dict[str, set[object]] = defaultdict(set)
        for row, name in zip(rows, names, strict=True):
            numbers[name].add(str(cell(row.cells, ROW_IDS)))
        counted = any(len(found) > 1 for name, found in numbers.items() if name)
        keys = []
        for row, name, key in zip(rows, names, own, strict=True):
            if key is None and not (counted and name):
                key = cell(row.cells, ROW_IDS)
            keys.append(checked_id(row, name if key is None else key))
        return keys

    def _captions(self, row: Entry, key: PhotoId) -> list[str]:
        if any(str(cell(row.cells, (mark,))).lower() in ("true", "1") for mark in _UNUSABLE):
            self._unusable.append(key)
            return []
        found = texts(row)
        self._empty += [key for text in found if not text]
        return [text for text in found if text]


def _written(image: Entry, key: PhotoId) -> PhotoId:
    """The id as the file has it, since results go by it: "4" stays a text there."""
    value = cell(image.cells, ("id", "image_id"))
    return value if isinstance(value, str) else key


def _photo(key: PhotoId, name: str, told: Sequence[str], row: Entry) -> CaptionedPhoto:
    fields = {
        plain(name): str(value)
        for name, value in row.cells.items()
        if isinstance(value, str | int | float) and not has_caption((name,))
    }
    return CaptionedPhoto(
        key, name, tuple(told), fields.get("source", ""), fields.get("split", ""), fields
    )


def _of_split(path: Path, photos: list[CaptionedPhoto], split: str) -> list[CaptionedPhoto]:
    listing = Path(split)
    if not listing.is_file():
        return _matching(path, photos, "split", split.split(","))
    names = {composed(line.strip()) for line in read_text(listing).split("\n")}
    kept = [photo for photo in photos if _is_in(names, composed(photo.file_name))]
    if not kept:
        raise CaptionerError(f"{listing}: names no photo of {path}")
    return kept


def _is_in(names: set[str], path: str) -> bool:
    return path in names or PurePosixPath(path).name in names


def _matching(
    path: Path, photos: list[CaptionedPhoto], name: str, wanted: list[str]
) -> list[CaptionedPhoto]:
    known = sorted({getattr(photo, name) for photo in photos} - {""})
    absent = [one for one in wanted if one not in known]
    if absent:
        has = f"it has {first_few(known, 12)}" if known else f"the file names no {name}s"
        raise CaptionerError(f"{path}: no photo is of {name} {absent[0]!r}: {has}")
    return [photo for photo in photos if getattr(photo, name) in wanted]
