"""A network that Vela compiles for Ethos-U85 with an operation that nothing describes for quantized numbers."""

from __future__ import annotations

import numpy as np
from tflite_writer import GraphWriter, schema

SHAPE = (1, 4, 4, 8)


def division(scale: float = 0.02) -> bytes:
    """``a / max(b, 1)`` in int8: LiteRT's kernel refuses to divide by 0.

    Args:
        scale: of the result; with 1 the quotient is that of the integers.
    """
    graph = GraphWriter("division")
    a, b = (graph.tensor(name, SHAPE, "int8", 0.05, zero) for name, zero in (("a", 3), ("b", -5)))
    y = graph.tensor("y", SHAPE, "int8", scale, 1)
    least = graph.tensor("least", (1,), "int8", 0.05, -5, np.array([15], np.int8))
    divisor = graph.tensor("divisor", SHAPE, "int8", 0.05, -5)
    graph.operator("MAXIMUM", [b, least], [divisor], schema.MaximumMinimumOptionsT(), version=2)
    graph.operator("DIV", [a, divisor], [y], schema.DivOptionsT(), version=2)
    return graph.finish({"a": a, "b": b}, {"y": y})
