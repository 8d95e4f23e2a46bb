"""What the command `captioner evaluate` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """Every option of the command, under its name."""

    annotations: Path
    images: tuple[Path, ...]
    results: tuple[Path, ...]
    split: str | None
    source: str | None
    output: Path | None
    html: Path | None
    photos_in_page: bool
    write_results: Path | None
    score: bool
    model: Path | None
    beam: int | None
    style: str | None
    batch_size: int
    device: str | None
    runtime: str | None
    against: Path | None
    df: Path | None
    df_split: str | None
    instances: Path | None
    training: Path | None
    training_split: str | None
    allow_missing: bool
    candidates: bool
    group: tuple[str, ...]
    embeddings: Path | None
    pac_embeddings: Path | None
    clip: str | None
    bertscore: bool
    spice: Path | None
    human: Path | None
    table: str | None
    plot: Path | None
    summary: bool
    samples: int
    seed: int
