"""What a run shows of itself: lines by a clock that the test turns, a bar on a terminal."""

import fcntl
import io
import os
import pty
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace

import pytest

import captioner.batch.summary
from captioner.batch.columns import Columns
from captioner.batch.output import Stream
from captioner.batch.result import PhotoResult
from captioner.batch.rows import Csv
from captioner.batch.summary import Progress, Summary
from tests.batch.fakes import sentence

GOOD, BAD = (
    PhotoResult("a.jpg", sentence("a", "dog")),
    PhotoResult("b.jpg", error="is empty (0 bytes)"),
)


def counted() -> None:
    """Wait until the thread that counts the photos is through."""
    for thread in threading.enumerate():
        if "_find_total" in thread.name:
            thread.join(5)


def screen(terminal: int) -> Iterator[bytes]:
    """What was written to a terminal that is closed by now."""
    with suppress(OSError), os.fdopen(terminal, "rb", 0) as file:
        while chunk := file.read(1 << 16):
            yield chunk


def test_elsewhere_a_line_every_thirty_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(captioner.batch.summary, "time", SimpleNamespace(monotonic=lambda: now))
    summary = Summary()
    with Progress(summary, lambda: 2000, quiet=False) as progress:
        for second in range(1, 96):
            now = float(second)
            for result in [GOOD] * 9 + [BAD]:
                summary.add(result)
            progress.update()
            counted()
    first, *others = capsys.readouterr().err.splitlines()
    assert first.startswith("captioner: 300 ")  # they may not be counted yet
    assert others == [
        "captioner: 600 of 2,000 photos, 10.0 photos/s, 2 min 20 s left, 60 errors",
        "captioner: 900 of 2,000 photos, 10.0 photos/s, 1 min 50 s left, 90 errors",
    ]


def test_the_rate_of_a_whole_run_is_that_of_captions(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(captioner.batch.summary, "time", SimpleNamespace(monotonic=lambda: now))
    summary = Summary()
    summary.take_up({"captioned": 7, "failed": {"is empty": 2}})
    for result in [GOOD] * 20 + [BAD] * 30:
        summary.add(result)
    now = 10.0
    expected = "27 photos captioned, 32 failed, 9 of them by earlier runs; 10 s, 2.0 photos/s"
    assert summary.lines()[0] == expected


def test_on_a_terminal_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    summary = Summary()
    with os.fdopen(there, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with Progress(summary, lambda: 8, quiet=False) as progress:
            counted()
            for result in (GOOD, BAD):
                summary.add(result)
            progress.say("captioner: b.jpg: is empty (0 bytes)")
    shown = b"".join(screen(here)).decode()
    assert "captioner: b.jpg: is empty (0 bytes)" in shown
    assert "2/8" in shown and "photos/s" in shown and "1 error]" in shown
    assert "<" in shown  # before the time left


def test_on_a_terminal_nothing_in_a_row_is_obeyed() -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    stream = Stream(terminal, Csv(Columns(("caption",))))
    stream.write(PhotoResult("a\x1b[2J\u2028.jpg", sentence("a", "dog")))
    assert terminal.getvalue() == "path,caption\na\\x1b[2J\\u2028.jpg,A dog.\n"
