"""Where captions go that stay with their photos, and what stands there already."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path

from captioner.batch import xmp
from captioner.batch.descriptions import description, is_described, sidecars
from captioner.batch.embedding import embedded, exiv2
from captioner.errors import ImageError

KINDS = ("sidecar", "xmp", "embed")
"""The formats that stay with their photos."""

_ENDS = (b".", b",", b";", b":", b"!", b"?")
SIDECAR_NAMES = ("photo.jpg.xmp", "photo.xmp")


class Place(ABC):
    """Where a photo's caption goes, one for each kind."""

    format: str
    """Its name."""

    beside = True
    """Whether `--output` may name a folder for it."""

    way_out = ""
    """How else photos whose sidecars would be the same can be had apart."""

    @abstractmethod
    def of(self, photo: str) -> str:
        """The file that the caption of the photo of that path goes into."""

    @abstractmethod
    def has(self, photo: str, place: Path) -> bool:
        """Whether the photo has a caption that someone wrote. Raises OSError."""

    def has_inside(self, photo: bytes) -> bool:
        """Whether that counts which someone wrote into the photo of those bytes, and is there."""
        return bool(description(photo))

    @abstractmethod
    def content(self, photo: str, place: Path, sentences: list[str]) -> bytes:
        """What that file is to hold. Raises ImageError and OSError."""


class TextSidecar(Place):
    """`photo.txt`, or with another extension, beside `photo.jpg`; with `append` the sentence is put
    behind what stands there, once."""

    format = "sidecar"
    way_out = ", or take --format xmp, whose sidecars bear the photo's whole name"

    def __init__(self, extension: str = ".txt", append: bool = False) -> None:
        self._extension, self._append = extension, append

    def of(self, photo: str) -> str:
        return os.path.splitext(photo)[0] + self._extension

    def has(self, photo: str, place: Path) -> bool:
        return not self._append and bool(place.read_bytes().strip())

    def has_inside(self, photo: bytes) -> bool:
        return False

    def content(self, photo: str, place: Path, sentences: list[str]) -> bytes:
        text = "".join(f"{sentence}\n" for sentence in sentences).encode()
        there = place.read_bytes().rstrip() if self._append and place.exists() else b""
        if not there or there.endswith(text.rstrip()):
            return there + b"\n" if there else text
        return there + (b" " if there.endswith(_ENDS) else b", ") + text


class XmpSidecar(Place):
    """`photo.jpg.xmp`, or Lightroom's `photo.xmp`, beside `photo.jpg`."""

    format = "xmp"

    def __init__(self, name: str = SIDECAR_NAMES[0]) -> None:
        self._number = SIDECAR_NAMES.index(name)
        self.way_out = f", or take --sidecar-name {SIDECAR_NAMES[0]}" if self._number else ""

    def of(self, photo: str) -> str:
        return str(sidecars(photo)[self._number])

    def has(self, photo: str, place: Path) -> bool:
        return is_described(photo, place)

    def content(self, photo: str, place: Path, sentences: list[str]) -> bytes:
        try:
            return xmp.merged(place.read_bytes() if place.exists() else b"", sentences[0])
        except xmp.NotXmp:
            raise ImageError(photo, f"its sidecar {place} is no XMP; move it away") from None


class Inside(Place):
    """The photo's own metadata."""

    format = "embed"
    beside = False

    def __init__(self) -> None:
        exiv2()  # says where it is not installed

    def of(self, photo: str) -> str:
        return photo

    def has(self, photo: str, place: Path) -> bool:
        return is_described(photo)

    def content(self, photo: str, place: Path, sentences: list[str]) -> bytes:
        return embedded(photo, place.read_bytes(), sentences[0])
