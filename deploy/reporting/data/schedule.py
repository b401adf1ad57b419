"""Vela's schedule, from its debug database: for each operator its cycles, memories and weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from deploy.debug_database import DebugDatabase

MAC_UNITS, OUTPUT_UNIT = "MACs", "elementwise"
MEMORIES = {
    "Sram": "SRAM",
    "Dram": "DRAM",
    "OnChipFlash": "flash",
    "OffChipFlash": "flash",
}
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
        weights: encoded weights, bytes.
        steps: time index -> cycles of its operation then; zero for one on the CPU.
    """

    needs: Counter[str] = field(default_factory=Counter)
    traffic: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    weights: int = 0
    steps: Counter[int] = field(default_factory=Counter)


def read_schedule(debug: DebugDatabase, memories: dict[str, str]) -> dict[int, OperatorSchedule]:
    """Read the schedule.

    Args:
        debug: Vela's debug database.
        memories: Vela's names of memories -> the report's.

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
