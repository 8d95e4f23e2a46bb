"""Which engine takes a checkpoint, and what is said where none can."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from captioner.engines.engine import Engine
from captioner.engines.graphs import (
    START,
    STEP,
    GraphEngine,
    OnnxRuntime,
    OpenVino,
    graph_file,
    has_graphs,
)
from captioner.engines.names import ENGINES
from captioner.errors import CaptionerError
from captioner.extras import how_to_install
from captioner.notes import read_notes

DTYPES = ("float32", "bfloat16")
RUNTIMES: dict[str, Callable[[str | None], OpenVino | OnnxRuntime]] = {
    "openvino": OpenVino,
    "onnxruntime": OnnxRuntime,
}


def open_engine(
    file: Path, name: str | None = None, device: str | None = None, dtype: str | None = None
) -> Engine:
    """The engine of that name with the checkpoint in `file`; None: the quickest that is installed
    for what the checkpoint has.

    A `device` other than "cpu" is for torch. Raises CaptionerError, saying what to do, for an
    engine that is not installed, a checkpoint without graphs on one that needs them, a GPU that is
    not there and a precision (`dtype`) that the processor lacks.
    """
    _check(name, device, dtype)
    if not file.is_file():
        raise CaptionerError(f"{file}: there is no such checkpoint file")
    chosen = name or _quickest(file, device, dtype)
    if find_spec(chosen) is None:
        extra = {"openvino": "pip install openvino"}.get(chosen) or how_to_install(chosen)
        raise CaptionerError(f"engine {chosen!r} is not installed: {extra}")
    if chosen == "torch":
        return _on_torch(file, device, dtype)
    if not has_graphs(file):
        raise CaptionerError(
            f"{file}: has no graphs for {chosen}, or those of another checkpoint; write them with"
            f" captioner export --model {file}, or use the engine torch"
        )
    return _on_graphs(file, chosen, dtype)


def _check(name: str | None, device: str | None, dtype: str | None) -> None:
    if name is not None and name not in ENGINES:
        raise CaptionerError(f"engine must be one of {', '.join(ENGINES)}, not {name!r}")
    if dtype is not None and dtype not in DTYPES:
        raise CaptionerError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    if name not in (None, "torch") and device not in (None, "cpu"):
        raise CaptionerError(f"engine {name!r} computes on the cpu; device {device!r} is for torch")
    if name == "onnxruntime" and dtype == "bfloat16":
        raise CaptionerError("engine 'onnxruntime' computes in float32; bfloat16 is for openvino")


def _quickest(file: Path, device: str | None, dtype: str | None) -> str:
    if device not in (None, "cpu") or (device is None and _has_gpu()):
        return "torch"
    graphs = has_graphs(file)
    for name in ENGINES:
        able = name == "torch" or (graphs and not (name == "onnxruntime" and dtype == "bfloat16"))
        if able and find_spec(name) is not None:
            return name
    if graphs:
        raise CaptionerError(
            "there is no engine to compute with; pip install openvino, or onnxruntime"
        )
    raise CaptionerError(
        f"{file}: has no graphs beside it, so it needs PyTorch: {how_to_install('torch')}; or write"
        f" the graphs where there is one: captioner export --model {file}"
    )


def _has_gpu() -> bool:
    """Whether torch may find a GPU: asked before torch is imported, which takes a second."""
    there = os.path.exists("/dev/nvidiactl") or "CUDA_PATH" in os.environ
    if not there or find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def _on_torch(file: Path, device: str | None, dtype: str | None) -> Engine:
    from captioner import checkpoint
    from captioner.engines.torch import TorchEngine

    model = checkpoint.load(file)
    return TorchEngine(model, file.stem, device, dtype, read_notes(file))


def _on_graphs(file: Path, name: str, dtype: str | None) -> Engine:
    notes = read_notes(file)
    try:
        runtime = RUNTIMES[name](dtype)
        start, step = (runtime.open(graph_file(file, graph)) for graph in (START, STEP))
    except CaptionerError:
        raise
    except Exception as error:  # each runtime has its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CaptionerError(
            f"{file}: its graphs cannot be opened by {name} ({reason[0]}); write them again:"
            f" captioner export --model {file}"
        ) from None
    return GraphEngine(name, runtime.precision, notes, start, step)
