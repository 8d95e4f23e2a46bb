"""A captioner in one safetensors file: weights, configuration, vocabulary. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from captioner.assets import EMBEDDED as EMBEDDED
from captioner.errors import CaptionerError
from captioner.files import whole_path
from captioner.model.config import ModelConfig, describe
from captioner.model.encoder import Encoder
from captioner.model.model import Model
from captioner.notes import (
    DAMAGED,
    MISFIT,
    SCALE,
    TRAINING,
    Header,
    check_version,
    check_weights,
    read_header,
    read_stand_ins,
    read_words,
    read_worn,
)
from captioner.vocabulary import SPECIAL, Vocabulary

FAMILY = sorted((EMBEDDED.parent / "family").glob("*.safetensors"))
"""Small decoders of each kind beside the embedded one, to compare it with."""
ENCODER = "encoder."
FORMAT = 1
SMALL = 64  # numbers: smaller weights stay as they are
INT8_LOSS = 1e-3  # relative; rounding to fp16 alone loses 3e-4
RETIRED = {"origin": "torchvision", "without": []}  # fields of the encoder


def save(
    model: Model, file: Path, int8: bool = False, notes: Mapping[str, str] | None = None
) -> None:
    """Write the model to `file`, small, replacing it in one step; with `int8` smaller (`pack`).
    `notes` are added to its metadata.

    The encoder of the embedded captioner is not written a second time: the file says whose it is.
    Raises CaptionerError where it cannot be written.
    """
    weights, said = pack(model.state_dict(), int8), metadata(model) | dict(notes or {})
    if model.encoder.shared:
        weights = {n: w for n, w in weights.items() if not n.startswith(ENCODER)}
        said["encoder"] = fingerprint(model.encoder)
    write(file, weights, said)


def notes_beside(file: Path) -> dict[str, str]:
    """The notes of a checkpoint that are no part of its model, as `save` takes them: how its
    sentences are judged. Raises CaptionerError where it cannot be read."""
    sure = read_header(file).notes.get("confidence")
    return {} if sure is None else {"confidence": sure}


def take_embedded_encoder(model: Model) -> None:
    """Give the model the weights of the embedded captioner's encoder, to share them.

    Raises CaptionerError where its encoder is of another kind.
    """
    embedded = load(EMBEDDED)
    if model.config.encoder != embedded.config.encoder:
        raise CaptionerError("the encoder differs from the embedded captioner's: cannot be shared")
    model.encoder.load_state_dict(embedded.encoder.state_dict())
    model.encoder.shared = True


def fingerprint(encoder: Encoder) -> str:
    """Sixteen letters that stand for an encoder's weights."""
    digest = hashlib.sha256()
    for name, weight in sorted(encoder.state_dict().items()):
        digest.update(name.encode() + weight.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:16]


def pack(weights: Mapping[str, Tensor], int8: bool = False) -> dict[str, Tensor]:
    """Weights as they are stored: matrices and kernels as fp16, vectors as they are.

    Kernels that came from an int8 file and have not been trained since go back to int8, with one
    scale an output channel (`NAME.scale`): nothing is lost. Trained kernels would lose by it: they
    and the matrices become int8 only where `int8` asks for it.
    """
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        weight = weight.detach().cpu()
        scale = _int8_scale(weight, int8)
        if scale is not None:
            packed[name] = (weight / scale).round().to(torch.int8)
            packed[name + SCALE] = scale
        else:
            packed[name] = weight.half() if weight.dim() > 1 else weight
    return packed


def _int8_scale(weight: Tensor, int8: bool) -> Tensor | None:
    """The scale of each output channel with which int8 holds a kernel as well as fp16 does, or,
    with `int8`, with which it holds what is large."""
    if weight.dim() < 2 or weight.numel() < SMALL or not (int8 or weight.dim() == 4):
        return None
    others = tuple(range(1, weight.dim()))
    scale = weight.abs().amax(others, keepdim=True).clamp(min=1e-12) / 127
    lost = (weight / scale).round() * scale - weight
    return scale if int8 or lost.norm() < INT8_LOSS * weight.norm() else None


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `pack` made, as fp32."""
    return {
        name: weight.float() * packed[name + SCALE] if name + SCALE in packed else weight.float()
        for name, weight in packed.items()
        if not name.endswith(SCALE)
    }


def metadata(model: Model) -> dict[str, str]:
    """What a checkpoint says of itself besides the weights."""
    first = len(SPECIAL) + len(model.vocabulary.styles)
    words = {
        "styles": model.vocabulary.styles,
        "words": model.vocabulary.words[first:],
        "attributes": model.attributes,
    }
    said = {
        "format": "captioner",
        "version": str(FORMAT),
        "config": model.config.model_dump_json(),
        "vocabulary": json.dumps(words),
    }
    beside = {"stand_ins": model.stand_ins, "worn": model.worn}
    return said | {name: json.dumps(tree) for name, tree in beside.items() if tree}


def write(file: Path, tensors: Mapping[str, Tensor], notes: dict[str, str]) -> None:
    """Write a safetensors file so that a crash leaves the old one or the new one, never a part."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_path(file) as draft:
            save_file({name: t.contiguous() for name, t in tensors.items()}, draft, notes)
    except (OSError, SafetensorError) as error:
        raise CaptionerError(f"{file}: cannot be written ({error})") from None


