"""Captions to be scored: read from COCO results files, put beside their references, checked."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from captioner.errors import CaptionerError
from captioner.evaluation.references import Photo, PhotoId, first_few, read_json

if TYPE_CHECKING:
    from captioner.caption import Caption

_LETTER = re.compile(r"[^\W\d_]")
_WORD: re.Pattern[str] = re.compile(r"[a-z]+")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A caption to be scored, and what else its system says of it.

    `score` is the system's own (0…1). From a model come also the T `words`, their `probabilities`,
    the `attention` (T, rows, columns) over the whole photo, and further captions.
    """

    caption: str
    score: float | None = None
    words: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    attention: npt.NDArray[np.float32] | None = None
    alternatives: tuple[str, ...] = ()

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
        )


def read_results(path: Path) -> dict[PhotoId, Candidate]:
    """Captions by photo id from a COCO results file: a list of {"image_id", "caption"}.

    A report of this program is read too, and the JSON lines that `captioner caption` writes: "path"
    stands for "image_id", a "score" is kept, a photo with an "error" counts as not captioned.
    Raises CaptionerError for wrong content, two captions of one photo, or an empty one.
    """
    found: list[tuple[PhotoId, Candidate]] = []
    for number, entry in enumerate(_entries(path), 1):
        key = entry.get("image_id", entry.get("path")) if isinstance(entry, dict) else None
        if key is not None and "error" in entry:
            continue
        if key is None or not isinstance(entry.get("caption"), str):
            raise CaptionerError(f"{path}: entry {number} needs an 'image_id' and a 'caption'")
        score = entry.get("score")
        known = isinstance(score, int | float) and not isinstance(score, bool)
        found.append((key, Candidate(entry["caption"], float(score) if known else None)))
    if not found:
        raise CaptionerError(f"{path}: there is no caption in it")
    doubles = [key for key, times in Counter(str(key) for key, _ in found).items() if times > 1]
    if doubles:
        raise CaptionerError(
            f"{path}: {len(doubles)} photos have more than one caption: {first_few(doubles)}"
        )
    empty = [key for key, candidate in found if not candidate.caption.strip()]
    if empty:
        raise CaptionerError(f"{path}: {len(empty)} captions are empty: {first_few(empty)}")
    return dict(found)


def _entries(path: Path) -> list[Any]:
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        try:
            return [json.loads(line) for line in lines if line.strip()]
        except json.JSONDecodeError as error:
            raise CaptionerError(f"{path}: a line is not JSON: {error.msg}") from error
    content = read_json(path)
    if isinstance(content, dict) and "captions" in content:
        content = content["captions"]
    if not isinstance(content, list):
        raise CaptionerError(
            f"{path}: not COCO results, a list of entries with an 'image_id' and a 'caption'"
        )
    return content


def match(
    photos: Sequence[Photo],
    results: Mapping[PhotoId, Candidate],
    name: str,
    allow_missing: bool = False,
) -> tuple[dict[PhotoId, Candidate], list[str]]:
    """The captions under the references' own ids, in their order, and notes on what is odd.

    A result may name its photo by id, by file name, or by file name without folder and suffix.
    Unknown and missing photos raise CaptionerError, unless `allow_missing`: then they are left out
    and noted. Two captions of one photo always do.
    """
    aliases = _aliases(photos)
    found = {key: _named(key, aliases) for key in results}
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
    if notes and not (allow_missing and named):
        advice = "--allow-missing scores the photos that both have" if named else "wrong split?"
        raise CaptionerError(f"{'; '.join(notes)} ({advice})")
    matched = {photo.id: named[photo.id] for photo in photos if photo.id in named}
    return matched, [f"{note}; left out" for note in notes]


def _named(key: PhotoId, aliases: Mapping[str, PhotoId]) -> PhotoId | None:
    """The photo that a result means by its id or by the path of its file."""
    path = PurePosixPath(str(key).replace("\\", "/"))
    names = (str(key), path.name, path.stem)
    return next((aliases[name] for name in names if name in aliases), None)


def _aliases(photos: Sequence[Photo]) -> dict[str, PhotoId]:
    """Every unmistakable name of every photo."""
    names: dict[str, PhotoId] = {}
    for shorten in (
        lambda photo: PurePosixPath(photo.file_name).stem,
        lambda photo: PurePosixPath(photo.file_name).name,
        lambda photo: photo.file_name,
        lambda photo: str(photo.id),
    ):
        short = [shorten(photo) for photo in photos]
        times = Counter(short)
        names |= {
            name: photo.id for name, photo in zip(short, photos, strict=True) if times[name] == 1
        }
    return names


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
