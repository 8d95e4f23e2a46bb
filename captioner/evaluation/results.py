"""Captions to be scored, in any shape: read, put beside their references, checked."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from captioner.datasets.captions import (
    Captioned,
    CaptionedPhoto,
    Names,
    PhotoId,
    first_few,
    photo_id,
    read_captioned,
    read_references,
    whole_caption,
)
from captioner.errors import CaptionerError

if TYPE_CHECKING:
    from captioner.caption import Caption

References = (
    str | os.PathLike[str] | Sequence[CaptionedPhoto] | Sequence[Sequence[str]]
    | Mapping[Any, "str | Sequence[str]"]
)  # fmt: skip
Candidates = (
    str | os.PathLike[str] | Sequence[Any] | Mapping[Any, "Candidate | str | Sequence[str]"]
)

_LETTER = re.compile(r"[^\W\d_]")
_WORD: re.Pattern[str] = re.compile(r"[a-z]+")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A caption to be scored, and what else its system says of it.

    `score` is the system's own (0…1), `confidence` its guess of how good the caption is (0…1).
    From a model come also the T `words`, their `probabilities`, the `attention` (T, rows, columns)
    over the whole photo, and the `alternatives` it found less good. `others` are further captions
    of the photo that are to be scored too, as one of several.
    """

    caption: str
    score: float | None = None
    words: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    attention: npt.NDArray[np.float32] | None = None
    alternatives: tuple[str, ...] = ()
    confidence: float | None = None
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, caption: Caption) -> Candidate:
        """The candidate that a model's caption is."""
        others = tuple(other.text for other in caption.alternatives)
        return cls(
            caption.text,
            caption.score,
            caption.words,
            caption.probabilities,
            caption.attention if caption.attention.size else None,
            others,
            caption.confidence,
        )


