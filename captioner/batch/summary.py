"""What became of the photos: counted, shown while the run lasts, and summed up at its end."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from captioner.batch.result import PhotoResult
from captioner.cli.streams import tell
from captioner.datasets.photos.photo import NO_PICTURES
from captioner.datasets.photos.search import told
from captioner.errors import shown

LINE_EVERY = 30.0  # seconds, where there is no terminal to draw a bar on


class Summary:
    """How many photos were captioned, skipped and failed, the failed by reason.

    `left_out` is how many files of each kind were passed over in folders and archives.
    """

    def __init__(self, left_out: Counter[str] | None = None) -> None:
        self.left_out: Counter[str] = Counter() if left_out is None else left_out
        self.captioned = self.skipped = 0
        self.failed: Counter[str] = Counter()
        self.unsure: Counter[str] = Counter()
        self.before = self._captioned_before = self._looked_at_before = 0  # by an earlier run
        self._started = time.monotonic()

    @property
    def photos(self) -> int:
        return self.captioned + self.skipped + self.troubles

    @property
    def failures(self) -> int:
        return sum(self.failed.values())

    @property
    def troubles(self) -> int:
        """Photos that were looked at and have no caption."""
        return self.failures + self.unsure.total()

    @property
    def empty(self) -> int:
        """Inputs without pictures."""
        return sum(n for reason, n in self.failed.items() if reason.startswith(NO_PICTURES))

    def add(self, result: PhotoResult) -> None:
        if result.unsure:
            self.unsure[result.error] += 1
        elif result.caption is None:
            self.failed[kind(result.error)] += 1
        else:
            self.captioned += 1

    def counts(self) -> dict[str, Any]:
        return {
            "captioned": self.captioned,
            "skipped": self.skipped,
            "failed": dict(self.failed),
            "unsure": dict(self.unsure),
        }

    def take_up(self, counts: Mapping[str, Any]) -> None:
        """Go on from the counts of a run that was interrupted."""
        self.captioned, self.skipped = counts.get("captioned", 0), counts.get("skipped", 0)
        self.failed = Counter(counts.get("failed", {}))
        self.unsure = Counter(counts.get("unsure", {}))
        self.before = self.photos
        self._captioned_before, self._looked_at_before = self.captioned, self.before - self.skipped

    def pace(self) -> float:
        """Photos a second that were looked at, not counting those of an earlier run."""
        return self._per_second(self.captioned + self.troubles - self._looked_at_before)

    def _per_second(self, number: int) -> float:
        return number / max(time.monotonic() - self._started, 1e-9)

    def lines(self) -> list[str]:
        """What became of the photos; the reasons, unless there is but one, which has been said."""
        seconds = time.monotonic() - self._started
        empty = self.empty
        parts = [f"{counted(self.captioned, 'photo')} captioned"]
        if self.failures > empty:
            parts.append(f"{self.failures - empty:,} failed")
        for reason, count in self.unsure.most_common():
            parts.append(f"{count:,} {reason}")
        if self.skipped:
            parts.append(f"{self.skipped:,} skipped, as they have a caption")
        if empty:
            parts.append(f"{counted(empty, 'input')} without pictures")
        before = f", {self.before:,} of them by earlier runs" if self.before else ""
        fresh = self.captioned - self._captioned_before
        rate = f", {self._per_second(fresh):.1f} photos/s" if fresh else ""
        head = f"{', '.join(parts)}{before}; {duration(seconds)}{rate}"
        reasons = [f"{count:8,} {reason}" for reason, count in self.failed.most_common()]
        left_out = [f"left out: {told(self.left_out)}"] if self.left_out else []
        return [head, *(reasons if self.failures != 1 or self.before else []), *left_out]


class Progress:
    """A bar on a terminal, else a line on standard error every 30 seconds.

    `count` says how many photos there are; it is asked in a thread, for time left is worth no
    waiting. None: nobody knows.
    """

    def __init__(self, summary: Summary, count: Callable[[], int | None], quiet: bool) -> None:
        self._summary, self._count, self._quiet = summary, count, quiet
        self._total: int | None = None
        self._counting: threading.Thread | None = None
        self._bar: Any = None
        self._due = time.monotonic() + LINE_EVERY

    def __enter__(self) -> Progress:
        if not self._quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(unit=" photos", initial=self._summary.before, dynamic_ncols=True)
            self._start_counting()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self.update()
            self._bar.close()

    def say(self, message: str) -> None:
        """A sentence on standard error, above the bar."""
        if self._bar is not None:
            self._bar.write(f"captioner: {shown(message)}", file=sys.stderr)
        else:
            tell(message)

    def update(self) -> None:
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.set_postfix_str(counted(self._summary.failures, "error"), refresh=False)
            self._bar.update(self._summary.photos - self._bar.n)
        elif not self._quiet and time.monotonic() >= self._due:
            self._start_counting()
            self._due = time.monotonic() + LINE_EVERY
            self.say(self._line())

    def _line(self) -> str:
        done, rate = self._summary.photos, self._summary.pace()
        of = "" if self._total is None else f"{done:,} of "
        pace = f", {rate:.1f} photos/s" if rate >= 0.05 else ""
        if pace and self._total is not None:
            pace += f", {duration(max(self._total - done, 0) / rate)} left"
        errors = counted(self._summary.failures, "error")
        photos = counted(done if self._total is None else self._total, "photo")
        return f"{of}{photos}{pace}, {errors}"

    def _start_counting(self) -> None:
        if self._counting is None:
            self._counting = threading.Thread(target=self._find_total, daemon=True)
            self._counting.start()

    def _find_total(self) -> None:
        self._total = self._count()


def kind(reason: str) -> str:
    """What a reason has in common with others of its kind: no details, no advice."""
    return reason.split(" (")[0].split("; ")[0]


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
