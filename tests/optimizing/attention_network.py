"""A network with attention as papers write it, with the schema alone: no TensorFlow, quickly made."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from rewriting.small_graphs import SmallGraph

from deploy.tflite import Model

SIZE, CHANNELS = 32, 32


def attention_network() -> Model:
    """Convolution, spatial attention (mean and maximum over channels, 7x7, sigmoid), global average."""
    graph = SmallGraph((1, SIZE, SIZE, 3), 1 / 255, -128)
    features = graph.convolution(graph.x, CHANNELS, (3, 3), seed=1)
    one = (1, SIZE, SIZE, 1)
    mean = graph.reduce("MEAN", features, (3,), one, scale=0.031, zero=4)
    most = graph.reduce("REDUCE_MAX", features, (3,), one, scale=0.031, zero=4)
    options = schema.ConcatenationOptionsT()
    options.axis = 3
    both = graph.add("CONCATENATION", [mean, most], graph.tensor((1, SIZE, SIZE, 2), 0.031, 4), options)
    gate = graph.add("LOGISTIC", [graph.convolution(both, 1, (7, 7), seed=2)], graph.tensor(one, 1 / 256, -128))
    attended = graph.add(
        "MUL", [features, gate], graph.tensor((1, SIZE, SIZE, CHANNELS), 0.03, -90), schema.MulOptionsT()
    )
    pooled = graph.reduce("MEAN", attended, (1, 2), (1, CHANNELS), scale=0.02, zero=-100)
    return graph.model(pooled)


def plain_network() -> Model:
    """Nothing to win: one convolution of many channels."""
    graph = SmallGraph((1, 8, 8, 64))
    return graph.model(graph.convolution(graph.x, 64, (3, 3)))


def inputs(model: Model, count: int) -> dict[str, np.ndarray]:
    """Made-up inputs of a model, [count, *shape]."""
    generator = np.random.default_rng(5)
    return {
        name: generator.integers(-128, 128, (count, *model.tensors[index].shape)).astype(np.int8)
        for index, name in model.input_names().items()
    }
