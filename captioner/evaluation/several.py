"""Several captions of each photo: their mean and best, and how much they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from captioner.datasets.captions import PhotoId
from captioner.evaluation.bootstrap import interval, sampled_means
from captioner.evaluation.cider import Array, Frequencies, cider_r, self_cider
from captioner.evaluation.java import Java
from captioner.evaluation.scorers import Tokens, score_tokens
from captioner.evaluation.spice import with_spice


def several_figures(
    tokens: Tokens,
    further: Mapping[PhotoId, Sequence[str]],
    java: Java,
    frequencies: Frequencies,
    samples: int,
    seed: int,
) -> tuple[dict[str, Any], dict[PhotoId, dict[str, Any]]]:
    """Figures of all N photos, and of each.

    `tokens` are of each photo's first caption, `further` the tokenized others. "mean" and "oracle"
    (best of n, for each metric by itself) are means over photos of the photo's scores.
    """
    captions = {key: [*texts, *further.get(key, ())] for key, texts in tokens.candidates.items()}
    each = _each_caption(tokens.references, captions, java, frequencies)
    metrics: dict[str, Any] = {}
    for name, groups in each.items():
        best = np.array([group.max() for group in groups])
        metrics[name] = {
            "mean": float(np.mean([group.mean() for group in groups])),
            "oracle": float(best.mean()),
            "oracle_interval": interval(sampled_means(best, samples, seed)),
        }
    photos = {key: diversity(texts, frequencies) for key, texts in captions.items()}
    counts = [len(texts) for texts in captions.values()]
    figures = {
        "captions_a_photo": {"least": min(counts), "mean": np.mean(counts), "most": max(counts)},
        "metrics": metrics,
        "diversity": {
            name: _mean([one[name] for one in photos.values()])
            for name in next(iter(photos.values()))
        },
    }
    ciders = dict(zip(captions, each["CIDEr"], strict=True))
    entries = {key: {"CIDEr": ciders[key].tolist(), **one} for key, one in photos.items()}
    return figures, entries


def diversity(captions: Sequence[str], frequencies: Frequencies) -> dict[str, float | None]:
    """How one photo's n tokenized captions differ; None where n is 1.

    mBLEU: the mean BLEU of each against the others, low when they differ. Div-1, Div-2: distinct
    words and pairs of words, by all words (both Shetty et al. 2017, "Speaking the Same Language").
    Self-CIDEr: see `self_cider`.
    """
    if len(captions) < 2:
        return dict.fromkeys((*_MBLEU, "Div_1", "Div_2", "Self_CIDEr"))
    words = [text.split() for text in captions]
    total = sum(map(len, words))
    return {
        **dict(zip(_MBLEU, mutual_bleu(captions), strict=True)),
        "Div_1": len({word for text in words for word in text}) / total if total else None,
        "Div_2": len({pair for text in words for pair in pairwise(text)}) / total
        if total
        else None,
        "Self_CIDEr": self_cider(captions, frequencies),
    }


_MBLEU = ("mBLEU_1", "mBLEU_2", "mBLEU_3", "mBLEU_4")


def mutual_bleu(captions: Sequence[str]) -> list[float]:
    """BLEU-1 to 4 of each of n ≥ 2 tokenized captions against the n - 1 others, on average."""
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=4)
    for place, caption in enumerate(captions):
        scorer += (caption, [*captions[:place], *captions[place + 1 :]])
    _, orders = scorer.compute_score(option="closest")
    return [float(np.mean(order)) for order in orders]


def _each_caption(
    references: Mapping[PhotoId, list[str]],
    captions: Mapping[PhotoId, Sequence[str]],
    java: Java,
    frequencies: Frequencies,
) -> dict[str, list[Array]]:
    """Of each metric the scores (n) of each photo's n captions."""
    places = [(key, place) for key, texts in captions.items() for place in range(len(texts))]
    tokens = Tokens(
        {str(at): references[key] for at, (key, _) in enumerate(places)},
        {str(at): [captions[key][place]] for at, (key, place) in enumerate(places)},
    )
    flat, _ = with_spice(score_tokens(tokens, java, frequencies))
    flat = flat.plus({"CIDEr_R": cider_r(tokens.references, tokens.candidates, frequencies)})
    ends = np.cumsum([len(texts) for texts in captions.values()])[:-1]
    return {name: np.split(values, ends) for name, values in flat.values.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
