"""What a run has finished, on disk: the reason why it can be killed and resumed.

A line of JSON at the start has the run's settings, and one after each commit how far it is: where
the output ends, the counts so far, and a digest of each photo that is done since the line before.
The output is on the disk before the line that speaks of it, so what follows the last whole line, in
the journal and in the output, is cut off on resuming and done again.
"""

from __future__ import annotations

import fcntl
import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from captioner.datasets.text import parsed
from captioner.errors import CaptionerError
from captioner.files import broken_off, flush, sync_folder, unwritable

_DIGITS = 16  # of a digest, in hexadecimal


def digest(path: str) -> int:
    """64 bits that stand for a path: ten million of them collide once in 400,000 runs."""
    return int.from_bytes(
        blake2b(path.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
    )


class Done:
    """The photos that are done, each taken out once as it comes along again."""

    def __init__(self, digests: Iterable[int] = ()) -> None:
        self._digests = array("Q", sorted(digests))
        self._taken = array(
            "Q", bytes(8 * len(self._digests))
        )  # of a digest, where its first one is

    def take(self, path: str) -> bool:
        value = digest(path)
        first = bisect_left(self._digests, value)
        if value not in self._digests[first : first + 1]:
            return False
        following = first + self._taken[first]
        if value not in self._digests[following : following + 1]:
            return False
        self._taken[first] += 1
        return True


class Journal:
    """The journal at `path` of a run into `output`. Raises CaptionerError where it cannot be
    written or another run holds it."""

    def __init__(self, path: Path, output: Path) -> None:
        self.path, self._output = path, output
        self.entry: dict[str, Any] = {}
        """How far the run was at its last commit."""
        self._fresh: list[str] = []
        try:
            self._file: IO[bytes] = open(path, "a+b")  # noqa: SIM115, closed by close()
        except OSError as error:
            raise unwritable(output, error) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise CaptionerError(f"{output}: another run is at work on it.") from None

    def read(self, settings: Mapping[str, Any]) -> Done | None:
        """Take up what a run before this one left, and what it has done; None if it left nothing.

        Raises CaptionerError where that run had other settings.
        """
        self._file.seek(0)
        head = _entry(self._file.readline())
        if head is None:
            return None
        check_settings(self._output, head.get("settings", {}), settings)
        digests, end = array("Q"), self._file.tell()
        while (entry := _entry(self._file.readline())) is not None:
            self.entry, end = entry, self._file.tell()
            done = entry.pop("done")
            digests.extend(int(done[at : at + _DIGITS], 16) for at in range(0, len(done), _DIGITS))
        self._file.truncate(end)
        return Done(digests) if self.entry else None

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Start anew, whatever stood here."""
        self._file.truncate(0)
        self._append({"settings": settings})
        sync_folder(self.path.parent)

    def done(self, path: str) -> None:
        self._fresh.append(f"{digest(path):0{_DIGITS}x}")

    def commit(self, position: int, counts: Mapping[str, Any], complete: bool = False) -> None:
        """Write down that the output up to `position` holds all that is done."""
        entry = {"position": position, "counts": counts, "done": "".join(self._fresh)}
        self._append({**entry, "complete": True} if complete else entry)
        self._fresh.clear()

    def close(self) -> None:
        with suppress(OSError):  # a full disk has been told of
            self._file.close()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.close()

    def _append(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry).encode() + b"\n"
        try:
            self._file.write(line)
            flush(self._file)
        except OSError as error:
            raise broken_off(self._output, error) from None


def _entry(line: bytes) -> dict[str, Any] | None:
    """What a line says; None for the end, and for a line that was torn when the run died."""
    if not line.endswith(b"\n"):
        return None
    entry = parsed(line)
    return entry if isinstance(entry, dict) else None


def check_settings(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise CaptionerError where the run into `path` that is to be resumed had others."""
    plain = json.loads(json.dumps(new))
    changed = [name for name in plain if old.get(name) != plain[name]]
    if changed:
        was = ", ".join(f"{name} {old.get(name)!r} (now {plain[name]!r})" for name in changed)
        raise CaptionerError(
            f"{path}: the interrupted run had other settings: {was}; resume it with those, or"
            " start again with --overwrite and without --resume."
        )
