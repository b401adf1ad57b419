"""Reading a model into a graph and writing it again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from rewriting.small_graphs import SmallGraph, shuffled

from deploy.errors import BadInputError
from deploy.judging.inputs import random_inputs
from deploy.judging.reference import ReferenceKernels
from deploy.rewriting.rewriting import find, put
from deploy.tflite import model as tflite_model
from deploy.tflite.graph import Graph


@pytest.mark.parametrize("name", ["image_classification", "keyword_spotting", "visual_wake_words"])
def test_a_real_model_is_written_as_it_was_read(mlperf_tiny: dict[str, Path], name: str) -> None:
    model = tflite_model.read(mlperf_tiny[name])
    again = Graph(model).model()
    assert [(op.code, len(op.inputs)) for op in again.operators] == [
        (op.code, len(op.inputs)) for op in model.operators
    ]
    assert list(again.output_names().values()) == list(model.output_names().values())
    assert {t.name for t in again.tensors} == {t.name for t in model.tensors}
    sample = random_inputs(model, 1).samples[0]
    before, after = ReferenceKernels(model).run(sample), ReferenceKernels(again).run(sample)
    for key, expected in before.items():
        assert np.array_equal(expected, after[key])


def test_names_and_the_order_of_inputs_and_outputs_stay() -> None:
    graph = SmallGraph((1, 4, 4, 8))
    first = graph.pool("MAX_POOL_2D", graph.x, (2, 2))
    model = graph.model(graph.pool("MAX_POOL_2D", first, (2, 2)), first)
    again = Graph(model).model()
    assert list(again.output_names().values()) == ["y0", "y1"]
    assert list(again.input_names().values()) == ["x"]
    assert [again.tensors[i].shape for i in again.outputs] == [(1, 2, 2, 8), (1, 3, 3, 8)]


def test_constants_that_nothing_uses_any_more_are_left_out() -> None:
    graph = SmallGraph((1, 4, 4, 64))
    model = graph.model(graph.convolution(shuffled(graph, graph.x, 4), 64, (3, 3)))
    changed = Graph(model)
    (site,) = [site for site in find(changed) if site.rule == "channel shuffle"]
    put(changed, site, site.forms[0])
    kernel = 64 * 64 * 9
    assert kernel < len(changed.model().content) < len(model.content) < 2 * kernel


def test_equal_constants_are_stored_once() -> None:
    graph = SmallGraph((1, 4, 4, 64))
    once = graph.convolution(graph.x, 64, (3, 3), seed=1)
    twice = graph.convolution(once, 64, (3, 3), seed=1)
    model = graph.model(twice)
    assert len(Graph(model).model().content) < len(model.content) - 64 * 64 * 9 + 2000


def test_models_of_several_subgraphs_are_refused() -> None:
    graph = SmallGraph((1, 4, 4, 8))
    model = graph.model(graph.pool("MAX_POOL_2D", graph.x, (2, 2)))
    several = dataclasses.replace(model, tensor_counts=(*model.tensor_counts, 1))
    with pytest.raises(BadInputError, match="2 subgraphs"):
        Graph(several)


def test_operators_out_of_order_are_refused() -> None:
    graph = SmallGraph((1, 4, 4, 8))
    loop = graph.tensor((1, 4, 4, 8))
    graph.add("ADD", [graph.x, loop], loop, schema.AddOptionsT())
    with pytest.raises(BadInputError, match=r"operator 0 \(ADD\) reads what is computed after it"):
        Graph(graph.model(loop))


def test_a_constant_is_read_in_its_shape_and_an_activation_refused() -> None:
    graph = SmallGraph((1, 4, 4, 8))
    model = graph.model(graph.convolution(graph.x, 3, (2, 2)))
    read = Graph(model)
    assert read.constant(read.nodes[0].inputs[1]).shape == (3, 2, 2, 8)
    with pytest.raises(ValueError, match="no constant"):
        read.constant(read.inputs[0])
