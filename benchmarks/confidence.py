"""`Caption.confidence`: fitted on photos with references and on pictures that are no photos.

    python benchmarks/confidence.py --annotations captions_val.json --images photos/ --write MODEL
    python benchmarks/confidence.py --annotations captions_test.json --images photos/ --seed 1

The first fits and writes the weights into the checkpoint; the second only says how good they are.
A sentence counts as accepted where its CIDEr is among the best so many of its collection, `--right`
being the share of sentences that people called right (docs/val_grades.md). Pictures that are no
photos (`no_photos.py`, from a seed of their own) are never accepted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from no_photos import make

import captioner
from captioner.assets import EMBEDDED
from captioner.cider import CiderReward
from captioner.confidence import Confidence, fit
from captioner.datasets.captions import read_references
from captioner.vocabulary import tokenize

Numbers = npt.NDArray[np.float64]


def auc(scores: Numbers, positive: npt.NDArray[np.bool_]) -> float:
    """The chance that a positive scores above a negative (Mann and Whitney 1947), ties halved."""
    order = np.concatenate([scores[positive], scores[~positive]])
    above = (scores[positive][:, None] > scores[~positive]).mean()
    ties = (scores[positive][:, None] == scores[~positive]).mean()
    return float(above + ties / 2) if len(order) else 0.5


def cider_scores(captions: Sequence[str], references: Sequence[Sequence[str]]) -> Numbers:
    """CIDEr-D of each caption, document frequencies from these references."""
    told = [[tokenize(text) for text in photo] for photo in references]
    reward = CiderReward(told)
    vectors = [[reward.vector(words) for words in photo] for photo in told]
    pairs = zip(captions, vectors, strict=True)
    return np.array([reward.score(tokenize(text), photo) for text, photo in pairs])


def write_weights(file: Path, weights: Confidence) -> None:
    """The same checkpoint with these weights in its metadata."""
    from captioner import checkpoint

    tensors, notes = checkpoint.read(file)
    checkpoint.write(file, tensors, {**notes, "confidence": weights.write()})


def reliability(chance: Numbers, accepted: npt.NDArray[np.bool_], bins: int = 8) -> str:
    """A table: how many were accepted of those with like confidence."""
    edges = np.quantile(chance, np.linspace(0, 1, bins + 1))
    place = np.clip(np.searchsorted(edges, chance, "right") - 1, 0, bins - 1)
    rows = ["| confidence | accepted | sentences |", "|---|---|---|"]
    for own in (place == i for i in range(bins)):
        rows.append(f"| {chance[own].mean():.2f} | {accepted[own].mean():.2f} | {own.sum()} |")
    return "\n".join(rows)


def main(
    annotations: Annotated[Path, typer.Option()],
    images: Annotated[Path, typer.Option()],
    model: Annotated[Path, typer.Option()] = EMBEDDED,
    write: Annotated[Path | None, typer.Option()] = None,
    count: Annotated[int, typer.Option(help="Pictures that are no photos.")] = 315,
    seed: Annotated[int, typer.Option()] = 0,
    right: Annotated[float, typer.Option()] = 0.5,
) -> None:
    """Fit or judge the confidence."""
    photos = read_references(annotations)
    writer = captioner.load(model)
    sources = np.array([photo.source for photo in photos])
    figures, ciders = np.zeros((len(photos), 0)), np.zeros(len(photos))
    for source in sorted(set(sources.tolist())):
        own = np.flatnonzero(sources == source)
        files = [images / photos[i].file_name for i in own]
        style = source if source in writer.styles else None
        found = list(writer.caption_many(files, style=style))
        if not figures.size:
            figures = np.zeros((len(photos), len(found[0].evidence)))
        figures[own] = [caption.evidence for caption in found]
        texts, references = [c.text for c in found], [photos[i].captions for i in own]
        ciders[own] = cider_scores(texts, references)
    kinds, pictures = zip(*make(count, seed), strict=True)
    nothing = np.array([c.evidence for c in writer.caption_many(pictures)])
    accepted, above = np.zeros(len(photos), bool), np.zeros(len(photos), bool)
    for source in set(sources.tolist()):
        own = sources == source
        accepted[own] = ciders[own] > np.quantile(ciders[own], 1 - right)
        above[own] = ciders[own] > np.median(ciders[own])
    photo = fit([*figures, *nothing], np.arange(len(photos) + len(nothing)) < len(photos))
    weights = Confidence(photo, fit([*figures], [*accepted]))
    if write:
        write_weights(write, weights)
        print(f"{write}: has the weights {weights}")
    else:
        weights = writer.engine.notes.confidence or weights
    chance, none = (np.array([weights(row) for row in rows]) for rows in (figures, nothing))
    print(f"{len(photos)} photos, CIDEr above the median: area {auc(chance, above):.3f}")
    apart = auc(np.concatenate([chance, none]), np.arange(len(chance) + len(none)) < len(chance))
    print(f"photos against {len(none)} pictures that are none: area {apart:.3f}")
    for kind in dict.fromkeys(kinds):
        own = np.array([k == kind for k in kinds])
        both = np.concatenate([chance, none[own]])
        area = auc(both, np.arange(len(both)) < len(chance))
        print(f"  {kind}: {area:.3f}, mean confidence {none[own].mean():.2f}")
    print(f"mean confidence of photos {chance.mean():.2f}\n{reliability(chance, accepted)}")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    typer.run(main)
