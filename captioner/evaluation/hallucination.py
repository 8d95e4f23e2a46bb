"""What it made up: CHAIR, Rohrbach et al. 2018, "Object Hallucination in Image Captioning"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioner.datasets.captions import PhotoId
from captioner.evaluation.bootstrap import ratio_interval
from captioner.evaluation.categories import CategoryWords
from captioner.evaluation.instances import Boxed, Instances


@dataclass(frozen=True)
class Named:
    """What one caption names: the `judged` words for things, and those of them made up.

    `complete` says whether the photo was boxed for every category.
    """

    judged: int
    made_up: tuple[str, ...]
    complete: bool


def judge(
    words: Sequence[str], references: Iterable[Sequence[str]], boxed: Boxed, names: CategoryWords
) -> Named:
    """Compare the things a caption (words) names with the boxes and with the references.

    As in the paper a thing is there if it is boxed or if a reference names it. Things whose
    category was not boxed in this photo are not judged.
    """
    told = {
        category
        for reference in references
        for mention in names.mentions(reference)
        for category in mention.categories
    }
    judged, made_up = 0, []
    for mention in names.mentions(words):
        if not boxed.judges(mention.categories):
            continue
        judged += 1
        if not boxed.has(mention.categories) and told.isdisjoint(mention.categories):
            made_up.append(" ".join(words[mention.start : mention.stop]))
    return Named(judged, tuple(made_up), len(boxed.judged) == len(names.categories))


def judge_all(
    candidates: Mapping[PhotoId, Sequence[str]],
    references: Mapping[PhotoId, Sequence[Sequence[str]]],
    instances: Instances,
    names: CategoryWords,
) -> dict[PhotoId, Named]:
    """Every photo that the instances file has, from its caption's and references' words."""
    return {
        key: judge(words, references[key], boxed, names)
        for key, words in candidates.items()
        if (boxed := instances.of(key)) is not None
    }


def chair_figures(named: Mapping[PhotoId, Named]) -> dict[str, Any]:
    """CHAIRs and CHAIRi with intervals; of all photos, and of the completely boxed ones.

    Where only some categories were boxed a caption can make up more than is found: CHAIRs of all
    photos is then too low, which the figures of the completely boxed ones are not.
    """
    complete = {key: one for key, one in named.items() if one.complete}
    words = Counter(word for one in named.values() for word in one.made_up)
    return {
        **_rates(named.values()),
        "completely_boxed": _rates(complete.values()),
        "words_made_up": dict(words.most_common(20)),
    }


def _rates(named: Iterable[Named]) -> dict[str, Any]:
    rows = np.array([[one.judged, len(one.made_up)] for one in named], float).reshape(-1, 2)
    judged, made_up = rows.T
    liars, captions = (made_up > 0).astype(float), np.ones(len(rows))
    return {
        "photos": len(rows),
        "words": int(judged.sum()),
        "CHAIRs": liars.mean() if len(rows) else None,
        "CHAIRs_interval": ratio_interval(liars, captions),
        "CHAIRi": made_up.sum() / judged.sum() if judged.sum() else None,
        "CHAIRi_interval": ratio_interval(made_up, judged),
    }
