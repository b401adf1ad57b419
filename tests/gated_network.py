"""A network that Vela chains on Ethos-U85: what one operation computes stays in the NPU for the next one."""

from __future__ import annotations

from tflite_writer import GraphWriter, schema

SHAPE = (1, 6, 6, 16)


def gated() -> bytes:
    """``tanh(logistic(x) * a + b)`` in int8."""
    graph = GraphWriter("gated")
    x, a, b = (graph.tensor(name, SHAPE, "int8", 0.03, zero) for name, zero in (("x", 3), ("a", -5), ("b", 0)))
    gate = graph.tensor("gate", SHAPE, "int8", 1 / 256, -128)
    product = graph.tensor("product", SHAPE, "int8", 0.02, 7)
    total = graph.tensor("total", SHAPE, "int8", 0.04, -2)
    y = graph.tensor("y", SHAPE, "int8", 1 / 128, 0)
    graph.operator("LOGISTIC", [x], [gate])
    graph.operator("MUL", [gate, a], [product], schema.MulOptionsT(), version=2)
    graph.operator("ADD", [product, b], [total], schema.AddOptionsT(), version=2)
    graph.operator("TANH", [total], [y])
    return graph.finish({"x": x, "a": a, "b": b}, {"y": y})