def read_results(path: Path, several: bool = False) -> dict[PhotoId, Candidate]:
    """Captions by photo id, from any shape that `captioner.datasets.captions` reads.

    COCO's is a list of {"image_id", "caption"}. A report of this program is read too, and what
    `captioner caption` writes: "path" stands for "image_id", "score" and "confidence" are kept. A
    photo may have a list of captions, and with `several` also rows of its own for each. Raises
    CaptionerError for wrong content, two captions of one photo, or an empty one.
    """
    rows = read_captioned(path)
    found: dict[PhotoId, list[Captioned]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(row)
    doubles = [key for key, group in found.items() if len(group) > 1]
    if doubles and not several:
        raise CaptionerError(
            f"{path}: {len(doubles)} photos have more than one caption: {first_few(doubles)}; "
            "--candidates scores several of a photo"
        )
    empty = [row.id for row in rows if not row.captions or not all(row.captions)]
    if empty:
        raise CaptionerError(f"{path}: {len(empty)} captions are empty: {first_few(empty)}")
    return {key: _candidate(group) for key, group in found.items()}


def _candidate(rows: Sequence[Captioned]) -> Candidate:
    first, *others = [caption for row in rows for caption in row.captions]
    told: dict[str, Any] = {}
    for name in ("score", "confidence"):
        value = rows[0].cells.get(name)
        if value is not None and value != "":
            told[name] = finite(rows[0].place, name, value)
    return Candidate(first, others=tuple(others), **told)


def finite(place: str, name: str, value: Any) -> float:
    """A cell as a number. Raises CaptionerError for what is no finite one."""
    try:
        number = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise CaptionerError(f"{place} has a {name} that is no finite number")
    return number


class Lookup:
    """Photos by whatever names them: their id, else their file as `Names` finds it."""

    def __init__(self, photos: Sequence[CaptionedPhoto]) -> None:
        self._ids = {photo_id(photo.id): photo.id for photo in photos}
        self._names: Names[PhotoId] = Names()
        for photo in photos:
            self._names.add(photo.file_name, photo.id)

    def find(self, key: object) -> PhotoId | None:
        """The id of the photo that is meant, None if it is none of them, or several."""
        return self._ids.get(photo_id(key), self._names.find(str(key)))


def match(
    photos: Sequence[CaptionedPhoto],
    results: Mapping[PhotoId, Candidate],
    name: str,
    allow_missing: bool = False,
) -> tuple[dict[PhotoId, Candidate], list[str]]:
    """The captions under the references' own ids, in their order, and notes on what is odd.

    A result may name its photo by id, by file name, or by file name without folder and suffix.
    Unknown and missing photos raise CaptionerError, unless `allow_missing`: then they are left out
    and noted. Two captions of one photo always do.
    """
    lookup = Lookup(photos)
    found = {key: lookup.find(key) for key in results}
    counts = Counter(photo for photo in found.values() if photo is not None)
    doubles = [photo for photo, times in counts.items() if times > 1]
    if doubles:
        raise CaptionerError(
            f"{name}: {len(doubles)} photos have more than one caption: {first_few(doubles)}"
        )
    named = {photo: results[key] for key, photo in found.items() if photo is not None}
    unknown = [key for key, photo in found.items() if photo is None]
    missing = [photo.id for photo in photos if photo.id not in named]
    notes = []
    if unknown:
        notes.append(f"{name}: {len(unknown)} captions are of photos that the references do not "
                     f"have: {first_few(unknown)}")  # fmt: skip
    if missing:
        notes.append(f"{name}: {len(missing)} of {len(photos)} photos have no caption: "
                     f"{first_few(missing)}")  # fmt: skip
    advice = "--allow-missing scores the photos that both have" if named else "wrong split?"
    told = left_out(notes, allow_missing and bool(named), advice)
    return {photo.id: named[photo.id] for photo in photos if photo.id in named}, told


def left_out(notes: Sequence[str], allowed: bool, advice: str) -> list[str]:
    """The notes on what is left out. Raises CaptionerError with them unless that is `allowed`."""
    if notes and not allowed:
        raise CaptionerError(f"{'; '.join(notes)} ({advice})")
    return [f"{note}; left out" for note in notes]


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
    found = {lookup.find(key): _given(key, one) for key, one in candidates.items()}
    unknown = [key for key in candidates if lookup.find(key) is None]
    if unknown:
        raise CaptionerError(
            f"{len(unknown)} candidates are of photos without references: {first_few(unknown)}"
        )
    return {key: one for key, one in found.items() if key is not None}


def _given(key: PhotoId, one: Any) -> Candidate:
    if isinstance(one, Candidate):
        return one
    first, *others = _texts(one, f"the candidate of photo {key}") or [""]
    return Candidate(first, others=tuple(others))


def _texts(texts: Any, where: str) -> list[str]:
    several = [texts] if isinstance(texts, str) else texts
    if not isinstance(several, Sequence):
        raise CaptionerError(f"{where} are no texts")
    return [whole_caption(text, where) for text in several]


def check_english(
    references: Mapping[PhotoId, Sequence[str]], candidates: Mapping[PhotoId, Candidate], name: str
) -> list[str]:
    """A note on captions that do not look English; CaptionerError if most do not.

    A caption counts as English if it is written in Latin letters and the references, all of them
    together, know at least a quarter of its words. Tokenizer and METEOR know English only.
    """
    foreign = [key for key, texts in references.items() if all(map(_foreign_letters, texts))]
    if len(foreign) * 2 > len(references):
        raise CaptionerError(
            f"the references are not English, and the official scores are for English only: "
            f"{first_few(foreign)}"
        )
    known = {word for texts in references.values() for text in texts for word in _words(text)}
    odd = [key for key, candidate in candidates.items() if not _english(candidate.caption, known)]
    if not odd:
        return []
    message = (
        f"{name}: {len(odd)} of {len(candidates)} captions do not look English, the one language "
        f"of the official tokenizer and METEOR: {first_few(odd)}"
    )
    if len(odd) * 2 > len(candidates):
        raise CaptionerError(message)
    return [message]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _foreign_letters(text: str) -> bool:
    letters: list[str] = _LETTER.findall(text)
    return sum(letter > "\u024f" for letter in letters) * 2 > len(letters)


def _english(text: str, known: set[str]) -> bool:
    words = _words(text)
    if _foreign_letters(text) or not words:
        return False
    # Too few references know too few words to judge by.
    return len(known) < 100 or sum(word in known for word in words) * 4 >= len(words)
