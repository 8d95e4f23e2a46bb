"""What a report says of a single photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from captioner.datasets.captions import CaptionedPhoto
from captioner.evaluation.hallucination import Named
from captioner.evaluation.pointing import Pointed
from captioner.evaluation.results import Candidate


def photo_figures(
    photo: CaptionedPhoto,
    candidate: Candidate,
    *,
    metrics: Mapping[str, float],
    further: Mapping[str, float],
    several: Mapping[str, Any] | None,
    pointed: Sequence[Pointed],
    named: Named | None,
    against: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The photo's entry under "photos"; what is not known of it is left out."""
    entry = {
        "image_id": photo.id,
        "file_name": photo.file_name,
        "source": photo.source or None,
        "caption": candidate.caption,
        "score": candidate.score,
        "confidence": candidate.confidence,
        "captions": [candidate.caption, *candidate.others] if candidate.others else None,
        "alternatives": list(candidate.alternatives) or None,
        "references": list(photo.captions),
        "metrics": metrics,
        "further_metrics": further,
        "several": several,
        "where_it_looked": [asdict(word) for word in pointed] or None,
        "made_up": list(named.made_up) if named else None,
        "against": against,
    }
    return {name: value for name, value in entry.items() if value is not None}
