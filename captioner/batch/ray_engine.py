"""The same job on many machines, with Ray Data: a folder of parts, each the work of one actor.

What is to be done is written down first, in `_parts/` in the output folder: the settings, and for
each part the files in it. An actor takes part after part, captions it as a run on one machine
would, and puts its rows in place whole, `part-00000.jsonl`; a part that is there is done, and
`_outcomes/` has what became of its photos. If an actor dies, Ray gives its part to another; if all
of them die, a resumed run does the parts that are missing.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import socket
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, groupby, islice
from pathlib import Path
from typing import Any

from captioner.batch.job import INTERRUPTED, Job, results_of, row_format, way_on
from captioner.batch.journal import check_settings
from captioner.batch.output import Output
from captioner.batch.result import PhotoResult
from captioner.batch.summary import Progress, Summary
from captioner.cli.streams import tell
from captioner.datasets.photos.search import Search, holds_photos
from captioner.datasets.photos.sources import files
from captioner.datasets.photos.stream import check_tables
from captioner.errors import CaptionerError, ImageError
from captioner.extras import needed
from captioner.files import drafts, flush, make_folder, whole_file, whole_folder
from captioner.interrupts import interrupts

PARTS, SETTINGS = "_parts", "settings.json"
OUTCOMES = "_outcomes"
ATTEMPTS = 4  # at a part, each ended by the death of its actor


@dataclass(frozen=True)
class Cluster:
    """Where the job runs: `address` None starts Ray on this machine; a worker is an actor with one
    core, or with one GPU where the device is one; `max_workers` None takes all there are."""

    address: str | None = None
    min_workers: int = 1
    max_workers: int | None = None
    part_size: int = 1024
    device: str | None = None


def run_on_ray(job: Job, cluster: Cluster) -> int:
    """Do the job, whose output is a folder; the exit code: 0, 1 if a photo failed, 130 if someone
    stopped it.

    Raises CaptionerError for what makes the whole run impossible.
    """
    with interrupts() as stopped_early:
        try:
            return _run(job, cluster, stopped_early)
        except SystemExit:  # raised by Ray's own handler, where SIGTERM comes while Ray starts
            tell(way_on(True))
            return INTERRUPTED


def _run(job: Job, cluster: Cluster, stopped_early: Callable[[], bool]) -> int:
    row_format(job)  # says what is not installed
    check_tables(job.inputs, job.column, job.columns.kept)
    ray = _ray()
    if cluster.address is not None:
        _check_address(cluster.address)
    assert job.output is not None
    folder = job.output
    make_folder(folder)
    search = Search(job.exclude)
    pending = _pending(job, folder, cluster.part_size, search)
    _tidy(folder)
    summary = Summary(search.left_out)
    if not pending:
        tell(f"{folder} is complete; --overwrite makes it anew.")
        return 0
    total = len(_numbers(folder))
    if total > len(pending):
        tell(f"{total - len(pending)} of {total} parts are there already")
        _take_up(folder, job, summary)
    with (
        _started(ray, cluster),
        interrupts() as stopped,  # once more: Ray has handlers of its own, that end the process
        Progress(summary, lambda: _total(folder), quiet=False) as progress,
        closing(_outcomes(ray, job, cluster, folder, pending)) as outcomes,
    ):
        for outcome in () if stopped_early() else outcomes:
            if "error" in outcome:
                raise CaptionerError(outcome["error"])
            _add(outcome, summary, progress.say)
            progress.update()
            if stopped():
                break
    for line in summary.lines():
        tell(line)
    _tidy(folder)
    ended = stopped_early() or stopped()
    if ended and any(not _place(folder, part, job).exists() for part in pending):
        tell(way_on(True))
        return INTERRUPTED
    return 1 if summary.failures else 0


class Worker:
    """An actor: loads the model once, then does one part after the other."""

    def __init__(self, job: Job, folder: Path) -> None:
        self._job, self._folder = replace(job, load=cache(job.load)), folder

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        return {"outcome": [json.dumps(self._outcome(int(part))) for part in batch["part"]]}

    def _outcome(self, part: int) -> dict[str, Any]:
        target = _place(self._folder, part, self._job)
        attempts = target.with_name(f".{target.name}.attempts")
        with open(attempts, "a+b") as file:
            if file.tell() == ATTEMPTS:
                died = f"ended its process {ATTEMPTS} times; look for the photo that does it"
                return {"captioned": 0, "failed": [[str(target), died]]}
            file.write(b".")
        try:
            return self._do(target, _items(self._folder, part))
        except CaptionerError as error:  # it would be the same for every part
            return {"error": str(error)}
        finally:
            attempts.unlink(missing_ok=True)

    def _do(self, target: Path, items: list[str | ImageError]) -> dict[str, Any]:
        format, search = row_format(self._job), Search(self._job.exclude)
        outcome: dict[str, Any] = {"captioned": 0, "failed": [], "unsure": []}
        everything = results_of(self._job, items, search, Output())
        with drafts(target.parent) as room:
            draft = room / target.name
            with open(draft, "w", encoding="utf-8", errors=format.encoding_errors) as file:
                file.write(format.header())
                for result in everything:
                    file.write(format.rows(result))
                    if result.caption is not None:
                        outcome["captioned"] += 1
                    else:
                        kind = "unsure" if result.unsure else "failed"
                        outcome[kind].append([result.path, result.error])
                flush(file)
            _told(target).parent.mkdir(exist_ok=True)
            with whole_file(_told(target), "w") as file:
                file.write(json.dumps(outcome))
            format.finish(draft, target)
        return outcome


def _outcomes(
    ray: Any, job: Job, cluster: Cluster, folder: Path, pending: list[int]
) -> Generator[dict[str, Any], None, None]:
    """What became of each part, as they are done."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    unit = "CPU" if cluster.device in (None, "cpu") else "GPU"
    most = cluster.max_workers or max(int(ray.cluster_resources().get(unit, 0)), 1)
    try:
        parts = [{"part": part} for part in pending]
        outcomes = ray.data.from_items(parts, override_num_blocks=len(parts)).map_batches(
            Worker,
            fn_constructor_args=(job, folder.absolute()),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(
                min_size=min(cluster.min_workers, most), max_size=most
            ),
            num_cpus=1,
            num_gpus=None if unit == "CPU" else 1,
        )
        for row in outcomes.iter_rows():
            yield json.loads(row["outcome"])
    except ray.exceptions.RayError as error:
        raise _broken_off(getattr(error, "cause", None) or error) from None


