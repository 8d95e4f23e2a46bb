"""What an evaluation found, for programs: by name, as tables of pandas, as a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from captioner.datasets.captions import CaptionedPhoto, PhotoId
from captioner.evaluation.cider import Array
from captioner.evaluation.results import Candidate
from captioner.files import whole_file

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Report:
    """All that an evaluation found; `report["CIDEr"]` is one metric.

    `figures` are those of the JSON report, `photos` and `candidates` what was scored, `sampled`
    every metric on each bootstrap sample (S) of the photos.
    """

    figures: dict[str, Any]
    photos: tuple[CaptionedPhoto, ...]
    candidates: Mapping[PhotoId, Candidate]
    sampled: Mapping[str, Array]

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric of all photos, unscaled: the official ones first."""
        further = self.figures["further_metrics"].items()
        return {**self.figures["metrics"], **{name: one["score"] for name, one in further}}

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """What 95 % of the bootstrap's samples lie between, for every metric."""
        further = self.figures["further_metrics"].items()
        return {**self.figures["intervals"], **{name: one["interval"] for name, one in further}}

    @property
    def notes(self) -> list[str]:
        """What there is to say of the figures: what was left out, what to be careful of."""
        return list(self.figures["notes"])

    def __getitem__(self, name: str) -> float:
        """A metric by its name here, or by that which torchmetrics or `evaluate` have for it: its
        letters and "_" do not matter, and "bleu" is BLEU-4."""
        known = {_letters(each): value for each, value in self.metrics.items()}
        return known["bleu4" if name.lower() == "bleu" else _letters(name)]

    def frame(self) -> pandas.DataFrame:
        """A row a metric: "score", "low" and "high"."""
        import pandas

        rows = [[name, value, *self.intervals[name]] for name, value in self.metrics.items()]
        frame = pandas.DataFrame(rows, columns=["metric", "score", "low", "high"])
        return frame.set_index("metric")

    def photo_frame(self) -> pandas.DataFrame:
        """A row a photo, by its id: file name, caption and every metric."""
        import pandas

        rows = [
            {
                **{name: entry[name] for name in ("image_id", "file_name", "caption")},
                **entry["metrics"],
                **entry.get("further_metrics", {}),
            }
            for entry in self.figures["photos"]
        ]
        return pandas.DataFrame(rows).set_index("image_id")

    def write(self, path: Path) -> None:
        """Write all figures as JSON, whole or not at all."""
        write_json(path, self.figures)


def _letters(name: str) -> str:
    return name.lower().replace("_", "")


def write_json(path: Path, figures: Mapping[str, Any], photos: bool = True) -> None:
    """All figures, a photo a line; without those of single photos unless `photos`. The file is
    there whole or not at all."""
    chosen = {name: part for name, part in figures.items() if photos or name != "photos"}
    with whole_file(Path(path), "w", encoding="utf-8") as file:
        file.write(_lines(plain(chosen)))


def _lines(figures: Mapping[str, Any]) -> str:
    """JSON with a line for each entry of each part."""
    parts = []
    for name, part in figures.items():
        text = _line(part)
        if isinstance(part, dict) and part:
            lines = (f"{_line(key)}: {_line(value)}" for key, value in part.items())
            text = "{\n  " + ",\n  ".join(lines) + "\n }"
        elif isinstance(part, list) and part:
            text = "[\n  " + ",\n  ".join(map(_line, part)) + "\n ]"
        parts.append(f"{_line(name)}: {text}")
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """The same figures as JSON can hold them: numpy's numbers as Python's, what is none as None."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
