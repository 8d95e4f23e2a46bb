"""The engine on PyTorch: the reference, for any checkpoint, on a processor or a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from captioner.devices import find_device
from captioner.engines.engine import Started
from captioner.errors import CaptionerError
from captioner.model.decoder import State
from captioner.model.model import Model
from captioner.notes import Notes, of_model


class TorchEngine:
    """Takes the model over: moved to `device`, its encoder in bf16 where that is quick.

    Raises CaptionerError for a device that torch lacks, or a precision that the processor lacks.
    """

    name = "torch"

    def __init__(
        self,
        model: Model,
        name: str = "captioner",
        device: str | None = None,
        dtype: str | None = None,
        notes: Notes | None = None,
    ) -> None:
        """`device` None: a GPU where there is one. `dtype` is the encoder's, "float32" or
        "bfloat16"; None: the quicker one."""
        self.device = find_device(device)
        self.notes = notes or of_model(model, name)
        quick = self.device.type == "cuda" or _multiplies_bf16()
        if dtype == "bfloat16" and not quick:
            raise CaptionerError("this processor does not compute in bfloat16; use float32")
        self.precision = dtype or ("bfloat16" if quick else "float32")
        self.model = model.eval().to(self.device)
        if self.precision == "bfloat16":
            self.model.encoder.backbone.bfloat16()

    @torch.inference_mode()
    def start(self, photos: npt.NDArray[np.uint8]) -> Started:
        squares = torch.from_numpy(photos).permute(0, 3, 1, 2).to(self.device)
        grid = self.model.encoder(squares).float()
        if not self.model.sees_attributes:
            none = np.zeros((len(photos), 0))
            return Started(
                self.model.decoder.start(grid), none.astype(np.int64), none.astype(np.float32)
            )
        ids, certainty = self.model.name_attributes(self.model.head(grid))
        state = self.model.decoder.start(grid, ids, certainty)
        return Started(state, ids.cpu().numpy(), certainty.cpu().numpy())

    @torch.inference_mode()
    def step(self, words: Any, state: State) -> tuple[Any, State, Any]:
        return self.model.decoder.step(words, state)

    def ids(self, words: Sequence[int]) -> torch.Tensor:
        return torch.tensor(words, device=self.device)


def _multiplies_bf16() -> bool:
    """Whether this processor multiplies bf16 matrices faster than fp32 ones."""
    capability = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in capability and torch.ops.mkldnn._is_mkldnn_bf16_supported()
