"""Built-in options of operators, from files that were written with the schema."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema
from rewriting.small_graphs import SmallGraph

from deploy.errors import BadInputError
from deploy.tflite import model as tflite_model
from deploy.tflite.options import Window, options_of, window_of


def test_options_are_those_of_the_operators_kind() -> None:
    graph = SmallGraph((1, 8, 8, 16))
    joined = graph.concatenation([graph.x, graph.x], 3)
    model = graph.model(graph.convolution(joined, 4, (3, 3)))
    first, second = (options_of(model, operator) for operator in model.operators)
    assert isinstance(first, schema.ConcatenationOptionsT) and first.axis == 3
    assert isinstance(second, schema.Conv2DOptionsT)


def test_poolings_have_a_window_convolutions_a_stride_and_others_neither() -> None:
    graph = SmallGraph((1, 8, 8, 16))
    pooled = graph.pool("AVERAGE_POOL_2D", graph.x, (2, 3))
    model = graph.model(graph.reshape(graph.convolution(pooled, 4, (3, 3)), (1, 168)))
    assert [window_of(model, operator) for operator in model.operators] == [
        Window(2, 3, 1, 1),
        Window(1, 1, 1, 1),
        None,
    ]


def test_a_real_model_has_the_strides_it_is_known_for(mlperf_tiny: dict[str, Path]) -> None:
    model = tflite_model.read(mlperf_tiny["image_classification"])
    strides = [window.stride_x for operator in model.operators if (window := window_of(model, operator))]
    assert strides.count(2) == 4


def test_a_window_out_of_all_proportion_is_refused_with_its_operator() -> None:
    graph = SmallGraph((1, 8, 70_001, 16))
    model = graph.model(graph.pool("MAX_POOL_2D", graph.x, (2, 70_000)))
    with pytest.raises(BadInputError, match=r"operator 0 \(MAX_POOL_2D\).*a window of \(2, 70000, 1, 1\)"):
        window_of(model, model.operators[0])


def test_options_that_point_nowhere_are_refused_with_their_operator() -> None:
    graph = SmallGraph((1, 8, 8, 16))
    model = graph.model(graph.pool("MAX_POOL_2D", graph.x, (2, 2)))
    root = schema.Model.GetRootAs(model.content, 0)
    start = root.Subgraphs(0).Operators(0).BuiltinOptions().Pos
    damaged = bytearray(model.content)
    damaged[start : start + 4] = b"\xff\xff\xff\x7f"
    with pytest.raises(BadInputError, match=r"operator 0 \(MAX_POOL_2D\).*damaged"):
        options_of(dataclasses.replace(model, content=bytes(damaged)), model.operators[0])
