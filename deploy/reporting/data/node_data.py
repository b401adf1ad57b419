"""What Google's Model Explorer lays over the graph of the source model: one document a quantity. Pure.

Model Explorer takes the values of a document by name of an output tensor, and by its own number of a node where no
tensor has that name (as ai-edge-model-explorer 0.1.34 does; its adapter of TFLite files numbers operators as they
stand in the file). So operators go by their first output's name, and by their index where several have that name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.build_folder import CompileDocument, OperatorRecord
from deploy.reporting.data.operator_changes import KnownOfOperator
from deploy.tflite import Model

_ON_NPU, _ON_CPU = "#4477aa", "#ee6677"
_EQUAL, _ROUNDING, _WRONG = "#cfe8d5", "#f5e3a8", "#ee6677"
_MANY = 1e9
_NO_SUMS: dict[str, Any] = {"hideAggregatedStats": ["sum", "avg"], "hideInChildrenStatsTable": True}
"""Leaves out statistics that mean nothing of what is no part of a whole."""


@dataclass(frozen=True)
class NodeData:
    """One quantity of all operators that have it.

    Attributes:
        name: of its file, without suffix.
        title: what Model Explorer calls it.
        document: as Model Explorer reads it.
    """

    name: str
    title: str
    document: dict[str, Any]


def node_data(
    document: CompileDocument, source: Model, known: Mapping[int, KnownOfOperator]
) -> tuple[NodeData, ...]:
    """Cycles, placement, memory and differences of the operators; quantities that nobody knows are left out.

    Args:
        document: of the build.
        source: the model that Model Explorer shows.
        known: index of the operator -> what is known of it beside its record.
    """
    keys = node_keys(source, document.operators)

    def of(values: Mapping[int, Any]) -> dict[str, dict[str, Any]]:
        return {keys[index]: {"value": value} for index, value in values.items() if index in keys}

    cycles = {operator.index: operator.npu_cycles for operator in document.operators if operator.npu_cycles}
    sram = {index: one.sram for index, one in known.items() if one.sram is not None}
    lsb = {index: one.lsb for index, one in known.items() if one.lsb is not None}
    colours = {"NPU": _ON_NPU, "CPU": _ON_CPU}
    placement = {
        keys[operator.index]: {"value": operator.placement, "bgColor": colours[operator.placement]}
        for operator in document.operators
        if operator.index in keys
    }
    # What comes last is what Model Explorer shows first.
    found = (
        _quantity("placement", "runs on", placement, showExpandedSummaryOnGroupNode=True, **_NO_SUMS),
        _quantity(
            "memory",
            "SRAM in use while it runs, bytes (estimate)",
            of(sram),
            gradient=_shades("#99bbdd"),
            **_NO_SUMS,
        ),
        _quantity(
            "differences",
            "largest difference from the reference, LSB (simulated)",
            of(lsb),
            thresholds=_LIMITS,
            **_NO_SUMS,
        ),
        _quantity("cycles", "NPU cycles (estimate)", of(cycles), gradient=_shades("#eecc66")),
    )
    return tuple(one for one in found if one.document["results"])


_LIMITS = [
    {"value": 0, "bgColor": _EQUAL},
    {"value": 1, "bgColor": _ROUNDING},
    {"value": _MANY, "bgColor": _WRONG},
]


def _shades(colour: str) -> list[dict[str, Any]]:
    return [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": colour}]


def _quantity(name: str, title: str, results: dict[str, dict[str, Any]], **style: Any) -> NodeData:
    return NodeData(name, title, {"name": title, "results": results, **style})


def node_keys(source: Model, operators: Sequence[OperatorRecord]) -> dict[int, str]:
    """By what Model Explorer finds each operator; those that it cannot tell apart are left out."""
    named = Counter(tensor.name for tensor in source.tensors)
    keys = {}
    for operator in operators:
        if operator.index >= len(source.operators) or not source.operators[operator.index].outputs:
            continue
        name = source.tensors[source.operators[operator.index].outputs[0]].name
        number = str(operator.index)
        if name and named[name] == 1:
            keys[operator.index] = name
        elif number not in named:
            keys[operator.index] = number
    return keys
