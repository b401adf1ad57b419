"""Networks that keep a state, written with the schema alone: an LSTM, an SVDF, streams of resource variables."""

from __future__ import annotations

import numpy as np
from tflite_writer import GraphWriter, schema

FEATURES, UNITS = 8, 16
ZERO_POINT = -4


def lstm(layers: int = 1, steps: int = 1, *, scale: float = 1 / 128) -> bytes:
    """``[1, steps, 8]`` int8 -> ``[1, steps, 16]`` int8; hidden states with a zero point that is not zero.

    Args:
        layers: one behind the other.
        steps: of time.
        scale: of the input.
    """
    rng = np.random.default_rng(3)
    graph = GraphWriter("lstm")
    result = given = graph.tensor("x", (1, steps, FEATURES), "int8", scale, 0)
    for number in range(layers):
        result = _lstm(graph, rng, result, FEATURES if number == 0 else UNITS, steps, f"layer{number}")
    return graph.finish({"x": given}, {"y": result})


def _lstm(graph: GraphWriter, rng: np.random.Generator, x: int, features: int, steps: int, name: str) -> int:
    def weights(width: int) -> list[int]:
        return [
            graph.tensor(
                f"{name}/w", (UNITS, width), "int8", 0.02, 0, rng.integers(-127, 128, (UNITS, width), np.int8)
            )
            for _ in range(4)
        ]

    inputs, hidden = weights(features), weights(UNITS)
    bias_scale = 0.02 * graph.scale(x)
    biases = [
        graph.tensor(f"{name}/b", (UNITS,), "int32", bias_scale, 0, rng.integers(-500, 500, UNITS, np.int32))
        for _ in range(4)
    ]
    state = graph.tensor(f"{name}/state", (1, UNITS), "int8", 1 / 128, ZERO_POINT, variable=True)
    cell = graph.tensor(f"{name}/cell", (1, UNITS), "int16", 2.0**-11, 0, variable=True)
    result = graph.tensor(f"{name}/y", (1, steps, UNITS), "int8", 1 / 128, ZERO_POINT)
    inner = [graph.tensor(f"{name}/inner{i}", (0,), "float32") for i in range(4)]
    inner.append(graph.tensor(f"{name}/hidden", (0,), "int8", 1 / 128, ZERO_POINT))
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.TANH
    options.cellClip, options.timeMajor = 10.0, False
    given = [x, *inputs, *hidden, -1, -1, -1, *biases, -1, -1, state, cell, -1, -1, -1, -1]
    graph.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", given, [result], options, intermediates=inner)
    return result


def svdf() -> bytes:
    """``[1, 8]`` int8 -> ``[1, 4]`` int8: an SVDF with an int16 state, left on the CPU, and a layer behind it."""
    rng = np.random.default_rng(4)
    graph = GraphWriter("svdf")
    x = graph.tensor("x", (1, FEATURES), "int8", 0.05, -3)
    features = graph.tensor("f", (8, FEATURES), "int8", 0.01, 0, rng.integers(-127, 128, (8, FEATURES), np.int8))
    times = graph.tensor("t", (8, 6), "int16", 0.004, 0, rng.integers(-100, 100, (8, 6), np.int16))
    bias = graph.tensor("b", (8,), "int32", 0.0005 * 0.004, 0, np.zeros(8, np.int32))
    state = graph.tensor("state", (1, 48), "int16", 0.0005, 0, variable=True)
    y = graph.tensor("y", (1, 8), "int8", 0.02, -128)
    options = schema.SVDFOptionsT()
    options.rank, options.fusedActivationFunction = 1, schema.ActivationFunctionType.RELU
    graph.operator("SVDF", [x, features, times, bias, state], [y], options, version=3)
    w = graph.tensor("w", (4, 8), "int8", 0.01, 0, rng.integers(-127, 128, (4, 8), np.int8))
    c = graph.tensor("c", (4,), "int32", 0.0002, 0, np.zeros(4, np.int32))
    z = graph.tensor("z", (1, 4), "int8", 0.05, 0)
    graph.operator("FULLY_CONNECTED", [y, w, c], [z], schema.FullyConnectedOptionsT(), version=4)
    return graph.finish({"x": x}, {"z": z})


STREAM, CHANNELS = 3, 4


