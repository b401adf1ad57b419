"""Vela's schedule, from its debug database: for each scheduled operation its cycles, memories and weights.

What the tables say beyond :mod:`deploy.compiling.debug_database` (observed in Vela 5.2.0):

- ``perf``: cycles of the operation, of the NPU's units alone (``npu_cycles``), and of each memory (``Sram_ac``,
  ``OffChipFlash_ac`` ...). The first is the largest of the others.
- ``perf_debug_main``: cycles of the MAC units and of the output unit, which ``npu_cycles`` are made of.
- ``perf_debug``: ``time_index`` in the schedule, encoded weights, bytes moved per memory and purpose.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from deploy.compiling.vela_reports import debug_table

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


@dataclass
class Scheduled:
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


def read_schedule(debug: str, memories: dict[str, str]) -> dict[int, Scheduled]:
    """Read the schedule.

    Args:
        debug: the text of Vela's ``*_debug.xml``; empty where there is none.
        memories: Vela's names of memories -> the report's.

    Returns:
        Index of the operator in the source model -> what is scheduled for it.
    """
    keys = {row.get("id"): row.get("ext_key") for row in debug_table(debug, "source")}
    units = {row.get("id"): row for row in debug_table(debug, "perf_debug_main")}
    details = {row.get("id"): row for row in debug_table(debug, "perf_debug")}
    found: dict[int, Scheduled] = {}
    for row in debug_table(debug, "perf"):
        key = keys.get(row.get("source_id"))
        if key is None or not key.isdigit():
            continue
        scheduled = found.setdefault(int(key), Scheduled())
        unit, detail = units.get(row.get("id"), {}), details.get(row.get("id"), {})
        scheduled.needs[MAC_UNITS] += _integer(unit.get("mac_cycles"))
        scheduled.needs[OUTPUT_UNIT] += _integer(unit.get("ao_cycles"))
        for column, memory in memories.items():
            scheduled.needs[memory] += _integer(row.get(f"{column}_ac"))
            for part, purpose in PURPOSES.items():
                for suffix, direction in (("read", "read"), ("write", "written")):
                    size = _integer(detail.get(f"{column}{part}_{suffix}"))
                    if size:
                        scheduled.traffic[memory, purpose, direction] += size
        scheduled.weights += _integer(detail.get("weight_total_bytes"))
        cycles = _integer(row.get("op_cycles"))
        if detail.get("time_index", "").isdigit():
            scheduled.steps[int(detail["time_index"])] += cycles
    return found


def _integer(cell: str | None) -> int:
    try:
        return int(cell or 0)
    except ValueError:
        return 0
