"""What visitors send: photos one by one, many at once, or packed in an archive."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import gradio as gr
from gradio.data_classes import FileData, ListFiles

from captioner.datasets.photos.archives import members
from captioner.datasets.photos.photo import Photo
from captioner.datasets.photos.search import ARCHIVES, Search
from captioner.errors import CaptionerError, ImageError

MAX_PHOTOS = 1000
MAX_UPLOAD = 200 * 2**20  # of one upload, which may be an archive of many photos
MAX_DIRECTORY = 4 * 2**20  # bytes in which a ZIP lists what it holds: some 40,000 files
SECONDS = 20.0  # of processor time for going through the archives of a request, once


@dataclass(frozen=True)
class Upload:
    """A file that arrived, and the name its sender knows it by."""

    path: str
    name: str


def photo_input(**settings: Any) -> gr.File:
    """Takes files without looking into them: what they hold is found out where it is answered.

    Not a class of its own: gradio writes a stub file beside the source of each such class.
    """
    files = gr.File(visible=False, **settings)
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


def count(uploads: Iterable[Upload] | None) -> int:
    """How many photos there are, those in archives included. Raises CaptionerError for more than
    MAX_PHOTOS, and for none."""
    total = 0
    for _ in unpack(uploads or []):
        total += 1
        if total > MAX_PHOTOS:
            raise CaptionerError(f"These are more than {MAX_PHOTOS:,} photos: send them in parts.")
    if not total:
        raise CaptionerError("There are no photos: choose some, or an archive that holds some.")
    return total


def unpack(uploads: Iterable[Upload]) -> Iterator[Photo | ImageError]:
    """The photos in `uploads`, in order, those in archives under their path there.

    Nothing is unpacked onto the disk. What a photo of an archive holds is to be had, by a call that
    may raise ImageError, until the next is asked for. Raises CaptionerError for an archive that
    takes too long to go through.
    """
    patience = _Patience()
    for upload in uploads:
        if not upload.name.lower().endswith(ARCHIVES):
            yield Photo(upload.name, upload.path)
            continue
        with open(upload.path, "rb") as file:
            yield from patience.through(_found(upload.name, file, patience))


def _found(name: str, file: IO[bytes], patience: _Patience) -> Iterator[Photo | ImageError]:
    def watch(opened: IO[bytes]) -> IO[bytes]:
        return cast("IO[bytes]", _Watched(opened, patience, name))

    if name.lower().endswith(".zip"):
        yield from _nested(name, watch(file))
        file.seek(0)
    yield from members(name, file, Search(), watch)


class _Patience:
    """How long the archives of a request may still take to be gone through. What is between two
    photos counts, not what is done with them."""

    def __init__(self) -> None:
        self.left = SECONDS
        self.since: float | None = None  # this thread's processor time

    def through(self, photos: Iterator[Photo | ImageError]) -> Iterator[Photo | ImageError]:
        while True:
            self.since = time.thread_time()
            photo = next(photos, None)
            self.left -= time.thread_time() - self.since
            self.since = None
            if photo is None:
                return
            yield photo

    def is_over(self) -> bool:
        return self.since is not None and time.thread_time() - self.since > self.left


class _Watched:
    """An archive's file that says so where its reader has been at it for too long."""

    def __init__(self, file: IO[bytes], patience: _Patience, name: str) -> None:
        self._file, self._patience, self._name = file, patience, name

    def read(self, size: int = -1) -> bytes:
        going_through = self._patience.since is not None
        if self._patience.is_over() or (going_through and size > MAX_DIRECTORY):
            raise ImageError(
                self._name, "holds too much to be gone through; send its photos in smaller archives"
            )
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _nested(name: str, file: IO[bytes]) -> Iterator[ImageError]:
    """The archives in a ZIP: nobody is to wonder where their photos are."""
    with suppress(zipfile.BadZipFile, ValueError), zipfile.ZipFile(file) as archive:
        for inside in archive.namelist():
            if inside.lower().endswith(ARCHIVES):
                yield ImageError(f"{name}/{inside}", "is an archive inside an archive; unpack it")
