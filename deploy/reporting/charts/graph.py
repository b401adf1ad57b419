"""The graph of operators: a row an operator, tensors that skip rows in lanes beside them."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.reporting.charts.vega import TEXT, Chart, Spec, at, coloured, document
from deploy.reporting.data.operator_graph import Edge, OperatorGraph
from deploy.reporting.data.report import Report

_ROW = 20
_LANE = 12
_MOST_LANES_WIDTH = 120
_KINDS = {"NPU": "#4477aa", "CPU": "#ee6677", "input": "#228833", "output": "#aa3377"}


def graph(report: Report) -> Iterator[Chart]:
    """The graph from top to bottom."""
    yield _graph(report.graph)


def _graph(graph: OperatorGraph) -> Chart:
    rows = len(graph.nodes)
    lanes = max((edge.lane for edge in graph.edges), default=0)
    lane = min(_LANE, _MOST_LANES_WIDTH / max(lanes, 1))
    left = 10 + lanes * lane
    x_scale = {"domain": [-max(lanes, 1), 0], "range": [left - max(lanes, 1) * lane, left], "nice": False}
    y_scale = {"domain": [0, max(rows - 1, 1)], "range": [_ROW / 2, rows * _ROW - _ROW / 2], "nice": False}
    x = at("x", axis=None, scale=x_scale)
    y = at("y", axis=None, scale=y_scale)
    edges: Spec = {
        "data": {"values": [corner for i, edge in enumerate(graph.edges) for corner in _corners(i, edge)]},
        "mark": {"type": "line", "color": "#999999", "strokeWidth": 1.2, "tooltip": None},
        "encoding": {"x": x, "y": y, "detail": {"field": "edge", "type": "nominal"}, "order": at("order")},
    }
    values = [
        {"x": 0, "y": node.row, "kind": node.kind, "text": node.text, "output": node.name} for node in graph.nodes
    ]
    nodes: Spec = {
        "name": "nodes",
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
        "encoding": {
            "x": x,
            "y": y,
            "color": coloured("kind", _KINDS, (node.kind for node in graph.nodes)),
            "tooltip": [{"field": "text"}, {"field": "output"}],
        },
    }
    texts: Spec = {
        "mark": {**TEXT, "align": "left", "baseline": "middle", "dx": 9, "limit": 420},
        "encoding": {"x": x, "y": y, "text": {"field": "text"}, "tooltip": {"field": "output"}},
    }
    spec = document({"layer": [edges, {"data": {"values": values}, "layer": [nodes, texts]}]}, height=rows * _ROW)
    summary = f"Graph of {rows} rows from input to output with {len(graph.edges)} tensors between them."
    return Chart("graph", "graph", summary, spec, tall=True)


def _corners(number: int, edge: Edge) -> list[dict[str, float]]:
    """The points that a tensor's line goes through."""
    points = [(0.0, float(edge.source)), (0.0, float(edge.target))]
    if edge.lane:
        bend = (-float(edge.lane), edge.source + 0.5), (-float(edge.lane), edge.target - 0.5)
        points = [points[0], *bend, points[1]]
    return [{"edge": number, "order": i, "x": x, "y": y} for i, (x, y) in enumerate(points)]
