"""Ctrl-C, and the polite signal to end, as a question that a run asks after each batch or step."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts(answer: str = "finishing the current batch") -> Iterator[Callable[[], bool]]:
    """Whether someone asked to stop, to whom that is answered. Asked a second time,
    KeyboardInterrupt is raised at once."""
    asked, message = False, f"\ncaptioner: {answer}; once more stops at once\n".encode()
    own = os.getpid()

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if os.getpid() != own:  # a worker forked meanwhile, whose end is the run's affair
            if number == signal.SIGTERM:
                os._exit(128 + number)
            return
        if asked:
            raise KeyboardInterrupt
        asked = True
        with suppress(OSError):  # nobody reads it
            os.write(2, message)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
