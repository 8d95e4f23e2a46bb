"""What a checkpoint says of itself apart from its weights, read without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from captioner.confidence import Confidence
from captioner.errors import CaptionerError
from captioner.vocabulary import Vocabulary

if TYPE_CHECKING:
    from captioner.model.model import Model

LONGEST_HEADER = 100_000_000  # bytes, by the format's own rule
DAMAGED = "its metadata is damaged"


@dataclass(frozen=True, eq=False)
class Notes:
    """All of a model that a captioner needs besides what an engine computes.

    `pixels` is the side of the square that it sees, `attributes` are the words that its attribute
    head scores, `rarity` (V) is as in `Model`.
    """

    name: str
    pixels: int
    vocabulary: Vocabulary
    attributes: tuple[str, ...]
    rarity: npt.NDArray[np.float64]
    confidence: Confidence | None = None


def of_model(model: Model, name: str) -> Notes:
    """The notes of a model that is in memory."""
    rarity = model.rarity.cpu().numpy().astype(np.float64)
    return Notes(name, model.config.encoder.pixels, model.vocabulary, model.attributes, rarity)


@dataclass(frozen=True)
class Header:
    """The start of a safetensors file: where each tensor lies, and the texts beside them."""

    file: Path
    tensors: Mapping[str, Mapping[str, Any]]
    notes: Mapping[str, str]
    start: int  # of the tensors, bytes from the file's beginning
    digest: str  # 64 letters that stand for all of it

    def numbers(self, name: str) -> np.ndarray:
        """One tensor of float32. KeyError where there is none."""
        first, end = self.tensors[name]["data_offsets"]
        count = (end - first) // 4
        return np.fromfile(self.file, "<f4", count, offset=self.start + first)


def read_header(file: Path) -> Header:
    """The header of a captioner checkpoint. Raises CaptionerError with one sentence for a file that
    is missing, of another kind, or damaged."""
    if not file.is_file():
        raise CaptionerError(f"{file}: there is no such checkpoint file")
    try:
        with open(file, "rb") as opened:
            start = opened.read(8)
            size = int.from_bytes(start, "little")
            text = opened.read(size) if size <= LONGEST_HEADER else b""
        tree = json.loads(text)
        notes = tree.pop("__metadata__", {})
        tensors = {name: _tensor(place) for name, place in tree.items()}
    except OSError as error:
        raise CaptionerError(f"{file}: cannot be read ({error.strerror or error})") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise CaptionerError(
            f"{file}: is not a checkpoint, or is cut off (not readable as safetensors)"
        ) from None
    digest = hashlib.sha256(start + text).hexdigest()
    return Header(file, tensors, _texts(file, notes), 8 + size, digest)


def _tensor(place: Any) -> Mapping[str, Any]:
    first, end = place["data_offsets"]
    whole = [first, end, *place["shape"]]
    if not all(isinstance(number, int) and 0 <= number < 2**48 for number in whole):
        raise ValueError("a size beyond all files")
    return {"dtype": str(place["dtype"]), "shape": place["shape"], "data_offsets": (first, end)}


def _texts(file: Path, notes: Any) -> Mapping[str, str]:
    if not isinstance(notes, dict) or notes.get("format") != "captioner":
        raise CaptionerError(f"{file}: is a safetensors file, but not a captioner checkpoint")
    return {str(key): str(value) for key, value in notes.items()}


def read_notes(file: Path) -> Notes:
    """The notes of the checkpoint in a file. Raises CaptionerError where they are damaged."""
    header = read_header(file)
    check_version(file, header.notes)
    words = read_words(file, header.notes)
    vocabulary = Vocabulary(words["words"], words["styles"])
    try:
        pixels = json.loads(header.notes["config"])["encoder"].get("pixels", 288)
        rarity = header.numbers("rarity")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError):
        raise CaptionerError(f"{file}: {DAMAGED} (no configuration, or no rarity)") from None
    if not isinstance(pixels, int) or not 32 <= pixels <= 1024:
        raise CaptionerError(f"{file}: {DAMAGED} (encoder.pixels must lie between 32 and 1024)")
    if len(rarity) != len(vocabulary) or not np.isfinite(rarity).all():
        raise CaptionerError(
            f"{file}: {DAMAGED} (rarity must be {len(vocabulary)} numbers, one a word)"
        )
    return Notes(
        file.stem,
        pixels,
        vocabulary,
        words["attributes"],
        rarity.astype(np.float64),
        Confidence.read(file, header.notes.get("confidence")),
    )


def check_version(file: Path, notes: Mapping[str, str], newest: int = 1) -> None:
    """Raise CaptionerError for a format version that is none, or newer than this captioner."""
    version = notes.get("version", "")
    if not (version.isascii() and version.isdecimal()):
        raise CaptionerError(f"{file}: {DAMAGED} (it has no format version)")
    if len(version) > 9 or int(version) > newest:
        said = version if len(version) <= 9 else f"{version[:9]}…"
        raise CaptionerError(
            f"{file}: has checkpoint format {said}, this captioner reads up to"
            f" {newest}; please upgrade captioner"
        )


def read_words(file: Path, notes: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The lists "styles", "words" and "attributes". Raises CaptionerError where one is no list of
    words that a sentence may hold, each once."""
    try:
        tree = json.loads(notes["vocabulary"])
        words = {part: tuple(tree[part]) for part in ("styles", "words", "attributes")}
    except (ValueError, LookupError, TypeError, RecursionError):
        raise CaptionerError(f"{file}: {DAMAGED} (vocabulary)") from None
    for part, listed in words.items():
        wrong = _wrong(listed)
        if wrong is not None:
            raise CaptionerError(f"{file}: {DAMAGED} (vocabulary: {part} hold {wrong})")
    if not words["styles"]:
        raise CaptionerError(f"{file}: {DAMAGED} (vocabulary: there are no styles)")
    unknown = set(words["attributes"]) - set(words["words"])
    if unknown:
        raise CaptionerError(
            f"{file}: {DAMAGED} (vocabulary: attributes hold {min(unknown)!r}, words do not)"
        )
    return words


def _wrong(words: Sequence[Any]) -> str | None:
    seen: set[str] = set()
    for word in words:
        if not isinstance(word, str):
            return f"{word!r:.40}, which is no word"
        if not word or not word.isprintable() or word != word.strip():
            return f"{word!r:.40}, which cannot be written"
        if word in seen:
            return f"{word!r:.40} twice"
        seen.add(word)
    return None