def load(file: Path) -> Model:
    """Read a model that `save` wrote, in fp32, ready to caption.

    Raises CaptionerError with one sentence for a file that is missing, of another kind, truncated,
    damaged or from a newer captioner.
    """
    header = read_header(file)
    check_version(file, header.notes, FORMAT)
    check_weights(header)
    check_shapes(header)
    weights, notes = read(file)
    model = build(file, notes)
    own = unpack({name: w for name, w in weights.items() if not name.startswith(TRAINING)})
    if "encoder" in notes:
        take_embedded_encoder(model)
        if fingerprint(model.encoder) != notes["encoder"]:
            raise CaptionerError(
                f"{file}: shares the encoder of the captioner that was embedded when it was"
                " trained; this one is another"
            )
        own |= {ENCODER + name: w for name, w in model.encoder.state_dict().items()}
    try:
        model.load_state_dict(own)
    except RuntimeError as error:
        *_, last = str(error).splitlines()
        raise CaptionerError(
            f"{file}: its weights do not fit its configuration ({last.strip()})"
        ) from None
    return model.eval()


def read(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a captioner checkpoint. Raises CaptionerError."""
    check_version(file, read_header(file).notes, FORMAT)
    try:
        with safe_open(file, "pt") as opened:
            notes = dict(opened.metadata() or {})
            weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CaptionerError(
            f"{file}: is not a checkpoint, or is cut off (not readable as safetensors: {error})"
        ) from None
    return weights, notes


def check_shapes(header: Header) -> None:
    """Raise CaptionerError where the tensors are not those of the model that the metadata
    describes. Nothing is allocated for that, however large the model would be."""
    with torch.device("meta"):
        model = build(header.file, header.notes)
    shared = "encoder" in header.notes
    wanted = {
        name: list(weight.shape)
        for name, weight in model.state_dict().items()
        if not (shared and name.startswith(ENCODER))
    }
    found = {
        name: list(place["shape"])
        for name, place in header.tensors.items()
        if not name.startswith(TRAINING) and not name.endswith(SCALE)
    }
    for name in sorted(wanted.keys() | found.keys()):
        one, other = wanted.get(name), found.get(name)
        if one != other:
            said = "is missing" if other is None else f"is {other}, and should "
            said += "" if other is None else "not be there" if one is None else f"be {one}"
            raise CaptionerError(f"{header.file}: {MISFIT} ({name} {said})")


def build(file: Path, notes: Mapping[str, str]) -> Model:
    """The model that a checkpoint's metadata describes, not yet with its weights."""
    config = _config(file, notes)
    words = read_words(file, notes)
    try:
        vocabulary = Vocabulary(words["words"], words["styles"])
        model = Model(config, vocabulary, words["attributes"])
    except (CaptionerError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CaptionerError(f"{file}: its configuration makes no model: {reason}") from None
    model.stand_ins = read_stand_ins(file, notes, words)
    model.worn = read_worn(file, notes, words)
    return model


def _without_retired(config: str) -> str:
    """The configuration less the fields that older captioners wrote, where they say nothing."""
    try:
        tree = json.loads(config)
        for field, value in RETIRED.items():
            if tree["encoder"].get(field) == value:
                del tree["encoder"][field]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return config  # whatever is wrong, the caller says it
    return json.dumps(tree)


def _config(file: Path, notes: Mapping[str, str]) -> ModelConfig:
    text = _without_retired(notes.get("config", ""))
    try:
        config = ModelConfig.model_validate_json(text)
    except ValidationError as error:
        reason = describe(error, ModelConfig)
        raise CaptionerError(f"{file}: {DAMAGED} (config: {reason})") from None
    for section, fields in json.loads(text).items():
        for name, value in fields.items():
            if isinstance(value, bool) != isinstance(getattr(getattr(config, section), name), bool):
                raise CaptionerError(f"{file}: {DAMAGED} (config: {section}.{name} is {value!r})")
    return config
