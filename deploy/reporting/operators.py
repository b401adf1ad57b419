"""The operator table of the report: cycles, and what limits each operator."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.build_folder import CompileDocument
from deploy.reporting.content import OperatorRow, short_name, shown
from deploy.reporting.schedule import LIMITS, OperatorSchedule
from deploy.tflite.model import Model


def operator_rows(
    document: CompileDocument, source: Model, schedule: Mapping[int, OperatorSchedule], macs_per_cycle: int
) -> tuple[OperatorRow, ...]:
    """One row an operator of the source model, in its order.

    Args:
        document: of the build.
        source: the model that was compiled.
        schedule: what Vela scheduled for each operator; may be empty.
        macs_per_cycle: MAC units of the NPU.
    """
    rows = []
    for record in document.operators:
        scheduled = schedule.get(record.index, OperatorSchedule())
        cycles, macs = record.npu_cycles, record.macs
        traffic: dict[str, int] = {}
        for (memory, _, _), size in scheduled.traffic.items():
            traffic[memory] = traffic.get(memory, 0) + size
        rows.append(
            OperatorRow(
                index=record.index,
                type=shown(record.type, 40),
                name=short_name(record.name),
                shape=_shape(source, record.index),
                placement=record.placement,
                reason=shown(record.reason, 400) if record.reason else None,
                cycles=cycles,
                macs=macs,
                needs={resource: need for resource in LIMITS if (need := scheduled.needs[resource])},
                limit=limit_of(scheduled.needs) if cycles else None,
                traffic=traffic,
                utilization=min(macs / (cycles * macs_per_cycle), 1.0) if cycles and macs else None,
            )
        )
    return tuple(rows)


def limit_of(needs: Mapping[str, int]) -> str | None:
    """The resource that needs most cycles; of equals the first in the order of :data:`LIMITS`."""
    most = max(LIMITS, key=lambda resource: needs.get(resource, 0))
    return most if needs.get(most, 0) else None


def _shape(source: Model, index: int) -> str:
    if index >= len(source.operators) or not source.operators[index].outputs:
        return ""
    shape = source.tensors[source.operators[index].outputs[0]].shape
    return "x".join(map(str, shape[:8])) or "scalar"
