"""The two graphs of a model, for any exporter: `start` once a photo, `step` once a word.

Their tensors are named and lie photo by photo: what depends on the photo alone is (B, …), what
depends on the words (B, K, …) for K beams a photo, so that the shapes say which beam looks at which
photo. What a kind of decoder does not have is left out.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from captioner.model.decoder import Memory, State
from captioner.model.model import Model

PHOTOS, BEAMS = "photos", "beams"
MEMORY = tuple(field.name for field in fields(Memory))


@dataclass(frozen=True)
class Graph:
    """A module that takes and returns tensors in the order of their names, with an example."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    def describe(self) -> dict[str, Any]:
        """The names, types and shapes; a name in a shape stands for any number from 1 on."""
        return {"inputs": _describe(self.inputs), "outputs": _describe(self.outputs)}

    @property
    def dynamic(self) -> tuple[Any, ...]:
        """For each input torch.export's description of the axes that may have any length."""
        axes = {name: torch.export.Dim(name, min=1) for name in (PHOTOS, BEAMS)}
        first, *others = (
            {i: axes[n] for i, n in enumerate(shape(name, tensor)) if isinstance(n, str)}
            for name, tensor in self.inputs.items()
        )
        return (first, tuple(others)) if others else (first,)

    def program(self) -> torch.export.ExportedProgram:
        """The graph for any number of photos and beams."""
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(
                self.module,
                tuple(self.inputs.values()),
                dynamic_shapes=self.dynamic,
                # what torch cannot prove of one beam or one photo is checked when it runs
                prefer_deferred_runtime_asserts_over_guards=True,
            )

    def write(self, file: Path) -> None:
        """Write the program to `file`, with those of the weights that it reads."""
        _drop_unread(self.module, self.program())
        torch.export.save(self.program(), file)


def graphs(model: Model) -> tuple[Graph, Graph]:
    """`start` and `step` of a model in fp32, which is left as it is."""
    model = copy.deepcopy(model).cpu().float().eval()
    side = model.config.encoder.pixels
    photos = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    with torch.no_grad():
        state = model.start(photos)
        parts = _parts(state)
        step = StepGraph(model, tuple(parts))
        given = {name: parts[name] for name in parts if name in MEMORY}
        given |= {
            name: part.unsqueeze(1).expand(-1, 3, -1, -1).contiguous()
            for name, part in parts.items()
            if name not in MEMORY
        }
        inputs = {"words": torch.full((2, 3), model.vocabulary.end), **given}
        returned = dict(zip(step.outputs, step(*inputs.values()), strict=True))
        start = StartGraph(model)
        begun = dict(zip((*parts, *start.shows), start(photos), strict=True))
    return (
        Graph("start", start.eval(), {PHOTOS: photos}, begun),
        Graph("step", step.eval(), inputs, returned),
    )


class StartGraph(nn.Module):
    """Photos (B, 3, S, S) uint8 → the memory (B, …), hidden and cell (B, 1, D, H), and the
    attribute words shown (B, M) with their probabilities."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)  # its unread weights may be dropped
        self.shows = ("attribute_ids", "certainty") if model.sees_attributes else ()

    def forward(self, photos: Tensor) -> tuple[Tensor, ...]:
        model = self.model
        grid = model.encoder(photos)
        shown = model.name_attributes(model.head(grid)) if self.shows else ()
        parts = _parts(model.decoder.start(grid, *shown))
        begun = (p if name in MEMORY else p.unsqueeze(1) for name, p in parts.items())
        return (*begun, *shown)


class StepGraph(nn.Module):
    """Words (B, K), memory, hidden, cell → log-probabilities (B, K, V), hidden, cell, attention."""

    def __init__(self, model: Model, parts: tuple[str, ...]) -> None:
        """`parts` names the tensors of a state that are not empty, in their order."""
        super().__init__()
        self.decoder = model.decoder
        self.parts = parts
        after = [f"next_{name}" for name in parts if name not in MEMORY]
        looks = ["attention"] if model.config.decoder.attends else []
        self.outputs = ("log_probabilities", *after, *looks)

    def forward(self, words: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        parts = dict(zip(self.parts, given, strict=True))
        photos, beams = words.shape
        for name, part in parts.items():  # tells torch.export that these numbers are the same
            torch._check(part.shape[0] == photos)
            torch._check(name in MEMORY or part.shape[1] == beams)
        empty = parts["hidden"].new_zeros(photos, 0)
        regions, attributes = parts.get("regions", empty), parts.get("attributes", empty)
        memory = Memory(
            regions,
            parts.get("region_keys", regions),
            attributes,
            parts.get("attribute_keys", attributes),
            parts.get("context", empty),
        )
        hidden = parts["hidden"].flatten(0, 1)
        cell = parts["cell"].flatten(0, 1) if "cell" in parts else hidden[:, :0]
        taught = parts["taught"].flatten(0, 1) if "taught" in parts else hidden[:, :0, :1]
        log_probs, state, attention = self.decoder.step(
            words.flatten(), State(memory, hidden, cell, taught)
        )
        returned = [log_probs]
        returned += [getattr(state, name) for name in self.parts if name not in MEMORY]
        if "attention" in self.outputs:
            returned.append(attention)
        return tuple(part.unflatten(0, (photos, beams)) for part in returned)


def _parts(state: State) -> dict[str, Tensor]:
    """The tensors of a state by name, without those that are empty, and keys that are the regions
    themselves."""
    memory = state.memory
    parts = {name: getattr(memory, name) for name in MEMORY}
    if memory.region_keys is memory.regions:
        del parts["region_keys"], parts["attribute_keys"]
    parts |= {"hidden": state.hidden, "cell": state.cell, "taught": state.taught}
    return {name: part for name, part in parts.items() if part.shape[1:].numel()}


def shape(name: str, tensor: Tensor) -> tuple[int | str, ...]:
    """The tensor's shape, with names for the axes that may have any length."""
    fixed = tensor.shape
    if name == PHOTOS or name in (*MEMORY, "attribute_ids", "certainty"):
        return (PHOTOS, *fixed[1:])
    return (PHOTOS, BEAMS if fixed[1] > 1 else 1, *fixed[2:])


def _describe(tensors: dict[str, Tensor]) -> list[dict[str, Any]]:
    return [
        {"name": n, "type": str(t.dtype).removeprefix("torch."), "shape": shape(n, t)}
        for n, t in tensors.items()
    ]


def _drop_unread(module: nn.Module, exported: torch.export.ExportedProgram) -> None:
    """Empty the weights of `module` that its exported program does not read."""
    unread = {node.name for node in exported.graph.nodes if node.op == "placeholder"}
    unread -= {node.name for node in exported.graph.nodes if node.users}
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    for spec in exported.graph_signature.input_specs:
        if spec.target is not None and spec.arg.name in unread and spec.target in tensors:
            tensors[spec.target].data = torch.empty(0)
