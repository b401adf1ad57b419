"""The graph of operators, laid out: one row an operator in execution order, side lanes for what skips rows."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.reporting.data.names import short_name, shown
from deploy.reporting.data.operators import OperatorRow
from deploy.tflite import Model

MAX_OPERATORS = 400
"""Most operators that are drawn; the table lists the others."""


@dataclass(frozen=True)
class Edge:
    """A tensor from one row of the operator graph to another; ``lane`` 0 is the straight way down."""

    source: int
    target: int
    lane: int
    name: str


@dataclass(frozen=True)
class GraphRow:
    """A row of the operator graph: an input, an operator in execution order, or an output."""

    row: int
    kind: str
    text: str
    name: str


@dataclass(frozen=True)
class OperatorGraph:
    """The graph, one row an operator."""

    nodes: tuple[GraphRow, ...]
    edges: tuple[Edge, ...]
    left_out: int


def operator_graph(source: Model, operators: tuple[OperatorRow, ...]) -> OperatorGraph:
    """Lay the source model out from top to bottom."""
    drawn = source.operators[:MAX_OPERATORS]
    rows = {row.index: row for row in operators}
    names = source.input_names()
    nodes: list[GraphRow] = []
    made: dict[int, int] = {}
    for index in source.inputs:
        made[index] = len(nodes)
        nodes.append(GraphRow(len(nodes), "input", f"input {shown(names[index], 40)}", shown(names[index])))
    edges: list[tuple[int, int, str]] = []
    for operator in drawn:
        row = len(nodes)
        known = rows.get(operator.index)
        shape = known.shape if known else ""
        kind = known.placement if known else "NPU"
        name = known.name if known else ""
        nodes.append(GraphRow(row, kind, f"{operator.index} {shown(operator.code, 40)} {shape}".rstrip(), name))
        for index in dict.fromkeys(operator.inputs):
            if index in made:
                edges.append((made[index], row, short_name(source.tensors[index].name)))
        made |= dict.fromkeys(operator.outputs, row)
    outputs = source.output_names()
    for index in source.outputs:
        if index in made:
            edges.append((made[index], len(nodes), shown(outputs[index])))
            nodes.append(
                GraphRow(len(nodes), "output", f"output {shown(outputs[index], 40)}", shown(outputs[index]))
            )
    return OperatorGraph(tuple(nodes), _in_lanes(edges), len(source.operators) - len(drawn))


def _in_lanes(edges: list[tuple[int, int, str]]) -> tuple[Edge, ...]:
    """Edges that skip rows get the first lane from 1 on that is free over all the rows they pass."""
    free_from: list[int] = []
    placed = []
    for source, target, name in sorted(edges, key=lambda edge: (edge[0], edge[1] - edge[0])):
        lane = 0
        if target > source + 1:
            lane = next((i for i, row in enumerate(free_from, 1) if row <= source), len(free_from) + 1)
            if lane > len(free_from):
                free_from.append(target)
            free_from[lane - 1] = target
        placed.append(Edge(source, target, lane, name))
    return tuple(placed)
