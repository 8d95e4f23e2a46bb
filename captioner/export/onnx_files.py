"""Graphs as ONNX files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from captioner.export.graphs import Graph
from captioner.export.programs import program

SUFFIX = ".onnx"
OPSET = 18
SMALL = 1024  # weights fewer than these stay fp32


def write(graph: Graph, file: Path, int8: bool = False) -> None:
    """Write the graph to `file`, its weights inside; with `int8` matrices and kernels as int8."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.onnx.export(
            program(graph),
            dynamic_shapes=graph.dynamic,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert exported is not None
    model = exported.model_proto
    if int8:
        shrink(model)
    onnx.checker.check_model(model)
    onnx.save_model(model, file)


def shrink(model: onnx.ModelProto) -> None:
    """Store matrices and kernels as int8 with one fp32 scale an output channel.

    What is computed with them stays fp32: DequantizeLinear stands before their use.
    """
    graph = model.graph
    columns = {
        node.input[1]
        for node in graph.node
        if node.op_type == "MatMul"
        or (node.op_type == "Gemm" and not any(a.name == "transB" and a.i for a in node.attribute))
    }
    nodes, kept = [], []
    for tensor in graph.initializer:
        weight = numpy_helper.to_array(tensor)
        if weight.dtype != np.float32 or weight.ndim < 2 or weight.size < SMALL:
            kept.append(tensor)
            continue
        # the first axis counts output channels; the second in a right factor, and in the
        # (directions, gates, inputs) of ONNX's GRU and LSTM
        axis = 1 if tensor.name in columns or weight.ndim == 3 else 0
        others = tuple(i for i in range(weight.ndim) if i != axis)
        scale = np.maximum(np.abs(weight).max(others), 1e-12) / np.float32(127)
        whole = np.rint(weight / np.expand_dims(scale, others)).astype(np.int8)
        name = tensor.name
        kept.append(numpy_helper.from_array(whole, f"{name}.int8"))
        kept.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}.scale"))
        inputs = [f"{name}.int8", f"{name}.scale"]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [name], axis=axis))
    nodes.extend(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
