"""Where a run's rows go, and how they get onto the disk: a stream, or a record to be resumed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from captioner.batch.journal import Done, Journal, digest
from captioner.batch.result import PhotoResult
from captioner.batch.rows import Format, written_out
from captioner.batch.run import Item
from captioner.batch.summary import Summary
from captioner.errors import CaptionerError, ImageError
from captioner.files import broken_off, flush, is_taken, unwritable

_SHARE = 20  # a commit may take one part in so many of a run's time
_SOONEST, _LATEST = 0.1, 10.0  # seconds from one to the next


class Output:
    """Where rows go; here every photo is wanted."""

    def wanted(self, path: str) -> bool:
        """Whether a photo is still to be captioned."""
        return True

    def describes_itself(self, photo: Item) -> bool:
        """Whether one that is at hand now has a caption in its own bytes, and is to keep it."""
        return False

    def write(self, result: PhotoResult) -> None:
        raise NotImplementedError

    def commit(self, now: bool = False) -> None:
        """Bring everything onto the disk, if it is time to."""

    def finish(self) -> None:
        """What is written is all."""


class Stream(Output):
    """Standard output, a pipe, a device: rows go out at once, and nothing is kept."""

    def __init__(self, file: IO[str], format: Format) -> None:
        self._file, self._format = file, format
        self._steered = file.isatty()
        self._file.write(format.header())

    def write(self, result: PhotoResult) -> None:
        rows = self._format.rows(result)
        self._file.write(written_out(rows, but="\t\n") if self._steered else rows)
        self._file.flush()


class Target:
    """What a record's rows end up in: a file, or, as here, what is there once it is written."""

    journal: Path
    target: Path
    """What messages call it."""

    def has(self, path: str) -> bool:
        """Whether the photo has a caption already, and is to keep it."""
        raise NotImplementedError

    def has_inside(self, photo: bytes) -> bool:
        """The same of a photo that is no file, by its bytes."""
        return False

    def is_taken(self) -> bool:
        """Whether something stands there already, of an earlier run or not."""
        return False

    def is_unfinished(self) -> bool:
        """Whether what a run wrote may still wait to be put there."""
        return True

    def begin(self) -> None: ...
    def resume(self, position: int) -> None: ...
    def write(self, result: PhotoResult) -> None:
        raise NotImplementedError

    def commit(self) -> int:
        """Bring all rows onto the disk. Where they end."""
        raise NotImplementedError

    def finish(self) -> None: ...
    def discard(self) -> None: ...
    def close(self) -> None: ...


