"""What visitors send: photos one by one, many at once, or packed in a ZIP."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, ListFiles

from captioner.errors import CaptionerError, ImageError

MAX_PHOTOS = 200
MAX_BYTES = 25 * 2**20  # of one photo
MAX_UPLOAD = 200 * 2**20  # of one file, which may be a ZIP of many photos


@dataclass(frozen=True)
class Upload:
    """A photo that arrived: its file, and the name its sender knows it by.

    `member` is its place inside that file where the file is a ZIP.
    """

    path: str
    name: str
    member: zipfile.ZipInfo | None = None

    def source(self) -> str | bytes:
        """What to open as a picture. Raises ImageError where a ZIP does not give it."""
        if self.member is None:
            return self.path
        if self.member.file_size > MAX_BYTES:
            raise ImageError(self.name, f"larger than {MAX_BYTES // 2**20} MB")
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self.member)
        except Exception as error:  # zipfile, zlib, lzma and missing passwords: a class each
            raise ImageError(self.name, f"cannot be unpacked: {error}") from error


def photo_input(**settings: Any) -> gr.File:
    """Takes files without looking into them: what they hold is found out where it is answered.

    Not a class of its own: gradio writes a stub file beside the source of each such class.
    """
    files = gr.File(**settings)
    photo = {"path": "photo.jpg", "meta": {"_type": "gradio.FileData"}}
    example = photo if files.file_count == "single" else [photo]
    files.preprocess = _received  # type: ignore[method-assign]
    files.example_payload = lambda: example  # type: ignore[method-assign]  # no address to fetch
    return files


def _received(payload: Any) -> Any:
    if isinstance(payload, ListFiles):
        return [_upload(file) for file in payload.root]
    return None if payload is None else _upload(payload)


def _upload(file: FileData) -> Upload:
    return Upload(file.path, Path(file.orig_name or file.path).name)


def unpack(uploads: Iterable[Upload | ImageError] | None) -> list[Upload | ImageError]:
    """All the photos in `uploads`, those in ZIP files included, at most MAX_PHOTOS.

    Nothing is unpacked onto the disk. Raises CaptionerError where there are too many or none.
    """
    photos: list[Upload | ImageError] = []
    for photo in _photos(uploads or []):
        photos.append(photo)
        if len(photos) > MAX_PHOTOS:
            raise CaptionerError(f"These are more than {MAX_PHOTOS} photos: send them in parts.")
    if not photos:
        raise CaptionerError("There are no photos: choose some, or a ZIP that holds some.")
    return photos


def _photos(uploads: Iterable[Upload | ImageError]) -> Iterator[Upload | ImageError]:
    for upload in uploads:
        if isinstance(upload, Upload) and upload.name.lower().endswith(".zip"):
            yield from _packed(upload)
        else:
            yield upload


def _packed(upload: Upload) -> Iterator[Upload | ImageError]:
    """The files in a ZIP, except what systems add to one unasked."""
    try:
        with zipfile.ZipFile(upload.path) as archive:
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        yield ImageError(upload.name, f"not a ZIP that can be read: {error}")
        return
    for member in members:
        inside = PurePosixPath(member.filename)
        if not (member.is_dir() or inside.name.startswith(".") or "__MACOSX" in inside.parts):
            yield Upload(upload.path, inside.name, member)
