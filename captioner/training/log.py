"""What a run leaves to look at: a progress bar, a CSV file and TensorBoard scalars."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from tqdm import tqdm

from captioner.files import whole_file

LOG = "log.csv"
FIELDS = (
    "step",
    "loss",
    "nll",
    "attributes",
    "labels",
    "reward",
    "rate",
    "seconds",
    "photos_per_second",
    "gigabytes",
    "val",
    "cider",
)


class Log:
    """Writes `log.csv` and TensorBoard events under `folder`.

    Rows after `step` are dropped, so that a resumed run continues the file.
    """

    def __init__(self, folder: Path, step: int, steps: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.file = folder / LOG
        self._begin(self._rows_until(step))
        self._out = self.file.open("a", newline="")
        self._csv = csv.DictWriter(self._out, FIELDS)
        self._board: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
        self.bar = tqdm(total=steps, initial=step, unit="step", dynamic_ncols=True, mininterval=1)

    def _rows_until(self, step: int) -> list[dict[str, str]]:
        if not step or not self.file.exists():
            return []
        with self.file.open(newline="") as lines:
            return [row for row in csv.DictReader(lines) if int(row["step"]) <= step]

    def _begin(self, rows: list[dict[str, str]]) -> None:
        """Replace the file in one step: a run killed here loses no row."""
        with whole_file(self.file, "w", newline="") as out:
            table = csv.DictWriter(out, FIELDS)
            table.writeheader()
            table.writerows(rows)

    def write(self, step: int, **figures: float | str) -> None:
        self._csv.writerow({"step": step, **figures})
        self._out.flush()
        for name, value in figures.items():
            if isinstance(value, (int, float)):
                self._board.add_scalar(name, value, step)

    def advance(self, loss: float, rate: float) -> None:
        self.bar.set_postfix_str(f"loss {loss:.3f}, rate {rate:.1e}", refresh=False)
        self.bar.update()

    def close(self) -> None:
        self.bar.close()
        self._out.close()
        self._board.close()
