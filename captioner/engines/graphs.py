"""The engines that run a model's two graphs without torch: ONNX Runtime and OpenVINO.

A graph is a small ONNX file beside its checkpoint: the weights it computes with are those in the
checkpoint, at their places in the file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from captioner.engines.engine import Started
from captioner.errors import CaptionerError
from captioner.notes import Notes, read_header

Array = npt.NDArray[Any]
Tensors = Mapping[str, Array]
START, STEP = "start", "step"
AT_ONCE = 4  # photos: as quick as more, or quicker, in a third of the memory
TOGETHER = 4  # copies of a graph that compute at once, each on its share of the cores
_RECURRENT = ("hidden", "cell", "taught")  # of each beam; all else is of the photo
_LOOKED = ("attribute_ids", "certainty")  # not for the step


def graph_file(checkpoint: Path, graph: str) -> Path:
    """Where the graph "start" or "step" of a checkpoint lies."""
    return checkpoint.with_name(f"{checkpoint.stem}.{graph}.onnx")


def has_graphs(checkpoint: Path) -> bool:
    """Whether both graphs lie beside the checkpoint and were made for it as it is.

    A graph holds the digest of the checkpoint's header, which says where each tensor lies.
    """
    files = [graph_file(checkpoint, graph) for graph in (START, STEP)]
    if not all(file.is_file() for file in files):
        return False
    digest = read_header(checkpoint).digest.encode()
    return all(digest in file.read_bytes() for file in files)


@dataclass(frozen=True)
class GraphState:
    """What the decoder remembers: of each of A photos (A, …), and of its K beams (A, K, …)."""

    photos: Tensors
    beams: Tensors

    @property
    def shape(self) -> tuple[int, int]:
        """A and K."""
        photos, beams = self.beams["hidden"].shape[:2]
        return photos, beams

    def select(self, rows: Array, photos: Array | None = None) -> GraphState:
        """As `captioner.search.types.SearchState` says: rows count photo by photo."""
        kept = self.photos if photos is None else {n: p[photos] for n, p in self.photos.items()}
        count = self.shape[0] if photos is None else len(photos)
        beams = {
            name: part.reshape(-1, *part.shape[2:])[rows].reshape(count, -1, *part.shape[2:])
            for name, part in self.beams.items()
        }
        return GraphState(kept, beams)


class Runner(Protocol):
    """A graph that is open. One call at a time."""

    def __call__(self, inputs: Sequence[Tensors]) -> list[dict[str, Array]]:
        """The outputs for each of some inputs."""


class GraphEngine:
    """A model's two graphs on a runtime."""

    def __init__(
        self, name: str, precision: str, notes: Notes, start: Runner, step: Runner
    ) -> None:
        self.name, self.precision, self.notes = name, precision, notes
        self._start, self._step = start, step
        self._start_lock, self._step_lock = Lock(), Lock()

    def start(self, photos: npt.NDArray[np.uint8]) -> Started:
        squares = np.ascontiguousarray(photos.transpose(0, 3, 1, 2))
        with self._start_lock:
            few = self._start(
                [
                    {"photos": squares[first : first + AT_ONCE]}
                    for first in range(0, len(squares), AT_ONCE)
                ]
            )
        found = {name: np.concatenate([part[name] for part in few]) for name in few[0]}
        beams = {name: found[name] for name in _RECURRENT if name in found}
        of_photos = {n: part for n, part in found.items() if n not in (*_RECURRENT, *_LOOKED)}
        none = np.zeros((len(photos), 0))
        return Started(
            GraphState(of_photos, beams),
            found.get("attribute_ids", none).astype(np.int64),
            found.get("certainty", none).astype(np.float32),
        )

    def step(self, words: Array, state: GraphState) -> tuple[Array, GraphState, Array]:
        fed = {"words": words.reshape(state.shape), **state.photos, **state.beams}
        with self._step_lock:
            [found] = self._step([fed])
        beams = {name: found[f"next_{name}"] for name in state.beams}
        attention = found.get("attention", np.zeros((len(words), 0), np.float32))
        return (
            found["log_probabilities"].reshape(len(words), -1),
            GraphState(state.photos, beams),
            attention.reshape(len(words), -1),
        )

    def ids(self, words: Sequence[int]) -> Array:
        return np.asarray(words, np.int64)


class OnnxRuntime:
    """Opens graphs on ONNX Runtime's CPU provider, in fp32."""

    def __init__(self, precision: str | None) -> None:
        import onnxruntime

        self.precision = "float32"
        self._library = onnxruntime
        self._options = onnxruntime.SessionOptions()
        self._options.log_severity_level = 3  # errors

    def open(self, file: Path) -> Runner:
        session = self._library.InferenceSession(
            file, self._options, providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]

        def run(inputs: Sequence[Tensors]) -> list[dict[str, Array]]:
            return [
                dict(zip(names, session.run(None, _contiguous(tensors)), strict=True))
                for tensors in inputs
            ]

        return run


def _contiguous(tensors: Tensors) -> dict[str, Array]:
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


@cache
def _openvino_core() -> Any:
    """One for the whole process, as long as it lives.

    Each gives the thread a stack for signal handlers (sigaltstack), and where of two the elder goes
    first, the younger leaves the thread with what the elder has unmapped: the next signal that
    Python handles, Ctrl-C or the end of a child, then ends the process.
    """
    # its import would tell a server of Google's that it was imported
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino.Core()


class OpenVino:
    """Opens graphs on OpenVINO's CPU plugin, in bf16 where the processor has it; the plugin keeps
    in fp32 what follows the last products of matrices: the LSTM's cell, softmax and attention."""

    def __init__(self, precision: str | None) -> None:
        self._core = _openvino_core()
        able = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bfloat16" and not able:
            raise CaptionerError("this processor does not compute in bfloat16; use float32")
        self.precision = precision or ("bfloat16" if able else "float32")

    def compile(self, graph: Any, cores: int = 0) -> Any:
        """OpenVINO's own object for a graph, or the file of one, on some cores, or all (0)."""
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bfloat16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": cores,
            "ENABLE_CPU_PINNING": not cores,  # copies would all take the first cores
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,  # else int8 weights make int8 of what they meet
        }
        return self._core.compile_model(graph, "CPU", settings)

    def open(self, file: Path) -> Runner:
        """A call with one input has all cores. Of a call with several each has its share: cores
        that compute together wait for each other after every layer.

        Each share is a copy of its own: with OpenVINO's streams (2026.4) the copies of a graph
        mistake each other's weights.
        """
        graph, cores = self._core.read_model(file), os.cpu_count() or 1

        @cache  # who has many photos never needs the other
        def requests(copies: int) -> list[Any]:
            share = cores // copies if copies > 1 else 0
            return [self.compile(graph, share).create_infer_request() for _ in range(copies)]

        def run(inputs: Sequence[Tensors]) -> list[dict[str, Array]]:
            free = requests(1 if len(inputs) == 1 else min(TOGETHER, cores))
            found = []
            for first in range(0, len(inputs), len(free)):
                given = [_contiguous(tensors) for tensors in inputs[first : first + len(free)]]
                for request, tensors in zip(free, given, strict=False):
                    request.start_async(tensors, share_inputs=True)
                found += [_outputs(request) for request, _ in zip(free, given, strict=False)]
            return found

        return run


def _outputs(request: Any) -> dict[str, Array]:
    """What a request that was started gives, copied: the next one writes over it."""
    request.wait()
    return {
        place.get_any_name(): np.array(request.get_tensor(place).data)
        for place in request.model_outputs
    }
