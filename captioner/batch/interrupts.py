"""Ctrl-C, and the polite signal to end, as a question that the run asks after each batch."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MESSAGE = b"\ncaptioner: finishing the current batch; once more stops at once\n"


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Whether someone asked to stop. Asked a second time, KeyboardInterrupt is raised at once."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        with suppress(OSError):  # nobody reads it
            os.write(2, _MESSAGE)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
