"""The encoder's ImageNet weights, as the recipes read them.

    python -m data.prepare_weights data/downloads/model.safetensors

Takes the model.safetensors of https://huggingface.co/timm/tf_efficientnet_lite3.in1k (Google's
weights, Apache-2.0), and folds each BatchNorm into the convolution before it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started as a file, too

from captioner.errors import CaptionerError
from data.join import WEIGHTS, make_folder
from data.prepare import OUTPUT, main

if TYPE_CHECKING:
    from torch import Tensor

EPSILON = 1e-3  # of the BatchNorms
# Ours: the convolution and the BatchNorm, in blocks that expand their channels and in the first.
EXPANDING = {"expand": ("conv_pw", "bn1"), "dw": ("conv_dw", "bn2"), "project": ("conv_pwl", "bn3")}
PLAIN = {"dw": ("conv_dw", "bn1"), "project": ("conv_pw", "bn2")}


def prepare_weights(
    file: Annotated[Path, typer.Argument(help="timm's model.safetensors.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = (
        OUTPUT / WEIGHTS
    ),
) -> None:
    """Prepare the weights of EfficientNet-Lite3 as they come from timm."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from captioner.checkpoint import write

    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise CaptionerError(f"{file}: cannot be read as safetensors ({error})") from None
    make_folder(output.parent)
    write(output, convert(weights, file), {"format": "pt"})
    print(f"{output}: the encoder's weights")


def convert(weights: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """timm's tensors → Lite3's. Raises CaptionerError, naming `file`, where they do not fit."""
    from captioner.model.lite3 import Lite3

    model = Lite3()
    try:
        ours = {}
        for name, conv, norm in _pairs():
            ours[f"{name}.weight"], ours[f"{name}.bias"] = _folded(weights, conv, norm)
        model.load_state_dict(ours)
    except (KeyError, RuntimeError) as error:
        lines = str(error).strip().splitlines()
        reason = f"no tensor {error}" if isinstance(error, KeyError) else lines[-1].strip()
        raise CaptionerError(f"{file}: is not timm's tf_efficientnet_lite3: {reason}") from None
    return ours


def _pairs() -> Iterator[tuple[str, str, str]]:
    """Our name of every convolution, timm's, and timm's of the BatchNorm after it."""
    from captioner.model.lite3 import STAGES

    yield "stem", "conv_stem", "bn1"
    number = 0
    for stage, (repeats, _, _, expansion, _) in enumerate(STAGES):
        for repeat in range(repeats):
            block = f"blocks.{stage}.{repeat}"
            for own, (conv, norm) in (EXPANDING if expansion > 1 else PLAIN).items():
                yield f"blocks.{number}.{own}", f"{block}.{conv}", f"{block}.{norm}"
            number += 1
    yield "head", "conv_head", "bn2"


def _folded(weights: Mapping[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution followed by a BatchNorm that does not learn any more."""
    gain, bias, mean, variance = (
        weights[f"{norm}.{part}"].double()
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gain / (variance + EPSILON).sqrt()
    kernel = weights[f"{conv}.weight"].double() * scale[:, None, None, None]
    return kernel.float(), (bias - mean * scale).float()


if __name__ == "__main__":
    main(prepare_weights)
