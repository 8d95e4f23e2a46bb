"""What a checkpoint says of itself apart from its weights, read without torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from captioner.confidence import Confidence
from captioner.errors import CaptionerError
from captioner.vocabulary import SPECIAL, Vocabulary

if TYPE_CHECKING:
    from captioner.model.model import Model

LONGEST_HEADER = 100_000_000  # bytes, by the format's own rule
MOST_WORN = 1000  # phrases: each is looked for at every step of a search
DAMAGED = "its metadata is damaged"
MISFIT = "its weights do not fit its configuration"
SCALE = ".scale"
TRAINING = "training."  # tensors that only a continued training reads
_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2}
_BYTES |= {"I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_EXPONENT = {"F32": ("<u4", 0x7F800000), "F16": ("<u2", 0x7C00)}


@dataclass(frozen=True, eq=False)
class Notes:
    """All of a model that a captioner needs besides what an engine computes.

    `pixels` is the side of the square that it sees, `attributes` are the words that its attribute
    head scores, `rarity` (V), `stand_ins` and `worn` are as in `Model`. The first `taught` of the
    vocabulary's styles were taught: nobody has judged their sentences.
    """

    name: str
    pixels: int
    vocabulary: Vocabulary
    attributes: tuple[str, ...]
    rarity: npt.NDArray[np.float64]
    confidence: Confidence | None = None
    taught: int = 0
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    worn: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def of_model(model: Model, name: str) -> Notes:
    """The notes of a model that is in memory."""
    rarity = model.rarity.cpu().numpy().astype(np.float64)
    return Notes(
        name,
        model.config.encoder.pixels,
        model.vocabulary,
        model.attributes,
        rarity,
        taught=model.config.decoder.taught,
        stand_ins=model.stand_ins,
        worn=model.worn,
    )


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
        ends = [place["data_offsets"][1] for place in tensors.values()]
        if 8 + size + max(ends, default=0) != file.stat().st_size:
            raise ValueError("cut off")
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
    if not all(type(number) is int and 0 <= number < 2**48 for number in whole):
        raise ValueError("a size beyond all files")
    if math.prod(place["shape"]) * _BYTES[place["dtype"]] != end - first:
        raise ValueError("a size that is not its shape's")
    return {"dtype": place["dtype"], "shape": place["shape"], "data_offsets": (first, end)}


def _counts(name: str, place: Mapping[str, Any]) -> bool:
    """Whether a tensor is how many batches a BatchNorm has seen, which is no weight."""
    return name.endswith(".num_batches_tracked") and place["dtype"] == "I64" and not place["shape"]


def check_weights(header: Header) -> None:
    """Raise CaptionerError for a weight of a type that none has, one of int8 without its scale or
    a scale without its weight, and numbers that are not finite."""
    file, tensors = header.file, header.tensors
    for name, place in tensors.items():
        if name.startswith(TRAINING):
            continue
        weight = tensors.get(name.removesuffix(SCALE), {}) if name.endswith(SCALE) else place
        scale = tensors.get(name + SCALE)
        if place["dtype"] not in ("F32", "F16", "I8") and not _counts(name, place):
            raise CaptionerError(f"{file}: {MISFIT} ({name} is of type {place['dtype']})")
        if name.endswith(SCALE) and weight.get("dtype") != "I8":
            raise CaptionerError(f"{file}: {MISFIT} ({name} has no int8 weight)")
        if place["dtype"] == "I8" and (
            scale is None
            or scale["dtype"] != "F32"
            or list(scale["shape"]) != [*place["shape"][:1], *[1] * (len(place["shape"]) - 1)]
        ):
            raise CaptionerError(f"{file}: {MISFIT} ({name} is int8 without its scale)")
        if place["dtype"] in _EXPONENT and not _finite(header, place):
            raise CaptionerError(f"{file}: {name} holds numbers that are not finite")


def _finite(header: Header, place: Mapping[str, Any]) -> bool:
    """Whether no number has all bits of its exponent set, as infinity and NaN have."""
    kind, exponent = _EXPONENT[place["dtype"]]
    first, end = place["data_offsets"]
    count = (end - first) // np.dtype(kind).itemsize
    bits = np.fromfile(header.file, kind, count, offset=header.start + first)
    return not bool(((bits & exponent) == exponent).any())


def _texts(file: Path, notes: Any) -> Mapping[str, str]:
    if not isinstance(notes, dict) or notes.get("format") != "captioner":
        raise CaptionerError(f"{file}: is a safetensors file, but not a captioner checkpoint")
    return {str(key): str(value) for key, value in notes.items()}


def read_notes(file: Path) -> Notes:
    """The notes of the checkpoint in a file. Raises CaptionerError where they are damaged."""
    header = read_header(file)
    check_version(file, header.notes)
    check_weights(header)
    words = read_words(file, header.notes)
    vocabulary = Vocabulary(words["words"], words["styles"])
    try:
        config = json.loads(header.notes["config"])
        pixels = config["encoder"].get("pixels", 288)
        taught = config.get("decoder", {}).get("taught", 0)
        rarity = header.numbers("rarity")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError):
        raise CaptionerError(f"{file}: {DAMAGED} (no configuration, or no rarity)") from None
    if not isinstance(pixels, int) or not 32 <= pixels <= 1024:
        raise CaptionerError(f"{file}: {DAMAGED} (encoder.pixels must lie between 32 and 1024)")
    if not isinstance(taught, int) or not 0 <= taught <= len(vocabulary.styles):
        raise CaptionerError(f"{file}: {DAMAGED} (decoder.taught must be a number of its styles)")
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
        taught,
        read_stand_ins(file, header.notes, words),
        read_worn(file, header.notes, words),
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
    except (ValueError, LookupError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise CaptionerError(f"{file}: {DAMAGED} (vocabulary: is missing, or no object)")
    words: dict[str, tuple[str, ...]] = {}
    own = {word.strip("<>") for word in SPECIAL}  # no style's start word may be one of these
    for part in ("styles", "words", "attributes"):
        taken = {*SPECIAL, *(f"<{style}>" for style in words["styles"])} if words else own
        wrong = _wrong(tree[part], taken) if part in tree else "is missing"
        if wrong is not None:
            raise CaptionerError(f"{file}: {DAMAGED} (vocabulary: {part}: {wrong})")
        words[part] = tuple(tree[part])
    if not words["styles"]:
        raise CaptionerError(f"{file}: {DAMAGED} (vocabulary: styles: there are none)")
    unknown = set(words["attributes"]) - set(words["words"])
    if unknown:
        raise CaptionerError(
            f"{file}: {DAMAGED} (vocabulary: attributes: {min(unknown)!r} is none of the words)"
        )
    return words


def read_stand_ins(
    file: Path, notes: Mapping[str, str], words: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """The attribute words that stand for taught ones. Raises CaptionerError where what is noted is
    none of the `words` that `read_words` gave."""
    try:
        stand_ins = dict(json.loads(notes.get("stand_ins", "{}")))
        unknown = {*stand_ins} - {*words["words"]} or {*stand_ins.values()} - {*words["attributes"]}
    except (ValueError, TypeError, RecursionError):
        raise CaptionerError(f"{file}: {DAMAGED} (stand_ins: is no object of words)") from None
    if unknown:
        wrong = f"{unknown.pop()!r:.40} is none of the words"
        raise CaptionerError(f"{file}: {DAMAGED} (stand_ins: {wrong})")
    return stand_ins


def read_worn(
    file: Path, notes: Mapping[str, str], words: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """The worn phrases of styles, with their nats. Raises CaptionerError where what is noted is of
    other styles or words than `read_words` gave, or costs what is no number from 0 to 100."""
    try:
        worn: dict[str, dict[str, float]] = json.loads(notes.get("worn", "{}"))
        told = {
            word for phrases in worn.values() for phrase in phrases for word in phrase.split(" ")
        }
        unknown = {*worn} - {*words["styles"]} or told - {*words["words"]}
        nats = [n for phrases in worn.values() for n in phrases.values()]
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise CaptionerError(f"{file}: {DAMAGED} (worn: is no object of phrases)") from None
    if unknown:
        wrong = f"{min(unknown)!r:.40} is none of the styles or words"
        raise CaptionerError(f"{file}: {DAMAGED} (worn: {wrong})")
    if len(nats) > MOST_WORN or not all(type(n) in (int, float) and 0 <= n <= 100 for n in nats):
        reason = f"{MOST_WORN} phrases at most, each of 0 to 100 nats"
        raise CaptionerError(f"{file}: {DAMAGED} (worn: {reason})")
    return worn


def _wrong(words: Any, seen: set[str]) -> str | None:
    """What is wrong with a list of words, besides which there are those `seen`; None for
    nothing."""
    if not isinstance(words, list):
        return "is no list"
    for word in words:
        if not isinstance(word, str):
            return f"{word!r:.40} is no word"
        if not word or not word.isprintable() or word != word.strip():
            return f"{word!r:.40} cannot be written"
        if word in seen:
            return f"{word!r:.40} is there twice"
        seen.add(word)
    return None
