"""The folder for what visitors send: of this run alone, with a quota, and gone afterwards."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import NamedTuple

KEPT = 15 * 60  # seconds that an upload is kept
QUOTA = 2 * 2**30  # bytes of all uploads together
LOOK = 30  # seconds after which the folder is looked through again
YOUNG = 60  # seconds in which an upload makes no room for another
_PREFIX = "captioner-page-"


class _File(NamedTuple):
    time: float
    size: int
    path: Path


class UploadFolder:
    """Where gradio puts uploads; the oldest make room for new ones."""

    def __init__(self, path: Path, quota: int = QUOTA) -> None:
        self.path = path
        self.quota = quota
        self._held = 0  # bytes of files when last looked, and those that came since
        self._looked = 0.0
        self._lock = Lock()

    def reserve(self, size: int) -> bool:
        """Whether there is room for `size` bytes more, which are taken for written then."""
        with self._lock:
            now = time.time()
            if now - self._looked > LOOK or self._held + size > self.quota:
                self._held = self._make_room(size, now)
                self._looked = now
            if self._held + size > self.quota:
                return False
            self._held += size
            return True

    def _make_room(self, wanted: int, now: float) -> int:
        """Removes old files, and the oldest of others while too many; returns the bytes left."""
        files = sorted(self._files())
        held = sum(file.size for file in files)
        for file in files:
            age = now - file.time
            if age > KEPT or (held + wanted > self.quota and age > YOUNG):
                _remove(file.path, self.path)
                held -= file.size
        return held

    def _files(self) -> list[_File]:
        files = []
        for folder, _, names in os.walk(self.path):
            for name in names:
                with suppress(OSError):  # gone meanwhile
                    path = Path(folder, name)
                    status = path.lstat()
                    files.append(_File(status.st_ctime, status.st_size, path))
        return files


def own_folder() -> UploadFolder:
    """The folder of this run, which gradio is told of; GRADIO_TEMP_DIR says if it is to be another.

    Folders of runs that were killed are removed.
    """
    given = os.environ.get("GRADIO_TEMP_DIR")
    if given:
        return UploadFolder(Path(given))
    _sweep(Path(tempfile.gettempdir()))
    path = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = path
    return UploadFolder(Path(path))


def _remove(path: Path, root: Path) -> None:
    with suppress(OSError):
        path.unlink()
        if path.parent != root:
            path.parent.rmdir()


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        number = re.match(rf"{_PREFIX}(\d+)-", path.name)
        if number and not _runs(int(number[1])):
            shutil.rmtree(path, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
