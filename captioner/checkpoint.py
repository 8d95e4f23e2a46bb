"""A captioner in one safetensors file: weights, configuration, vocabulary. Nothing is unpickled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from captioner.config import ModelConfig, describe
from captioner.errors import CaptionerError
from captioner.model.model import Model
from captioner.vocabulary import SPECIAL, Vocabulary

FORMAT = 1


def save(
    model: Model, file: Path, half: bool = True, extra: Mapping[str, str] | None = None
) -> None:
    """Write the model to `file`, replacing it in one step; `half` stores matrices as fp16.

    `extra` is added to the file's metadata. Raises CaptionerError where it cannot be written.
    """
    weights = {
        name: w.detach().to("cpu", torch.float16 if half and w.dim() > 1 else torch.float32)
        for name, w in model.state_dict().items()
    }
    write(file, weights, {**metadata(model), **(extra or {})})


def metadata(model: Model) -> dict[str, str]:
    """What a checkpoint says of itself besides the weights."""
    first = len(SPECIAL) + len(model.vocabulary.styles)
    words = {
        "styles": model.vocabulary.styles,
        "words": model.vocabulary.words[first:],
        "attributes": model.attributes,
    }
    return {
        "format": "captioner",
        "version": str(FORMAT),
        "config": model.config.model_dump_json(),
        "vocabulary": json.dumps(words),
    }


def write(file: Path, tensors: Mapping[str, Tensor], notes: dict[str, str]) -> None:
    """Write a safetensors file so that a crash leaves the old one or the new one, never a part."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: t.contiguous() for name, t in tensors.items()}, partial, notes)
        os.replace(partial, file)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise CaptionerError(f"{file}: cannot be written ({error})") from None


def load(file: Path) -> Model:
    """Read a model that `save` wrote, in fp32, ready to caption.

    Raises CaptionerError with one sentence for a file that is missing, of another kind, truncated
    or from a newer captioner.
    """
    weights, notes = read(file)
    model = build(file, notes)
    own = {name: w.float() for name, w in weights.items() if not name.startswith("training.")}
    try:
        model.load_state_dict(own)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise CaptionerError(
            f"{file}: its weights do not fit its configuration ({first})"
        ) from None
    return model.eval()


def read(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a captioner checkpoint. Raises CaptionerError."""
    if not file.is_file():
        raise CaptionerError(f"{file}: there is no such checkpoint file")
    try:
        with safe_open(file, "pt") as opened:
            notes = dict(opened.metadata() or {})
            weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CaptionerError(
            f"{file}: is not a checkpoint, or is cut off (not readable as safetensors: {error})"
        ) from None
    if notes.get("format") != "captioner":
        raise CaptionerError(f"{file}: is a safetensors file, but not a captioner checkpoint")
    if int(notes["version"]) > FORMAT:
        raise CaptionerError(
            f"{file}: has checkpoint format {notes['version']}, this captioner reads up to"
            f" {FORMAT}; please upgrade captioner"
        )
    return weights, notes


def build(file: Path, notes: Mapping[str, str]) -> Model:
    """The model that a checkpoint's metadata describes, not yet with its weights."""
    try:
        config = ModelConfig.model_validate_json(notes["config"])
        words = json.loads(notes["vocabulary"])
        vocabulary = Vocabulary(words["words"], words["styles"])
        return Model(config, vocabulary, tuple(words["attributes"]))
    except ValidationError as error:
        raise CaptionerError(f"{file}: has a wrong configuration: {describe(error)}") from None
    except (KeyError, ValueError) as error:
        raise CaptionerError(f"{file}: its metadata is incomplete ({error})") from None
