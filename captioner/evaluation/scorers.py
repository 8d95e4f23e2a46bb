"""The official COCO caption scores: pycocoevalcap's own scorers, its tokenizer and METEOR."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from captioner.errors import CaptionerError
from captioner.evaluation.java import Java, tokenize_groups

PhotoId = int | str
Table = dict[PhotoId, list[str]]
BLEU = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4")
METRICS = (*BLEU, "METEOR", "ROUGE_L", "CIDEr")


@dataclass(frozen=True, eq=False)
class Scores:
    """Official scores, unscaled: `metrics` of all photos, `per_photo` of each.

    `tallies` holds what is added up over photos before a score is formed, one row a photo, for
    the metrics that are no mean over photos: BLEU (10 counts) and METEOR (23 counts).
    """

    metrics: dict[str, float]
    per_photo: dict[PhotoId, dict[str, float]]
    tallies: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)


def score(
    references: Mapping[PhotoId, Sequence[str]],
    candidates: Mapping[PhotoId, str],
    java: Java | None = None,
) -> Scores:
    """Score one caption a photo against its references; both raw, tokenized here.

    Equal to COCOEvalCap on the same photos in the same order. Raises CaptionerError when the two
    name different photos, or none.
    """
    _check(references, candidates)
    if java is None:
        with Java() as own:
            return score(references, candidates, own)
    gts = tokenize_groups(java, references)
    res = tokenize_groups(java, {key: [candidates[key]] for key in references})
    with ThreadPoolExecutor(1) as beside:
        meteor = beside.submit(_meteor, java, gts, res)
        parts = [_bleu(gts, res), _rouge(gts, res), cider(gts, res)]
        parts.insert(1, meteor.result())
    metrics: dict[str, float] = {}
    per_photo: dict[PhotoId, dict[str, float]] = {key: {} for key in gts}
    tallies: dict[str, npt.NDArray[np.float64]] = {}
    for part in parts:
        metrics |= part.metrics
        tallies |= part.tallies
        for key, values in part.per_photo.items():
            per_photo[key] |= values
    return Scores(metrics, per_photo, tallies)


def cider_only(
    references: Mapping[PhotoId, Sequence[str]],
    candidates: Mapping[PhotoId, str],
    java: Java | None = None,
) -> Scores:
    """CIDEr alone, with the official tokenizer: what training validates with, in little time."""
    _check(references, candidates)
    if java is None:
        with Java(meteor=False) as own:
            return cider_only(references, candidates, own)
    gts = tokenize_groups(java, references)
    return cider(gts, tokenize_groups(java, {key: [candidates[key]] for key in references}))


def cider(gts: Table, res: Table) -> Scores:
    """CIDEr-D of tokenized captions (Vedantam et al. 2015), document frequencies from `gts`."""
    from pycocoevalcap.cider.cider import Cider

    total, each = Cider().compute_score(gts, res)
    return _scores(gts, "CIDEr", total, each)


def _bleu(gts: Table, res: Table) -> Scores:
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=4)
    for key, texts in gts.items():
        scorer += (res[key][0], texts)
    totals, lists = scorer.compute_score(option="closest")
    rows = []
    for counts in scorer.ctest:
        closest = min((abs(length - counts["testlen"]), length) for length in counts["reflen"])[1]
        rows.append([counts["testlen"], closest, *counts["guess"], *counts["correct"]])
    per_photo = {
        key: dict(zip(BLEU, map(float, values), strict=True))
        for key, *values in zip(gts, *lists, strict=True)
    }
    metrics = dict(zip(BLEU, map(float, totals), strict=True))
    return Scores(metrics, per_photo, {"Bleu": np.array(rows, dtype=np.float64)})


def _meteor(java: Java, gts: Table, res: Table) -> Scores:
    rows = np.array(java.meteor(list(gts.values()), [res[key][0] for key in gts]))
    each, tallies = rows[:, 0], rows[:, 1:]
    total = java.meteor_scores([tallies.sum(0).tolist()])[0]
    scores = _scores(gts, "METEOR", total, each)
    return Scores(scores.metrics, scores.per_photo, {"METEOR": tallies})


def _rouge(gts: Table, res: Table) -> Scores:
    from pycocoevalcap.rouge.rouge import Rouge

    total, each = Rouge().compute_score(gts, res)
    return _scores(gts, "ROUGE_L", total, each)


def _scores(gts: Table, name: str, total: float, each: Iterable[float]) -> Scores:
    per_photo = {key: {name: float(value)} for key, value in zip(gts, each, strict=True)}
    return Scores({name: float(total)}, per_photo)


def _check(references: Mapping[PhotoId, Sequence[str]], candidates: Mapping[PhotoId, str]) -> None:
    if not references:
        raise CaptionerError("there is nothing to score: no photo has a reference caption")
    for what, missing in (
        ("no caption to score", [key for key in references if key not in candidates]),
        ("no reference caption", [key for key in candidates if not references.get(key)]),
    ):
        if missing:
            first = ", ".join(map(str, missing[:5]))
            raise CaptionerError(f"{len(missing)} photos have {what}: {first}")
