"""Captions at the photos themselves: plain text or XMP beside each, or in its own metadata."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from captioner.batch.journal import digest
from captioner.batch.output import Target
from captioner.batch.places import Place
from captioner.batch.result import PhotoResult
from captioner.batch.rivals import rivals
from captioner.batch.run import Item
from captioner.datasets.photos import remote
from captioner.datasets.photos.sources import is_pattern
from captioner.errors import CaptionerError, ImageError
from captioner.files import broken_off, replacing, rewrite, sync_folder

_OF_ONE_PHOTO = {
    *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
}  # what keeps one sidecar from being written, and may spare the next
_SHOWN = 10  # conflicts that are named before the rest is counted


class Sidecars(Target):
    """Writes each photo's caption where `kind` has it; below `folder` if one is given.

    There the photos' own folders are made again, from each of the `inputs` down. The journal lies
    in that folder, or in this one.
    """

    def __init__(
        self, kind: Place, inputs: Sequence[str], folder: Path | None, overwrite: bool
    ) -> None:
        self.kind, self.folder, self.overwrite = kind, folder, overwrite
        self.target = folder or Path("sidecars")
        name = digest("\n".join([kind.format, *inputs]))
        self.journal = (folder or Path()) / f"captioner-{name:016x}.progress"
        self._roots = sorted(filter(None, map(_root, inputs)), key=len, reverse=True)
        self._fresh: list[Path] = []

    def place(self, photo: str) -> Path:
        """Where the caption of the photo of that path goes."""
        name = self.kind.of(photo)
        return Path(name) if self.folder is None else self.folder / self._below(name)

    def has(self, photo: str) -> bool:
        if self.overwrite:
            return False
        try:
            return self.kind.has(photo, self.place(photo))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            return error.errno != errno.ENAMETOOLONG  # then writing it says so

    def has_inside(self, photo: bytes) -> bool:
        return not self.overwrite and self.kind.has_inside(photo)

    def write(self, result: PhotoResult) -> None:
        """Put the photo's caption in place, whole. Raises ImageError where just this one fails."""
        if result.caption is None:
            return
        path = self.place(result.path)
        sentences = [c.text for c in (result.caption, *result.caption.alternatives)]
        try:
            content = self.kind.content(result.path, path, sentences)
            _write(path, content)
        except OSError as error:
            if error.errno not in _OF_ONE_PHOTO:
                raise broken_off(path, error) from None
            what = "its sidecar" if self.kind.beside else "it"
            reason = f"{what} cannot be written ({error.strerror})"
            raise ImageError(result.path, reason) from None
        self._fresh.append(path)

    def commit(self) -> int:
        for path in self._fresh:
            try:
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
            except FileNotFoundError:
                continue  # moved on by someone already
        for folder in {path.parent for path in self._fresh}:
            sync_folder(folder)
        self._fresh.clear()
        return 0

    def check(self, photos: Callable[[], Iterable[Item]]) -> None:
        """Raise CaptionerError, before anything is captioned, for what could not end well.

        Two photos with one sidecar, a folder that cannot be written, a photo that has no beside.
        `photos` is called once, and again to name those with one sidecar if there are any.
        """
        found = rivals(lambda: self._places(photos()))
        named = [f"{' and '.join(names)} → {place}" for place, names in found.items()]
        more = f", and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        if named:
            raise CaptionerError(
                f"these photos would write the same sidecar: {'; '.join(named[:_SHOWN])}{more};"
                f" rename them{self.kind.way_out}."
            )

    def _places(self, photos: Iterable[Item]) -> Iterator[tuple[str, Path]]:
        """The path of each photo, and the place of its caption, which can be written."""
        folders = set[Path]()
        for photo in photos:
            if isinstance(photo, ImageError) or isinstance(photo.content, ImageError):
                continue
            if self.folder is None and not isinstance(photo.content, str):
                advice = "name a folder for the sidecars with --output"
                raise CaptionerError(
                    f"{photo.path}: lies in an archive, in a table or elsewhere, where nothing is"
                    f" written; {advice if self.kind.beside else 'copy it to a folder'}."
                )
            place = self.place(photo.path)
            if place.parent not in folders:
                folders.add(place.parent)
                _check_folder(place.parent)
            yield photo.path, place

    def _below(self, path: str) -> PurePosixPath:
        """The part of a photo's path that is made again below the folder; never outside it."""
        for root in self._roots:
            if path.startswith(root):
                path = path[len(root) :]
                break
        path = re.sub(r"^[\w.+-]+://", "", path)
        return PurePosixPath(*(p for p in PurePosixPath(path).parts if p not in ("/", "..", ".")))


def _root(name: str) -> str:
    """What all the photos that an input stands for have in front, not to be made again."""
    if remote.is_remote(name) or is_pattern(name):
        fixed = re.split(r"[*?\[]", name)[0]
        return fixed[: fixed.rfind("/") + 1]
    if name == "-":
        return ""
    return os.path.join(name if os.path.isdir(name) else os.path.dirname(name), "")


def _check_folder(folder: Path) -> None:
    """Raise CaptionerError for a folder that cannot be made, or written."""
    there = folder
    while not os.path.exists(there) and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise CaptionerError(f"{folder}: sidecars cannot be written there; check its permissions.")


def _write(path: Path, content: bytes) -> None:
    """Give the file this content, whole. It is on the disk only with `commit`, but where the file
    has other names too (hard links) and stays the one that it is. Raises OSError."""
    if path.exists() and path.stat().st_nlink > 1:
        try:
            return rewrite(path, content)
        except CaptionerError as error:
            raise (error.__cause__ or error) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, sync=False) as draft:
        draft.write_bytes(content)
