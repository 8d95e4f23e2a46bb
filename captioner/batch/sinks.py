"""Where captions go: one class a format, and files that are there whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from captioner.batch.run import Result
from captioner.caption import Caption
from captioner.errors import CaptionerError


class Sink(Protocol):
    """Takes the results one by one, in order."""

    def write(self, result: Result) -> None: ...


class Text:
    """`path<TAB>caption`, a line for each further caption after it; none for a failure."""

    encoding_errors = "surrogateescape"  # a path comes out with the bytes it has on disk

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def write(self, result: Result) -> None:
        if result.caption is None:
            return
        for caption in (result.caption, *result.caption.alternatives):
            self.stream.write(f"{result.path}\t{caption.text}\n")
        self.stream.flush()


class JsonLines:
    """One object a line: path, caption, score, words and alternatives, or path and error."""

    encoding_errors = "backslashreplace"  # which is JSON's own way to write such a character

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def write(self, result: Result) -> None:
        row: dict[str, Any] = {"path": result.path}
        if result.caption is None:
            row["error"] = result.error
        else:
            row |= _fields(result.caption)
            if result.caption.alternatives:
                row["alternatives"] = [_fields(other) for other in result.caption.alternatives]
        self.stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.stream.flush()


def _fields(caption: Caption) -> dict[str, Any]:
    return {"caption": caption.text, "score": caption.score, "words": list(caption.words)}


FORMATS: dict[str, type[Text] | type[JsonLines]] = {"text": Text, "jsonl": JsonLines}


class Failures:
    """Says on standard error which photo failed and why, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, result: Result) -> None:
        if result.caption is None:
            self.count += 1
            print(f"captioner: {result.path}: {result.error}", file=sys.stderr, flush=True)


class Attention:
    """A picture a photo, `NAME.attention.png` in `folder`: the photo with one panel a word."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error
        if not os.access(folder, os.W_OK):
            raise CaptionerError(f"{folder}: cannot be written: no permission.")
        self.folder = folder
        self._written: set[str] = set()

    def write(self, result: Result) -> None:
        if result.caption is None:
            return
        from captioner.images import open_image
        from captioner.overlay import panels

        picture = panels(open_image(result.path), result.caption)
        with whole_file(self.folder / self._name(result.path), "wb") as file:
            picture.save(file, format="PNG")

    def _name(self, path: str) -> str:
        """Photos of one name from two folders get pictures of two names."""
        stem, number = Path(path).stem, 1
        name = f"{stem}.attention.png"
        while name in self._written:
            number += 1
            name = f"{stem}-{number}.attention.png"
        self._written.add(name)
        return name


@contextmanager
def open_output(path: Path | None, encoding_errors: str) -> Iterator[IO[str]]:
    """UTF-8 text into `path`, or standard output; paths that are not UTF-8 go `encoding_errors`."""
    if path is not None:
        with whole_file(path, "w", encoding="utf-8", errors=encoding_errors) as file:
            yield file
        return
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors=encoding_errors)
    yield sys.stdout


@contextmanager
def whole_file(path: Path, mode: str, **how: Any) -> Iterator[IO[Any]]:
    """A file to write that takes `path`'s place once it is complete; until then that is as it was.

    Raises CaptionerError where it cannot be written. A device or a pipe is written directly.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            with open(target, mode, **how) as file:
                yield file
            return
        draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with open(draft, mode, **how) as file:
                yield file
            os.replace(draft, target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> CaptionerError:
    return CaptionerError(f"{path}: cannot be written: {error.strerror or error}.")
