"""A quantized two-output network written with the schema alone: no TensorFlow, a few milliseconds, any names."""

from __future__ import annotations

import numpy as np
from tflite_writer import GraphWriter, schema

INPUT, FIRST, SECOND = "image", "garment", "kind"


def small_model(
    names: tuple[str, str, str] = (INPUT, FIRST, SECOND), *, log_softmax_on_cpu: bool = False, channels: int = 8
) -> bytes:
    """Two CONV_2D, both of them outputs: int8 ``[1, 8, 8, 4]`` -> ``[1, 4, 4, channels]`` -> ``[1, 4, 4, 3]``.

    Args:
        names: of the input and the two outputs in the SignatureDef.
        log_softmax_on_cpu: appends a LOG_SOFTMAX to the second output, which Vela leaves on the CPU.
        channels: of the first output.
    """
    rng = np.random.default_rng(1)
    graph = GraphWriter("small")

    def convolution(source: int, result: int, kernel: int, depth: int, width: int, stride: int) -> None:
        scales = rng.uniform(0.002, 0.004, width).astype(np.float32)
        weights = rng.integers(-127, 128, (width, kernel, kernel, depth), dtype=np.int8)
        bias = rng.integers(-2000, 2000, width, dtype=np.int32)
        filters = graph.tensor("filters", weights.shape, "int8", scales, 0, weights)
        biases = graph.tensor("bias", bias.shape, "int32", scales * graph.scale(source), 0, bias)
        options = schema.Conv2DOptionsT()
        options.strideW = options.strideH = stride
        options.dilationWFactor = options.dilationHFactor = 1
        options.padding = schema.Padding.SAME
        graph.operator("CONV_2D", [source, filters, biases], [result], options, version=3)

    image = graph.tensor("in", (1, 8, 8, 4), "int8", 0.02, -3)
    first = graph.tensor("first", (1, 4, 4, channels), "int8", 0.05, 4)
    second = graph.tensor("second", (1, 4, 4, 3), "int8", 0.11, -7)
    convolution(image, first, 3, 4, channels, 2)
    convolution(first, second, 1, channels, 3, 1)
    if log_softmax_on_cpu:
        logits = second
        second = graph.tensor("log_softmax", (1, 4, 4, 3), "int8", 16 / 256, 127)
        graph.operator("LOG_SOFTMAX", [logits], [second], schema.LogSoftmaxOptionsT())
    return graph.finish({names[0]: image}, {names[1]: first, names[2]: second})
