"""The command in a process of its own, with a captioner that needs no model: to be killed.

Processes are forked from one that has imported everything, so that one is there within
milliseconds.
"""

import os
import resource
import sys
from collections.abc import Iterable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

import captioner.batch.command
import captioner.batch.job
import captioner.batch.ray_engine  # noqa: F401
from captioner import cli
from tests.batch.fakes import SlowCaptioner

_context = get_context("forkserver")
_context.set_forkserver_preload([__name__])


def start(
    arguments: Iterable[object],
    folder: Path,
    seconds: float = 0.0,
    most: int | None = None,
    largest_file: int | None = None,
) -> BaseProcess:
    """Start `captioner ARGUMENTS` in a folder; what it says goes to `said.txt` there.

    `seconds` are those a photo takes, until `most` are done: see SlowCaptioner. No file may become
    larger than `largest_file` bytes.
    """
    words = [str(argument) for argument in arguments]
    process = _context.Process(target=_run, args=(words, folder, seconds, most, largest_file))
    process.start()
    return process


def run(arguments: Iterable[object], folder: Path, **how: Any) -> int | None:
    """The exit code of `captioner ARGUMENTS`."""
    process = start(arguments, folder, **how)
    process.join()
    return process.exitcode


def _run(
    words: list[str], folder: Path, seconds: float, most: int | None, largest_file: int | None
) -> None:
    os.chdir(folder)
    with open("said.txt", "w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    stub = ModuleType("captioner.captioner")
    stub.load = lambda path=None, **wish: SlowCaptioner(seconds, most)  # type: ignore[attr-defined]
    sys.modules[stub.__name__] = stub
    sys.argv = ["captioner", *words]
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    cli.main()