class Draft(Target):
    """A file that grows as `NAME.partial` and is NAME once the run is through.

    With `keep` it begins with the captions that NAME has, and their photos are passed over.
    """

    def __init__(self, target: Path, format: Format, keep: bool) -> None:
        real = os.path.realpath(target)
        self.target, self.journal = target, Path(f"{real}.progress")
        self._path, self._format, self._keep = Path(f"{real}.partial"), format, keep
        self._file: IO[bytes] | None = None
        self._kept: set[int] = set()

    def has(self, path: str) -> bool:
        return bool(self._kept) and digest(self._format.key(path)) in self._kept

    def is_taken(self) -> bool:
        return is_taken(self.target)

    def is_unfinished(self) -> bool:
        return self._path.exists()

    def begin(self) -> None:
        self._file = self._opened("wb")
        self._put(self._format.header())
        self._keep_captions(copy=True)

    def resume(self, position: int) -> None:
        if not self._path.exists() or self._path.stat().st_size < position:
            raise CaptionerError(
                f"{self._path}: is gone or was cut, so its run cannot be resumed; start again with"
                " --overwrite."
            )
        self._file = self._opened("r+b")
        self._file.truncate(position)
        self._file.seek(position)
        self._keep_captions(copy=False)

    def write(self, result: PhotoResult) -> None:
        self._put(self._format.rows(result))

    def commit(self) -> int:
        assert self._file is not None
        try:
            flush(self._file)
        except OSError as error:
            raise broken_off(self.target, error) from None
        return self._file.tell()

    def finish(self) -> None:
        self.close()
        try:
            self._format.finish(self._path, self.target)
        except OSError as error:
            raise broken_off(self.target, error) from None

    def discard(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk has been told of
                self._file.close()

    def _keep_captions(self, copy: bool) -> None:
        if not self._keep or not self.target.exists():
            return
        try:
            for key, line in self._format.existing(self.target):
                self._kept.add(digest(key))
                if copy:
                    self._put(line)
        except (OSError, ValueError) as error:
            raise CaptionerError(f"{self.target}: its captions cannot be read ({error}).") from None

    def _opened(self, mode: str) -> IO[bytes]:
        try:
            return open(self._path, mode)
        except OSError as error:
            raise unwritable(self.target, error) from None

    def _put(self, text: str) -> None:
        assert self._file is not None
        try:
            self._file.write(text.encode("utf-8", self._format.encoding_errors))
        except OSError as error:
            raise broken_off(self.target, error) from None


class Resumable(Output):
    """Rows with a journal: what is committed outlasts anything, what is not is done again."""

    def __init__(self, target: Target, journal: Journal, summary: Summary, done: Done) -> None:
        self._target, self._journal, self._summary = target, journal, summary
        self._done = done
        self._committed, self._wait = time.monotonic(), _SOONEST

    def wanted(self, path: str) -> bool:
        if self._done.take(path):
            return False
        if self._target.has(path):
            self._skip(path)
            return False
        return True

    def describes_itself(self, photo: Item) -> bool:
        if isinstance(photo, ImageError) or not isinstance(photo.content, bytes):
            return False
        described = self._target.has_inside(photo.content)
        if described:
            self._skip(photo.path)
        return described

    def _skip(self, path: str) -> None:
        self._summary.skipped += 1
        self._journal.done(path)

    def write(self, result: PhotoResult) -> None:
        self._target.write(result)
        self._journal.done(result.path)

    def commit(self, now: bool = False, complete: bool = False) -> None:
        started = time.monotonic()
        if now or started - self._committed >= self._wait:
            self._journal.commit(self._target.commit(), self._summary.counts(), complete)
            self._committed = time.monotonic()
            cost = self._committed - started
            self._wait = min(max(_SOONEST, _SHARE * cost), _LATEST)

    def finish(self) -> None:
        if self._summary.photos == self._summary.empty > 0:  # nothing was there to be captioned
            self._target.discard()
        else:
            self.commit(now=True, complete=True)
            self._target.finish()
        self._journal.remove()


@contextmanager
def recorded(
    target: Target,
    settings: Mapping[str, Any],
    summary: Summary,
    resume: bool,
    overwrite: bool,
    keep: bool,
) -> Iterator[Resumable | None]:
    """A record to write to; None where the run was complete before. Raises CaptionerError.

    `resume` goes on with an interrupted run of those settings. Where none was interrupted a run
    begins, but what stands there stays unless `overwrite` or `keep` says what becomes of it.
    Whatever ends the run, what is done stays; a run that captioned nothing leaves nothing.
    """
    fresh = not target.journal.exists()
    if fresh and not (overwrite or keep) and target.is_taken():
        if not resume:
            raise CaptionerError(
                f"{target.target}: is there already; --skip-existing keeps the captions in it and"
                " adds what is missing, --overwrite replaces it."
            )
        yield None
        return
    journal, began = Journal(target.journal, target.target), False
    try:
        if not resume and not fresh and not overwrite:
            raise CaptionerError(
                f"{target.journal}: an interrupted run left this; continue it with --resume, or"
                " start again with --overwrite."
            )
        done = journal.read(settings) if resume else None
        if done is not None:
            summary.take_up(journal.entry["counts"])
            if journal.entry.get("complete") and not target.is_unfinished():
                journal.remove()
                yield None
                return
            target.resume(journal.entry["position"])
        else:
            began = True
            target.begin()
            journal.begin(settings)
            journal.commit(target.commit(), summary.counts())
        yield Resumable(target, journal, summary, done or Done())
    except BaseException:
        if began and not summary.captioned:
            target.discard()
            journal.remove()
        raise
    finally:
        target.close()
        journal.close()


@contextmanager
def stream(path: Path | None, format: Format) -> Iterator[Stream]:
    """Standard output, or the pipe or device that `path` is."""
    if path is not None:
        try:
            with open(path, "w", encoding="utf-8", errors=format.encoding_errors) as file:
                yield Stream(file, format)
        except OSError as error:
            raise unwritable(path, error) from None
        return
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors=format.encoding_errors)
    yield Stream(sys.stdout, format)
