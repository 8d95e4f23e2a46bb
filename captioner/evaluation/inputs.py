"""What `evaluate` is given, in any shape, as photos with references and candidates."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from captioner.datasets.captions import (
    CaptionedPhoto,
    PhotoId,
    first_few,
    read_references,
    whole_caption,
)
from captioner.errors import CaptionerError
from captioner.evaluation.results import Candidate, Lookup, match, read_results

References = (
    str | os.PathLike[str] | Sequence[CaptionedPhoto] | Sequence[Sequence[str]]
    | Mapping[Any, "str | Sequence[str]"]
)  # fmt: skip
Candidates = (
    str | os.PathLike[str] | Sequence[Any] | Mapping[Any, "Candidate | str | Sequence[str]"]
)


def photos_of(references: References) -> list[CaptionedPhoto]:
    """Photos from a file, from photos, from captions by photo id, or from captions in a list.

    Raises CaptionerError for what is none of these, and for captions that are no text.
    """
    if isinstance(references, str | os.PathLike):
        return read_references(Path(references))
    if isinstance(references, Mapping):
        named: dict[Any, Any] = dict(references)
    elif all(isinstance(one, CaptionedPhoto) for one in references):
        return [one for one in references if isinstance(one, CaptionedPhoto)]
    else:
        named = dict(enumerate(list(references)))
    return [
        CaptionedPhoto(key, str(key), tuple(_texts(texts, f"the references of photo {key}")))
        for key, texts in named.items()
    ]


def candidates_of(
    candidates: Candidates, photos: Sequence[CaptionedPhoto]
) -> dict[PhotoId, Candidate]:
    """A candidate for each photo: from a file of results, by photo id, or in the photos' order.

    Several captions of one photo are scored as several. Raises CaptionerError.
    """
    if isinstance(candidates, str | os.PathLike):
        path = Path(candidates)
        return match(photos, read_results(path), path.name)[0]
    if not isinstance(candidates, Mapping):
        if len(candidates) != len(photos):
            raise CaptionerError(
                f"{len(candidates)} candidates for {len(photos)} photos: without ids they must be "
                "as many, in the same order"
            )
        candidates = {photo.id: one for photo, one in zip(photos, candidates, strict=True)}
    lookup = Lookup(photos)
    found = {lookup.find(key): _candidate(key, one) for key, one in candidates.items()}
    unknown = [key for key in candidates if lookup.find(key) is None]
    if unknown:
        raise CaptionerError(
            f"{len(unknown)} candidates are of photos without references: {first_few(unknown)}"
        )
    return {key: one for key, one in found.items() if key is not None}


def _candidate(key: PhotoId, one: Any) -> Candidate:
    if isinstance(one, Candidate):
        return one
    first, *others = _texts(one, f"the candidate of photo {key}") or [""]
    return Candidate(first, others=tuple(others))


def _texts(texts: Any, where: str) -> list[str]:
    several = [texts] if isinstance(texts, str) else texts
    if not isinstance(several, Sequence):
        raise CaptionerError(f"{where} are no texts")
    return [whole_caption(text, where) for text in several]
