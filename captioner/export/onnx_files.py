"""Graphs as ONNX files that hold no weights: these stay in the checkpoint, at their places."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from onnx import NodeProto, TensorProto, helper

from captioner.errors import CaptionerError
from captioner.export.graphs import Graph
from captioner.notes import SCALE, Header

OPSET = 18
_TYPES = {"F32": TensorProto.FLOAT, "F16": TensorProto.FLOAT16, "I8": TensorProto.INT8}
_SMALL = 100_000  # bytes of what no checkpoint holds: ids of attribute words, axes, means


def write(graph: Graph, file: Path, header: Header) -> None:
    """Write the graph of the model in the checkpoint with that header, which must lie beside it.

    An initialiser is the checkpoint's tensor: external data at its offset. What is stored as fp16
    is cast, what is stored as int8 also multiplied with its scale: the runtimes do it once, when
    they open the graph. Raises CaptionerError where the checkpoint lacks a weight.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.onnx.export(
            graph.program(),
            dynamic_shapes=graph.dynamic,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            opset_version=OPSET,
            dynamo=True,
            optimize=False,  # it would fold weights into others, which no checkpoint holds
            verbose=False,
        )
    assert exported is not None
    model = exported.model_proto
    _refer(model.graph, header)
    helper.set_model_props(model, {"checkpoint": header.digest})
    for node in model.graph.node:  # where in the Python code it comes from
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.value_info[:], model.graph.metadata_props[:]
    file.write_bytes(model.SerializeToString())


def _refer(graph: onnx.GraphProto, header: Header) -> None:
    """Replace the graph's weights by references to the checkpoint's."""
    kept: list[TensorProto] = []
    nodes: list[NodeProto] = []
    for tensor in graph.initializer:
        name = tensor.name.removeprefix("model.")
        if name in header.tensors:
            tensors, restoring = _restored(tensor.name, name, header)
            kept += tensors
            nodes += restoring
        elif len(tensor.raw_data) > _SMALL:
            raise CaptionerError(
                f"{header.file}: does not hold {name} itself; a model that shares its encoder with"
                " the embedded one is exported into a folder (captioner export --output)"
            )
        else:
            kept.append(tensor)
    nodes.extend(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def _restored(weight: str, name: str, header: Header) -> tuple[list[TensorProto], list[NodeProto]]:
    """The tensors of the checkpoint that make up the weight, and what makes fp32 of them."""
    kind = header.tensors[name]["dtype"]
    if kind == "F32":
        return [_external(weight, name, header)], []
    stored, cast = f"{weight}.stored", weight if kind == "F16" else f"{weight}.whole"
    tensors = [_external(stored, name, header)]
    nodes = [helper.make_node("Cast", [stored], [cast], to=TensorProto.FLOAT)]
    if kind == "I8":
        tensors.append(_external(f"{weight}{SCALE}", name + SCALE, header))
        nodes.append(helper.make_node("Mul", [cast, f"{weight}{SCALE}"], [weight]))
    return tensors, nodes


def _external(called: str, name: str, header: Header) -> TensorProto:
    place = header.tensors[name]
    first, end = place["data_offsets"]
    where = {"location": header.file.name, "offset": header.start + first, "length": end - first}
    tensor = TensorProto(
        name=called,
        data_type=_TYPES[place["dtype"]],
        dims=place["shape"],
        data_location=TensorProto.EXTERNAL,
    )
    for key, value in where.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
