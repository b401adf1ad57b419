"""The memories that an NPU reads and writes, from Vela's system configurations and memory modes."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.compiling.vela_config import check_combination, installed_config
from deploy.npu_config import NpuConfig

_PORT_BYTES = {"U55": 8, "U65": 16}
_LABELS = {"Sram": "SRAM", "Dram": "DRAM", "OffChipFlash": "flash", "OnChipFlash": "flash"}


@dataclass(frozen=True)
class Port:
    """A memory as the NPU sees it.

    Attributes:
        name: ``SRAM``, ``DRAM`` or ``flash``.
        bytes_per_cycle: bandwidth, in cycles of the NPU.
    """

    name: str
    bytes_per_cycle: float


@dataclass(frozen=True)
class Memories:
    """Which memory holds what.

    Attributes:
        arena: feature maps.
        constants: weights.
        fast: feature maps that fit into ``fast_bytes``; the same as ``arena`` without a dedicated SRAM.
        fast_bytes: size of the dedicated SRAM, 0 without one.
    """

    arena: Port
    constants: Port
    fast: Port
    fast_bytes: int

    def holding(self, size: int) -> Port:
        """The memory of feature maps of ``size`` bytes together."""
        return self.fast if size <= self.fast_bytes else self.arena


def memories(npu: NpuConfig, system_config: str, memory_mode: str) -> Memories:
    """The memories of a configuration.

    Raises:
        BadInputError: names that do not exist or do not go together.
        NotInstalledError: Vela, whose configuration file is read, is missing.
    """
    check_combination(npu, system_config, memory_mode)
    config = installed_config()
    system = config.systems[system_config]

    def port(memory: str) -> Port:
        scale = float(system[f"{memory.lower()}_clock_scale"])
        return Port(_LABELS.get(memory, memory), _PORT_BYTES[npu.family] * scale)

    arena = port(config.arena_memory(system_config, memory_mode))
    fast_memory = config.memories[memory_mode].get("cache_mem_area", "Axi0")
    fast = port(system.get(f"{fast_memory.lower()}_port", fast_memory))
    dedicated = 0 if fast == arena else config.cache_bytes(memory_mode) or _UNBOUNDED
    return Memories(arena, port(config.weight_memory(system_config, memory_mode)), fast, dedicated)


_UNBOUNDED = 1 << 40
