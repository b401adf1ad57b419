"""The graph: every tensor between operators is an edge, and edges side by side never share a lane."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.reporting.charts.graph import _graph
from deploy.reporting.data import operator_graph as module
from deploy.reporting.data.operator_graph import _in_lanes, operator_graph
from deploy.reporting.data.report import collect


def test_the_graph_has_every_operator_and_every_tensor_between_them(residual: BuildFolder) -> None:
    graph = collect(residual).graph
    source = tflite.read(residual.source)
    assert [node.kind for node in graph.nodes] == ["input", *["NPU"] * len(source.operators), "output"]
    made = {index: operator.index + 1 for operator in source.operators for index in operator.outputs}
    made |= dict.fromkeys(source.inputs, 0)
    expected = {
        (made[index], operator.index + 1)
        for operator in source.operators
        for index in operator.inputs
        if index in made
    }
    drawn = {(edge.source, edge.target) for edge in graph.edges}
    assert expected | {(made[source.outputs[0]], len(source.operators) + 1)} == drawn
    assert any(edge.lane for edge in graph.edges), "a residual network skips operators"


def test_operators_left_on_the_cpu_are_marked(partly_on_cpu: BuildFolder) -> None:
    kinds = [node.kind for node in collect(partly_on_cpu).graph.nodes]
    assert kinds.count("CPU") == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20)), max_size=40))
def test_edges_in_one_lane_follow_each_other(pairs: list[tuple[int, int]]) -> None:
    edges = _in_lanes([(source, source + length, "t") for source, length in pairs])
    assert len(edges) == len(pairs)
    for edge in edges:
        assert (edge.lane == 0) == (edge.target == edge.source + 1)
    for i, one in enumerate(edges):
        for other in edges[i + 1 :]:
            if one.lane == other.lane != 0:
                assert one.target <= other.source or other.target <= one.source


def test_of_a_very_long_network_the_rest_is_counted(
    residual: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OPERATORS", 5)
    source = tflite.read(residual.source)
    graph = operator_graph(source, collect(residual).operators)
    assert graph.left_out == len(source.operators) - 5
    assert _graph(graph).spec["height"] == 20 * len(graph.nodes)