def stream(initial: np.ndarray | None = None) -> bytes:
    """``[1, 1, 1, 4]`` int8 -> ``[1, 1, 1, 4]``: a convolution over the last four inputs, as wake words have it.

    Args:
        initial: int8 ``[1, 3, 1, 4]``, what CALL_ONCE assigns to the state; None for its zero point.
    """
    rng = np.random.default_rng(5)
    graph = GraphWriter("stream")
    kept = np.full((1, STREAM, 1, CHANNELS), ZERO_POINT, np.int8) if initial is None else initial
    once = graph.further()
    once.operator("VAR_HANDLE", [], [once.tensor("handle", (), "resource")], _named("state"))
    value = once.tensor("initial", kept.shape, "int8", 0.05, ZERO_POINT, kept)
    once.operator("ASSIGN_VARIABLE", [0, value], [], schema.AssignVariableOptionsT())
    call = schema.CallOnceOptionsT()
    call.initSubgraphIndex = 1
    graph.operator("CALL_ONCE", [], [], call)
    x = graph.tensor("x", (1, 1, 1, CHANNELS), "int8", 0.05, ZERO_POINT)
    handle = graph.tensor("handle", (), "resource")
    graph.operator("VAR_HANDLE", [], [handle], _named("state"))
    before = graph.tensor("before", kept.shape, "int8", 0.05, ZERO_POINT)
    graph.operator("READ_VARIABLE", [handle], [before], schema.ReadVariableOptionsT())
    whole = graph.tensor("whole", (1, STREAM + 1, 1, CHANNELS), "int8", 0.05, ZERO_POINT)
    options = schema.ConcatenationOptionsT()
    options.axis = 1
    graph.operator("CONCATENATION", [before, x], [whole], options, version=2)
    after = graph.tensor("after", kept.shape, "int8", 0.05, ZERO_POINT)
    begin, end, ones = (
        graph.tensor(name, (4,), "int32", data=np.array(values, np.int32))
        for name, values in (("begin", (0, 1, 0, 0)), ("end", (1, 4, 1, 4)), ("ones", (1, 1, 1, 1)))
    )
    graph.operator("STRIDED_SLICE", [whole, begin, end, ones], [after], schema.StridedSliceOptionsT(), version=2)
    graph.operator("ASSIGN_VARIABLE", [handle, after], [], schema.AssignVariableOptionsT())
    shape = (CHANNELS, STREAM + 1, 1, CHANNELS)
    filters = graph.tensor("filters", shape, "int8", [0.01] * CHANNELS, 0, rng.integers(-127, 128, shape, np.int8))
    bias = graph.tensor("bias", (CHANNELS,), "int32", [0.0005] * CHANNELS, 0, np.zeros(CHANNELS, np.int32))
    y = graph.tensor("y", (1, 1, 1, CHANNELS), "int8", 0.2, 5)
    convolution = schema.Conv2DOptionsT()
    convolution.padding, convolution.strideW, convolution.strideH = schema.Padding.VALID, 1, 1
    convolution.dilationWFactor = convolution.dilationHFactor = 1
    graph.operator("CONV_2D", [whole, filters, bias], [y], convolution, version=3)
    return graph.finish({"x": x}, {"y": y})


def _named(name: str) -> schema.VarHandleOptionsT:
    options = schema.VarHandleOptionsT()
    options.container, options.sharedName = "", name
    return options


def external() -> bytes:
    """``x`` and ``state``, int8 ``[1, 4]``: their sum is ``next``, the next state; a layer makes ``y`` of it."""
    rng = np.random.default_rng(6)
    graph = GraphWriter("external")
    x = graph.tensor("x", (1, 4), "int8", 0.05, 0)
    state = graph.tensor("state", (1, 4), "int8", 0.1, ZERO_POINT)
    after = graph.tensor("next", (1, 4), "int8", 0.1, ZERO_POINT)
    graph.operator("ADD", [x, state], [after], schema.AddOptionsT(), version=2)
    w = graph.tensor("w", (6, 4), "int8", 0.01, 0, rng.integers(-127, 128, (6, 4), np.int8))
    c = graph.tensor("c", (6,), "int32", 0.001, 0, np.zeros(6, np.int32))
    y = graph.tensor("y", (1, 6), "int8", 0.1, 0)
    graph.operator("FULLY_CONNECTED", [after, w, c], [y], schema.FullyConnectedOptionsT(), version=4)
    return graph.finish({"x": x, "state": state}, {"next": after, "y": y})