@contextmanager
def _started(ray: Any, cluster: Cluster) -> Iterator[None]:
    """Ray at work, for as long as this lasts unless it was before."""
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise CaptionerError(
            f"the Ray cluster does not answer; check its address, and set RAY_AUTH_MODE=token"
            f" where it wants a token: {error}"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Raise CaptionerError where nothing listens: Ray itself would try for many minutes."""
    if address in ("auto", "local"):
        return
    place = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address)
    if place is None:
        raise CaptionerError(f"--address {address}: is no address of a Ray cluster; HOST:PORT is.")
    try:
        socket.create_connection((place[1], int(place[2])), timeout=10).close()
    except (OSError, OverflowError, ValueError) as error:
        raise CaptionerError(
            f"--address {address}: no Ray cluster is there ({error}); check the address, and that"
            " `ray start --head` was run."
        ) from None


def _broken_off(cause: BaseException) -> CaptionerError:
    said = str(cause).strip().splitlines()
    if any("No module named 'captioner'" in line for line in said):
        return CaptionerError(
            "the cluster's machines lack captioner: install it on each of them, the same version"
            " as here; then --resume continues."
        )
    reason = f"{type(cause).__name__}: {said[0] if said else 'no reason given'}"
    return CaptionerError(f"the Ray run broke off; --resume continues it: {reason}")


def _tidy(folder: Path) -> None:
    for left in folder.glob(".part-*"):
        left.unlink(missing_ok=True)


def _take_up(folder: Path, job: Job, summary: Summary) -> None:
    """Count what earlier runs did: the parts that are there."""
    for place in folder.glob(f"part-*.{job.format}"):
        with suppress(FileNotFoundError):  # an older captioner told of no part
            _add(json.loads(_told(place).read_bytes()), summary, lambda message: None)
    summary.take_up(summary.counts())


def _add(outcome: Mapping[str, Any], summary: Summary, say: Callable[[str], None]) -> None:
    summary.captioned += outcome["captioned"]
    for kind in ("failed", "unsure"):
        for path, error in outcome.get(kind, ()):
            summary.add(PhotoResult(path, error=error, unsure=kind == "unsure"))
            say(f"{path}: {error}")


def _pending(job: Job, folder: Path, size: int, search: Search) -> list[int]:
    """The parts that are to be done, which are planned unless they are there from an earlier run.

    Raises CaptionerError where the folder holds something else.
    """
    if not (folder / PARTS).exists():
        if any(folder.glob("part-*")):
            raise CaptionerError(
                f"{folder}: has files called part-… that are no earlier run's; choose another"
                " folder."
            )
        _plan(job, folder, size, search)
    elif job.overwrite and not (job.resume and _missing(job, folder)):
        for old in folder.glob("part-*"):
            old.unlink()
        shutil.rmtree(folder / OUTCOMES, ignore_errors=True)
        _plan(job, folder, size, search)
    elif not job.resume:
        raise CaptionerError(
            f"{folder}: has parts of an earlier run; continue it with --resume, or start again"
            " with --overwrite."
        )
    settings = json.loads((folder / PARTS / SETTINGS).read_bytes())
    check_settings(folder, settings, job.settings())
    return _missing(job, folder)


def _plan(job: Job, folder: Path, size: int, search: Search) -> None:
    """Write down the files of each part: `size` photos, or one archive or table, which is taken
    whole."""
    numbers = count()
    with whole_folder(folder / PARTS) as parts:
        (parts / SETTINGS).write_text(json.dumps(job.settings()))
        for alone, run in groupby(files(job.inputs, search), holds_photos):
            entries = ([i.path, i.reason] if isinstance(i, ImageError) else i for i in run)
            while part := list(islice(entries, 1 if alone else size)):
                (parts / f"{next(numbers):05}.json").write_text(json.dumps(part))


def _numbers(folder: Path) -> list[int]:
    """The parts that are planned."""
    return sorted(int(part.stem) for part in (folder / PARTS).glob("[0-9]*.json"))


def _missing(job: Job, folder: Path) -> list[int]:
    return [part for part in _numbers(folder) if not _place(folder, part, job).exists()]


def _items(folder: Path, part: int) -> list[str | ImageError]:
    """The files of a part, as they were found."""
    entries = json.loads((folder / PARTS / f"{part:05}.json").read_bytes())
    return [entry if isinstance(entry, str) else ImageError(*entry) for entry in entries]


def _total(folder: Path) -> int | None:
    """How many photos are in all the parts; None where that is not known beforehand."""
    total = 0
    for part in _numbers(folder):
        items = _items(folder, part)
        if any(map(holds_photos, items)):
            return None
        total += len(items)
    return total


def _place(folder: Path, part: int, job: Job) -> Path:
    return folder / f"part-{part:05}.{job.format}"


def _told(place: Path) -> Path:
    """Where it is written what became of the photos of the part in that place."""
    return place.parent / OUTCOMES / f"{place.stem}.json"


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_worker_niceness", "0")  # else this machine's other work comes first
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    with needed('the engine "ray" needs the package Ray', "ray"):
        import ray
        import ray.data
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # after the import, which sets its own
    return ray
