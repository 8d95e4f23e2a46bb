"""Photos with the captions that people keep with them: in files beside them, or in lists."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from captioner.batch.descriptions import description, sidecar_description, sidecars
from captioner.datasets.captions import first_few, read_references
from captioner.datasets.photos.index import PhotoIndex
from captioner.datasets.photos.search import ARCHIVES
from captioner.datasets.photos.sources import files
from captioner.datasets.text import encoding_of
from captioner.errors import CaptionerError, ImageError
from captioner.teaching.unpack import from_table, is_photo_table, unpack_archive

LISTS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".gz")
OF_A_FOLDER = ("metadata.csv", "metadata.jsonl", "metadata.parquet")  # Hugging Face's names
BESIDE = (".txt", ".caption")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Pair:
    """A photo and what was written about it. `content` is what `open_image` takes."""

    name: str
    content: Any = field(repr=False)
    captions: tuple[str, ...]


def read_pairs(inputs: Sequence[str], room: Path, tell: Tell) -> list[Pair]:
    """The photos that the inputs stand for, with their captions.

    An input is a photo, a folder, a pattern, a file that lists captions (what `read_references`
    reads), a Parquet file with photos in it, or an archive, which is unpacked into `room` and
    stands for what a folder does. The captions of a photo that no list names are those beside it
    (`photo.txt`, `photo.caption`, XMP sidecars), else the description in it. `tell` gets a sentence
    on photos without a caption and on captions without a photo.

    Raises CaptionerError for an input that cannot be read.
    """
    archives = [name for name in inputs if name.lower().endswith(ARCHIVES)]
    there = [name for name in inputs if name not in archives and os.path.isfile(name)]
    lists = [Path(name) for name in there if name.lower().endswith(LISTS)]
    others = [
        str(unpack_archive(Path(name), room)) if name in archives else name
        for name in inputs
        if Path(name) not in lists
    ]
    folders = [Path(name) for name in others if os.path.isdir(name)]
    lists += [
        path for folder in folders for name in OF_A_FOLDER for path in sorted(folder.rglob(name))
    ]
    listed = _together(_listed(lists, folders, room, tell), tell)
    known = {os.path.realpath(pair.content) for pair in listed if isinstance(pair.content, str)}
    described = _described(others, folders, known, tell)
    return [replace(p, name=p.name.removeprefix(f"{room}{os.sep}")) for p in [*listed, *described]]


def _listed(
    lists: Iterable[Path], places: Sequence[Path], room: Path, tell: Tell
) -> Iterator[Pair]:
    for file in lists:
        pairs = list(_photos_in(file, places, room, tell))
        told = [pair for pair in pairs if pair.captions]
        absent = [pair.name for pair in told if pair.content is None]
        _say(tell, f"{file}: captions without a photo", absent)
        silent = [pair.name for pair in pairs if not pair.captions]
        _say(tell, f"{file}: photos without a caption", silent)
        yield from (pair for pair in told if pair.content is not None)


def _photos_in(file: Path, places: Sequence[Path], room: Path, tell: Tell) -> Iterator[Pair]:
    """The photos that a list names or holds; the content of one that is not there is None."""
    if is_photo_table(file):
        yield from (Pair(*each) for each in from_table(file, room))
        return
    index = PhotoIndex(list(dict.fromkeys([*places, file.parent])))
    for photo in read_references(file, need_captions=False, tell=tell):
        near = [Path(photo.file_name), file.parent / photo.file_name]
        found = next((str(path) for path in near if path.is_file()), None)
        stored = None if found else index.find(photo.file_name)
        yield Pair(photo.file_name, stored.read() if stored else found, photo.captions)


def _together(listed: Iterable[Pair], tell: Tell) -> list[Pair]:
    """Each photo once, with the captions of all lists that name it."""
    found: dict[Any, Pair] = {}
    twice: dict[str, None] = {}
    for pair in listed:
        key = os.path.realpath(pair.content) if isinstance(pair.content, str) else pair.content
        known = found.get(key)
        captions = pair.captions
        if known is not None and set(known.captions) != set(captions):
            twice[known.name] = None
            captions = tuple(dict.fromkeys([*known.captions, *captions]))
        found[key] = replace(known or pair, captions=captions)
    if twice:
        tell(
            "photos of which two lists say different things; they are learnt with the captions of"
            f" both ({len(twice)}): {first_few(list(twice))}"
        )
    return list(found.values())


def _described(
    photos: Sequence[str], folders: Sequence[Path], known: set[str], tell: Tell
) -> Iterator[Pair]:
    silent, stems = [], set()
    for photo in files(photos):
        if isinstance(photo, ImageError):
            tell(str(photo))
            continue
        stems |= {photo, os.path.splitext(photo)[0]}
        if os.path.realpath(photo) in known:
            continue
        captions = captions_of(photo)
        if captions:
            yield Pair(photo, photo, captions)
        else:
            silent.append(photo)
    _say(tell, "photos without a caption", silent)
    beside = [str(path) for folder in folders for path in sorted(folder.rglob("*"))]
    stray = [path for path in beside if path.lower().endswith(BESIDE)]
    stray = [path for path in stray if os.path.splitext(path)[0] not in stems]
    _say(tell, "captions without a photo", stray)


def captions_of(photo: str) -> tuple[str, ...]:
    """What was written beside the photo of that path, one caption a line, else in it.

    Raises CaptionerError for a file beside it that is no text.
    """
    stems = (photo, os.path.splitext(photo)[0])
    for path in (Path(stem + end) for end in BESIDE for stem in stems):
        if path.is_file():
            return tuple(_lines(path))
    texts = (*map(sidecar_description, sidecars(photo)), description(photo))
    return tuple(filter(None, texts))[:1]


def _lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
        text = data.decode(encoding_of(data[:4]))
    except OSError as error:
        raise CaptionerError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise CaptionerError(f"{path}: is no text in UTF-8; save it as such") from None
    if "\0" in text:
        raise CaptionerError(f"{path}: is no text; it should hold the photo's caption")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _say(tell: Tell, what: str, names: Sequence[str]) -> None:
    if names:
        tell(f"{what}, left out ({len(names)}): {first_few(names)}")


def check_pairs(pairs: Sequence[Pair], least: int) -> None:
    """Raise CaptionerError, saying what to do, for pairs from which nothing can be learnt."""
    if not pairs:
        raise CaptionerError(
            "no photo has a caption; write them into files beside the photos (photo.txt), or into"
            " a table with the columns file_name and caption"
        )
    if len(pairs) < least:
        raise CaptionerError(
            f"too few photos with captions ({len(pairs)}) to learn from and to tell whether it"
            f" helped: {least} at least; with 20 some names are learnt, with 200 most of them"
        )
    captions = [caption for pair in pairs for caption in pair.captions]
    if len({caption.casefold() for caption in captions}) == 1:
        raise CaptionerError(
            f"all {len(pairs)} photos have the same caption, {captions[0][:60]!r}: there is nothing"
            " to tell them apart by"
        )
    named = sum(any(_is_name(caption, pair.name) for caption in pair.captions) for pair in pairs)
    if 2 * named > len(pairs):
        raise CaptionerError(
            f"{named} of {len(pairs)} captions are the names of their files, {captions[0][:60]!r}"
            " say: write what the photos show"
        )


def _is_name(caption: str, name: str) -> bool:
    stem = os.path.splitext(os.path.basename(name))[0]
    plain = [re.sub(r"\W|_", "", text).casefold() for text in (caption, stem, stem + name[-4:])]
    return plain[0] in plain[1:] or re.fullmatch(r"\S+\.(jpe?g|png|webp|heic)", caption) is not None


def given_pairs(pairs: Iterable[Any]) -> list[Pair]:
    """Pairs of a picture and its caption or captions, as Python code has them.

    Raises CaptionerError for what is no such pair.
    """
    found = []
    for number, pair in enumerate(pairs):
        try:
            picture, captions = pair
        except (TypeError, ValueError):
            raise CaptionerError(f"pair {number}: must be a picture and its caption") from None
        several = [captions] if isinstance(captions, str) else list(captions)
        if not all(isinstance(caption, str) for caption in several):
            raise CaptionerError(f"pair {number}: its captions must be texts")
        kept = tuple(caption.strip() for caption in several if caption.strip())
        path = isinstance(picture, (str, os.PathLike))
        if kept:
            found.append(Pair(str(picture) if path else f"picture {number}", picture, kept))
    return found
