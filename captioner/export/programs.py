"""Graphs as torch.export programs."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from captioner.export.graphs import Graph


def program(graph: Graph) -> torch.export.ExportedProgram:
    """The graph as a program for any number of photos and beams."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(
            graph.module,
            tuple(graph.inputs.values()),
            dynamic_shapes=graph.dynamic,
            # what torch cannot prove of one beam or one photo is checked when it runs
            prefer_deferred_runtime_asserts_over_guards=True,
        )


def write(graph: Graph, file: Path) -> None:
    """Write the graph to `file`, with those of the weights that it reads."""
    _drop_unread(graph.module, program(graph))
    torch.export.save(program(graph), file)


def _drop_unread(module: nn.Module, exported: torch.export.ExportedProgram) -> None:
    """Empty the weights of `module` that its exported program does not read."""
    unread = {node.name for node in exported.graph.nodes if node.op == "placeholder"}
    unread -= {node.name for node in exported.graph.nodes if node.users}
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    for spec in exported.graph_signature.input_specs:
        if spec.target is not None and spec.arg.name in unread and spec.target in tensors:
            tensors[spec.target].data = torch.empty(0)
