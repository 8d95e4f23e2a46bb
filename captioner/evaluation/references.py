"""Photos with their reference captions, read from every format the field keeps them in.

COCO `captions_*.json`, Karpathy's `dataset_*.json`, the token files of Flickr8k and Flickr30k
(`name.jpg#0<TAB>caption`), the comma or bar separated lists these are also handed round as, and
JSON lines. No torch here: training reads its captions through the same function.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from captioner.errors import CaptionerError

PhotoId = int | str
Record = tuple[PhotoId, str, str, str, str]  # id, file name, caption, source, split


@dataclass(frozen=True)
class Photo:
    """A photo that captions are known of.

    `file_name` is its path within the folder or archive of photos; `source` the collection it
    is from and `split` the part of it, "" where the file does not say.
    """

    id: PhotoId
    file_name: str
    captions: tuple[str, ...]
    source: str = ""
    split: str = ""


def read_references(
    path: Path,
    split: str | None = None,
    source: str | None = None,
    need_captions: bool = True,
) -> list[Photo]:
    """All photos of a reference file, in its order, with their captions as they were written.

    `split` keeps one part (several with commas between, such as "train,restval"); it can also be
    the path of a list of file names, one a line, as Flickr8k's official splits are. `source` keeps
    the photos of one collection. Photos without any caption are left out unless `need_captions`
    is False. Raises CaptionerError for a file that cannot be read or leaves no photo.
    """
    path = Path(path)
    photos = _read(path)
    if split is not None:
        photos = _of_split(path, photos, split)
    if source is not None:
        photos = _matching(path, photos, "source", [source])
    photos = [photo for photo in photos if photo.captions or not need_captions]
    if not photos:
        raise CaptionerError(f"{path}: no photo in it has a caption")
    return photos


def read_json(path: Path) -> Any:
    """The content of a JSON file; CaptionerError names the place where it is broken."""
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CaptionerError(f"{path}: not valid JSON at {place}: {error.msg}") from error


def first_few(names: Iterable[object], count: int = 5) -> str:
    """The first names of many, as a message shows them: "a, b, c and 7 more"."""
    listed = [str(name) for name in names]
    more = len(listed) - count
    return ", ".join(listed[:count]) + (f" and {more} more" if more > 0 else "")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CaptionerError(f"{path}: not a text file in UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise CaptionerError(f"{path}: {error.strerror or error}") from error


def _read(path: Path) -> list[Photo]:
    if path.suffix.lower() == ".json":
        return _from_json(path, read_json(path))
    lines = [(number, line) for number, line in enumerate(_text(path).splitlines(), 1) if line]
    if not lines:
        raise CaptionerError(f"{path}: the file is empty")
    first = lines[0][1]
    if first.lstrip().startswith("{"):
        return _gather(path, _json_lines(path, lines))
    if "\t" in first and "#" in first.split("\t")[0]:
        return _gather(path, _token_lines(path, lines))
    for delimiter in "|,":
        names = [name.strip() for name in first.lower().split(delimiter)]
        if names[0] in ("image", "image_name"):
            return _gather(path, _table_lines(path, lines, delimiter))
    raise CaptionerError(
        f"{path}: line 1 is of no known caption format (COCO or Karpathy .json, "
        "'name.jpg#0<TAB>caption', or JSON lines with an image and a caption)"
    )


def _from_json(path: Path, content: Any) -> list[Photo]:
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        raise CaptionerError(f"{path}: no list of 'images', so neither COCO nor Karpathy captions")
    try:
        if any("sentences" in image for image in images):
            photos = [_karpathy(image, content.get("dataset", "")) for image in images]
        else:
            photos = _coco(path, images, content.get("annotations", []))
    except KeyError as error:
        raise CaptionerError(f"{path}: an entry lacks its {error}") from error
    except (TypeError, AttributeError) as error:
        raise CaptionerError(f"{path}: an entry is not of its format: {error}") from error
    doubles = [photo for photo, times in Counter(p.id for p in photos).items() if times > 1]
    if doubles:
        raise CaptionerError(f"{path}: {len(doubles)} photo ids occur twice: {first_few(doubles)}")
    return photos


def _coco(path: Path, images: list[Any], annotations: list[Any]) -> list[Photo]:
    captions: dict[PhotoId, list[str]] = {image["id"]: [] for image in images}
    unknown = []
    for annotation in annotations:
        if annotation["image_id"] not in captions:
            unknown.append(annotation["image_id"])
        elif annotation["caption"].strip():
            captions[annotation["image_id"]].append(annotation["caption"])
    if unknown:
        raise CaptionerError(
            f"{path}: {len(unknown)} captions belong to photos it does not list: "
            + first_few(unknown)
        )
    return [
        Photo(
            image["id"],
            image["file_name"],
            tuple(captions[image["id"]]),
            image.get("source", ""),
            image.get("split", ""),
        )
        for image in images
    ]


def _karpathy(image: dict[str, Any], source: str) -> Photo:
    folder = image.get("filepath", "")
    name = image["filename"]
    return Photo(
        image.get("cocoid", image.get("imgid", name)),
        f"{folder}/{name}" if folder else name,
        tuple(text["raw"].strip() for text in image["sentences"] if text["raw"].strip()),
        source,
        image.get("split", ""),
    )


def _json_lines(path: Path, lines: Sequence[tuple[int, str]]) -> Iterator[Record]:
    for number, line in lines:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise CaptionerError(f"{path}: line {number} is not JSON: {error.msg}") from error
        name = _first(entry, "file_name", "image", "path", "filename")
        texts = _first(entry, "captions", "caption", "references")
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(name, str) or not isinstance(texts, list):
            raise CaptionerError(f"{path}: line {number} needs an 'image' and a 'caption'")
        key = _first(entry, "image_id", "id")
        for text in texts:
            yield (
                name if key is None else key,
                name,
                str(text),
                str(entry.get("source", "")),
                str(entry.get("split", "")),
            )


def _first(entry: Any, *names: str) -> Any:
    found = [entry[name] for name in names if name in entry] if isinstance(entry, dict) else []
    return found[0] if found else None


def _token_lines(path: Path, lines: Sequence[tuple[int, str]]) -> Iterator[Record]:
    for number, line in lines:
        label, tab, caption = line.partition("\t")
        name, mark, _ = label.rpartition("#")
        if not tab or not mark:
            raise CaptionerError(f"{path}: line {number} is not 'name.jpg#0<TAB>caption'")
        yield name, name, caption, "", ""


def _table_lines(path: Path, lines: Sequence[tuple[int, str]], delimiter: str) -> Iterator[Record]:
    rows = csv.reader(
        (line for _, line in lines[1:]),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE,
    )
    for (number, _), row in zip(lines[1:], rows, strict=False):
        if len(row) < 2:
            raise CaptionerError(f"{path}: line {number} has no caption after its image's name")
        yield row[0].strip(), row[0].strip(), row[-1].strip(), "", ""


def _gather(path: Path, records: Iterable[Record]) -> list[Photo]:
    photos: dict[PhotoId, Photo] = {}
    for key, name, caption, source, split in records:
        photo = photos.setdefault(key, Photo(key, name, (), source, split))
        if photo.file_name != name:
            raise CaptionerError(
                f"{path}: photo id {key} names two files, {photo.file_name} and {name}"
            )
        if caption.strip():
            photos[key] = replace(photo, captions=(*photo.captions, caption.strip()))
    return list(photos.values())


def _of_split(path: Path, photos: list[Photo], split: str) -> list[Photo]:
    listing = Path(split)
    if not listing.is_file():
        return _matching(path, photos, "split", split.split(","))
    names = {line.strip() for line in _text(listing).splitlines()}
    kept = [photo for photo in photos if photo.file_name in names]
    if not kept:
        raise CaptionerError(f"{listing}: names no photo of {path}")
    return kept


def _matching(path: Path, photos: list[Photo], field: str, wanted: list[str]) -> list[Photo]:
    value = attrgetter(field)
    known = sorted({value(photo) for photo in photos} - {""})
    absent = [name for name in wanted if name not in known]
    if absent:
        has = f"it has {', '.join(known)}" if known else f"the file names no {field}s"
        raise CaptionerError(f"{path}: no photo is of {field} {absent[0]!r}: {has}")
    return [photo for photo in photos if value(photo) in wanted]
