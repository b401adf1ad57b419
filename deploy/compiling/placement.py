"""Which operator of the source model runs where, why, and how many cycles Vela expects of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deploy.build_folder import OperatorRecord
from deploy.compiling.vela_reports import Fallback, VelaLayer
from deploy.tflite import Model, Operator
from deploy.tflite.arithmetic import in_float

_NO_REASON = "Vela gives no reason"


@dataclass(frozen=True)
class Placement:
    """The operator table."""

    operators: tuple[OperatorRecord, ...]
    warnings: tuple[str, ...]


def placement_of(
    source: Model, compiled: Model, layers: Sequence[VelaLayer], fallbacks: Iterable[Fallback]
) -> Placement:
    """Join Vela's reports with the source model.

    Args:
        source: the model that was compiled.
        compiled: Vela's output. What it still holds beside ``ethos-u`` operators is what the CPU really runs.
        layers: the per-layer report with source indices.
        fallbacks: Vela's reasons; some are for operators that it folds away later, and are ignored.
    """
    remaining = [operator for operator in compiled.operators if not operator.on_npu]
    on_cpu = {layer.source_operator for layer in layers if layer.on_cpu and layer.source_operator is not None}
    warnings = []
    if Counter(operator.code for operator in remaining) != Counter(
        source.operators[index].code for index in on_cpu if index < len(source.operators)
    ):
        # Without the debug database (or should it be wrong): by the name of the output tensor.
        names = Counter((operator.code, compiled.name_of(operator)) for operator in remaining)
        on_cpu = {op.index for op in source.operators if names[op.code, source.name_of(op)] > 0}
        if len(on_cpu) != len(remaining):
            left = ", ".join(sorted({operator.code for operator in remaining})) or "none"
            warnings.append(
                f"the placement table is incomplete: the compiled model leaves {len(remaining)} operators on the "
                f"CPU ({left}), {len(on_cpu)} of them were found in the source model"
            )
    cycles: dict[int, int] = defaultdict(int)
    macs: dict[int, int] = defaultdict(int)
    for layer in layers:
        if layer.source_operator is not None and not layer.on_cpu:
            cycles[layer.source_operator] += layer.number("Op Cycles")
            macs[layer.source_operator] += layer.number("MAC Count")
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for fallback in fallbacks:
        reasons[fallback.operator, fallback.ofm].append(fallback.reason)
    return Placement(
        tuple(
            _record(source, operator, operator.index in on_cpu, cycles, macs, reasons)
            for operator in source.operators
        ),
        tuple(warnings),
    )


def _record(
    model: Model,
    operator: Operator,
    cpu: bool,
    cycles: dict[int, int],
    macs: dict[int, int],
    reasons: dict[tuple[str, str], list[str]],
) -> OperatorRecord:
    name = model.name_of(operator)
    if cpu:
        given = reasons.get((operator.code, name), [])
        reason = given.pop(0) if given else _NO_REASON
        if in_float(model, operator):
            reason = f"computes in floating point; {reason}"
        return OperatorRecord(index=operator.index, type=operator.code, name=name, placement="CPU", reason=reason)
    return OperatorRecord(
        index=operator.index,
        type=operator.code,
        name=name,
        placement="NPU",
        npu_cycles=cycles.get(operator.index),
        macs=macs.get(operator.index),
    )
