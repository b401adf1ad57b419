"""The operators of the report: what Vela scheduled for each, its cycles, and what limits it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.build_folder import CompileDocument
from deploy.debug_database import DebugDatabase
from deploy.reporting.data.names import short_name, shown
from deploy.tflite import Model

MAC_UNITS, OUTPUT_UNIT = "MACs", "elementwise"
MEMORIES = {"Sram": "SRAM", "Dram": "DRAM", "OnChipFlash": "flash", "OffChipFlash": "flash"}
"""Vela's names of memories -> the report's."""

LIMITS = (MAC_UNITS, OUTPUT_UNIT, "SRAM", "DRAM", "flash")
"""What can limit an operator, in the order of the charts' legends."""

PURPOSES = {"FeatureMap": "feature maps", "Weights": "weights", "Scales": "scales", "Lut": "tables"}

WAYS = {"read": "read", "write": "written"}


@dataclass
class OperatorSchedule:
    """What Vela scheduled for one operator of the source model, all its operations together.

    Attributes:
        needs: resource (see :data:`LIMITS`) -> cycles.
        traffic: (memory, purpose, ``read`` or ``written``) -> bytes.
        steps: time index -> cycles of its operation then; zero for one on the CPU.
    """

    needs: Counter[str] = field(default_factory=Counter)
    traffic: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    weights: int = 0
    steps: Counter[int] = field(default_factory=Counter)


def read_schedule(debug: DebugDatabase, memories: dict[str, str]) -> dict[int, OperatorSchedule]:
    """Read the schedule.

    Returns:
        Index of the operator in the source model -> what is scheduled for it.
    """
    found: dict[int, OperatorSchedule] = {}
    for operation in debug.operations:
        if operation.source is None:
            continue
        schedule = found.setdefault(operation.source, OperatorSchedule())
        schedule.needs[MAC_UNITS] += operation.mac_cycles
        schedule.needs[OUTPUT_UNIT] += operation.output_cycles
        for memory, cycles in operation.memory_cycles.items():
            schedule.needs[memories[memory]] += cycles
        for (memory, purpose, way), size in operation.traffic.items():
            schedule.traffic[memories[memory], PURPOSES[purpose], WAYS[way]] += size
        schedule.weights += operation.weight_bytes
        if operation.step is not None:
            schedule.steps[operation.step] += operation.cycles
    return found


UNKNOWN = "unknown"
"""Stands where Vela does not say what limits an operator."""


@dataclass(frozen=True)
class NamedOperator:
    """Which operator of the source model something is about.

    Attributes:
        index: position in the source model.
        name: of its output tensor, shortened.
    """

    index: int
    type: str
    name: str


@dataclass(frozen=True)
class OperatorRow(NamedOperator):
    """An operator of the source model.

    Attributes:
        shape: of its output, ``1x56x56x24``.
        reason: why it stays on the CPU; None on the NPU.
        cycles: Vela's estimate; None where it gives none.
        macs: multiply-accumulates; None where Vela gives none.
        needs: resource -> cycles that it alone would take; empty where unknown.
        limit: the resource that needs most cycles; None where unknown.
        traffic: memory -> bytes read and written.
        utilization: share of the NPU's MAC units that do work, 0 to 1; None without cycles.
    """

    shape: str
    placement: str
    reason: str | None
    cycles: int | None
    macs: int | None
    needs: dict[str, int]
    limit: str | None
    traffic: dict[str, int]
    utilization: float | None

    @property
    def limited_by(self) -> str:
        """The same as ``limit``, in words where that is None."""
        return self.limit or UNKNOWN


def operator_rows(
    document: CompileDocument, source: Model, schedule: Mapping[int, OperatorSchedule], macs_per_cycle: int
) -> tuple[OperatorRow, ...]:
    """One row an operator of the source model, in its order."""
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
