"""A network of a thousand operators, as inverted residual blocks with names of a usual length."""

from __future__ import annotations

from typing import Any

import numpy as np
from tflite_writer import GraphWriter, schema

WIDE, NARROW = 32, 16
_SIDE = 8
_BLOCK = 4
"""Operators of a block: it widens, filters each channel, narrows again, and is added to what came in."""


def thousand_operators(count: int = 1000) -> bytes:
    """A quantized network of at least ``count`` operators whose activations are 8 by 8 pixels."""
    rng = np.random.default_rng(11)
    graph = GraphWriter("thousand")
    shape = (1, _SIDE, _SIDE, NARROW)

    def filtered(kind: str, source: int, name: str, channels: int, kernel: tuple[int, ...], options: Any) -> int:
        result = graph.tensor(f"{name}/out", (*shape[:3], channels), "int8", 0.06, 3)
        scales = rng.uniform(0.002, 0.004, channels).astype(np.float32)
        weights = rng.integers(-127, 128, kernel, dtype=np.int8)
        axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
        filters = graph.tensor(f"{name}/filters", kernel, "int8", scales, 0, weights, axis=axis)
        bias = rng.integers(-2000, 2000, channels, dtype=np.int32)
        biases = graph.tensor(f"{name}/bias", (channels,), "int32", scales * graph.scale(source), 0, bias)
        options.strideW = options.strideH = options.dilationWFactor = options.dilationHFactor = 1
        graph.operator(kind, [source, filters, biases], [result], options, version=3)
        return result

    image = latest = graph.tensor("image", shape, "int8", 0.05, -3)
    for block in range(-(-count // _BLOCK)):
        name = f"network/stage_{block // 16}/inverted_residual_{block}"
        wide = filtered("CONV_2D", latest, f"{name}/expand", WIDE, (WIDE, 1, 1, NARROW), schema.Conv2DOptionsT())
        depthwise = schema.DepthwiseConv2DOptionsT()
        depthwise.depthMultiplier = 1
        wide = filtered("DEPTHWISE_CONV_2D", wide, f"{name}/depthwise", WIDE, (1, 3, 3, WIDE), depthwise)
        narrow = filtered(
            "CONV_2D", wide, f"{name}/project", NARROW, (NARROW, 1, 1, WIDE), schema.Conv2DOptionsT()
        )
        added = graph.tensor(f"{name}/add", shape, "int8", 0.1, -5)
        graph.operator("ADD", [latest, narrow], [added], schema.AddOptionsT(), version=2)
        latest = added
    return graph.finish({"image": image}, {"features": latest})
