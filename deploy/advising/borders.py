"""What the NPU computes at the network's border although the host can do without it or does it for less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from deploy.advising.suggestion import Suggestion
from deploy.rewriting.site import Site
from deploy.tflite import Model, Tensor
from deploy.tflite.graph import Graph, Node

_ON_HOST = {"SOFTMAX": "softmax", "LOGISTIC": "sigmoid"}
"""Functions that keep the order of the scores: a host that only compares them need not even apply them."""

_PASSES_ON = ("QUANTIZE", "DEQUANTIZE", "RESHAPE")


def border_conversions(graph: Graph) -> Iterator[Suggestion]:
    """QUANTIZE and DEQUANTIZE between the types of the interface and the int8 of the network.

    Where one other operator alone is at the inner side, it is part of the site: it may take longer to read its
    input from where the user put it than from where QUANTIZE did.
    """
    for node in conversions(graph):
        yield _conversion(graph, node)


def conversions(graph: Graph) -> Iterator[Node]:
    """The operators that only change the type of an input to int8, read alone, or of an output from int8."""
    for node in graph.nodes:
        if node.code != "QUANTIZE":
            continue
        outer, inner = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        if outer.index in graph.inputs and graph.private(outer.index, node) and _same_values(outer, inner):
            yield node
    for node in graph.nodes:
        if node.code not in ("QUANTIZE", "DEQUANTIZE") or node.outputs[0] not in graph.outputs:
            continue
        inner, outer = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        alone = not graph.consumers(outer.index) and inner.index not in (*graph.outputs, *graph.inputs)
        if alone and inner.data is None and _same_values(outer, inner):
            yield node


def host_functions(graph: Graph) -> Iterator[Suggestion]:
    """Softmax and sigmoid as the last thing that a network computes.

    The operator before them is part of the site: it computes a sigmoid on the way, for less.
    """
    for node in last_functions(graph):
        name = _ON_HOST[node.code]
        yield _at_output(
            graph,
            node,
            Suggestion(
                "on the host",
                f"{name} as the last operator",
                f"end the network at the logits; the host applies {name} to what it needs, none to compare scores",
                "interface changes",
                Site(f"{name} at an output", (node,), node.inputs[:1], node.outputs[0], ()),
            ),
        )


def last_functions(graph: Graph) -> Iterator[Node]:
    """The operators whose function a host can apply instead."""
    for node in graph.nodes:
        if node.code in _ON_HOST and graph.activations(node) and _is_last(graph, node):
            yield node


def without(model: Model, find: Callable[[Graph], Iterator[Node]]) -> Model:
    """A model without the operators at its border that a finder of this module finds.

    Inputs and outputs keep their names and their order, and get the type and scale of what lies inside.
    """
    graph = Graph(model)
    while (node := next(find(graph), None)) is not None:
        outer, inner = node.inputs[0], node.outputs[0]
        graph.replace([node], [])
        if outer in graph.inputs:
            graph.inputs = tuple(inner if index == outer else index for index in graph.inputs)
        else:
            graph.redirect(inner, outer)
    return graph.model(
        inputs=dict(zip(model.input_names().values(), graph.inputs, strict=True)),
        outputs=dict(zip(model.output_names().values(), graph.outputs, strict=True)),
    )


def _conversion(graph: Graph, node: Node) -> Suggestion:
    border = "input" if node.inputs[0] in graph.inputs else "output"
    outer = node.inputs[0] if border == "input" else node.outputs[0]
    dtype = graph.tensors[outer].dtype
    host = "quantizes what it hands over" if border == "input" else "takes int8 as it is"
    if not dtype.startswith("float"):
        host = "flips the highest bit of every byte (XOR 0x80)"
    title = f"{dtype} {border}, int8 inside"
    suggestion = Suggestion(
        "input and output types",
        title,
        f"quantize with --io int8; the host {host}",
        "interface changes",
        Site(title, (node,), node.inputs[:1], node.outputs[0], ()),
        subject=outer,
    )
    return _at_input(graph, node, suggestion) if border == "input" else _at_output(graph, node, suggestion)


def _at_input(graph: Graph, node: Node, suggestion: Suggestion) -> Suggestion:
    """The same together with the operator that alone reads the node, if it reads nothing else."""
    readers = graph.consumers(node.outputs[0])
    if len(readers) != 1 or node.outputs[0] in graph.outputs or len(readers[0].outputs) != 1:
        return suggestion
    (reader,) = readers
    if graph.activations(reader) != node.outputs:
        return suggestion
    site = replace(suggestion.site, nodes=(node, reader), output=reader.outputs[0])
    return replace(suggestion, site=site, twin=_without(site, reader, node.outputs))


def _at_output(graph: Graph, node: Node, suggestion: Suggestion) -> Suggestion:
    """The same together with the operator that alone writes what the node alone reads."""
    writer = graph.producer(node.inputs[0])
    if writer is None or writer.outputs != node.inputs[:1] or not graph.private(node.inputs[0], node):
        return suggestion
    inputs = graph.activations(writer)
    site = replace(suggestion.site, nodes=(writer, node), inputs=inputs)
    return replace(suggestion, site=site, twin=_without(site, writer, inputs)) if inputs else suggestion


def _without(site: Site, left: Node, inputs: tuple[int, ...]) -> Site:
    return Site(f"without {site.rule}", (left,), inputs, left.outputs[0], ())


def _same_values(outer: Tensor, inner: Tensor) -> bool:
    """Whether a tensor holds the other one's values in another type than int8."""
    if inner.dtype != "int8" or inner.quantization is None or outer.dtype not in ("uint8", "float32"):
        return False
    if outer.dtype == "float32":
        return True
    if outer.quantization is None:
        return False
    offsets = {a - b for a, b in zip(outer.quantization.zero_points, inner.quantization.zero_points, strict=False)}
    return outer.quantization.scales == inner.quantization.scales and offsets == {128}


def _is_last(graph: Graph, node: Node) -> bool:
    """Whether nothing but the host reads what an operator computes, reshaped or converted at most."""
    if node.inputs[0] in (*graph.inputs, *graph.outputs):
        return False
    tensor = node.outputs[0]
    while tensor not in graph.outputs:
        readers = graph.consumers(tensor)
        if len(readers) != 1 or readers[0].code not in _PASSES_ON:
            return False
        tensor = readers[0].outputs[0]
    return not graph.consumers(tensor)
