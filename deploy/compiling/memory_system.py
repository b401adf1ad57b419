"""The memories that an NPU reads and writes in one of Vela's system configurations and memory modes."""

from __future__ import annotations

from deploy.compiling.vela_config import check_combination, installed_config
from deploy.errors import BadInputError
from deploy.hardware.designs import MemorySystem, MemoryTiming, design_of
from deploy.hardware.npus import Npu

_LABELS = {"Sram": "SRAM", "Dram": "DRAM", "OffChipFlash": "flash", "OnChipFlash": "flash"}


def memory_system(npu: Npu, system_config: str, memory_mode: str) -> MemorySystem:
    """The memories of a configuration.

    Raises:
        BadInputError: names that do not exist or do not go together, or an NPU that is not modelled.
        NotInstalledError: Vela, whose configuration file is read, is missing.
    """
    design = design_of(npu)
    if design is None:
        raise BadInputError(f"the memories behind an Ethos-{npu.name} are not modelled")
    check_combination(npu, system_config, memory_mode)
    config = installed_config()
    system, port_bytes = config.systems[system_config], design.port_bytes

    def timing(memory: str) -> MemoryTiming:
        def number(option: str) -> float:
            return float(system[f"{memory.lower()}_{option}"])

        return MemoryTiming(
            _LABELS.get(memory, memory),
            port_bytes * number("clock_scale"),
            int(number("burst_length")),
            int(number("read_latency")),
            int(number("write_latency")),
        )

    arena = timing(config.arena_memory(system_config, memory_mode))
    fast = timing(config.cache_memory(system_config, memory_mode))
    return MemorySystem(
        timing(config.weight_memory(system_config, memory_mode)),
        arena,
        fast,
        0 if fast == arena else config.cache_bytes(memory_mode) or 0,
    )
