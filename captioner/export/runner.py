"""Running one graph of an export: named numpy arrays in, named numpy arrays out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from captioner.errors import CaptionerError

Array: TypeAlias = npt.NDArray[Any]
Tensors: TypeAlias = dict[str, Array]
Runner: TypeAlias = Callable[[Tensors], Tensors]


def open_graph(file: Path, notes: dict[str, Any]) -> Runner:
    """The graph in a file that captioner.json describes by `notes`; torch is imported for torch's
    programs only. Raises CaptionerError where it cannot be opened."""
    try:
        if file.suffix == ".onnx":
            return Session(file)
        from captioner.export.programs import Program

        return Program(file, notes)
    except ImportError as error:
        package = "onnxruntime" if file.suffix == ".onnx" else "torch"
        raise CaptionerError(f"{file}: cannot be run ({error}); pip install {package}") from None
    except Exception as error:  # each runtime has its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CaptionerError(f"{file}: cannot be opened ({reason[0]}); export again") from None


class Session:
    """A graph on ONNX Runtime's CPU provider."""

    def __init__(self, file: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        # int8 weights become fp32 once, when the file is opened, not at every run
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self.session = onnxruntime.InferenceSession(
            file, options, providers=["CPUExecutionProvider"]
        )
        self.outputs = [output.name for output in self.session.get_outputs()]

    def __call__(self, tensors: Tensors) -> Tensors:
        given = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        return dict(zip(self.outputs, self.session.run(None, given), strict=True))
