"""The memories that an NPU reads and writes, from Vela's system configurations and memory modes."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.compiling.vela_config import check_combination, installed_config
from deploy.hardware.npus import NpuConfig

_PORT_BYTES = {"U55": 8, "U65": 16}
_LABELS = {"Sram": "SRAM", "Dram": "DRAM", "OffChipFlash": "flash", "OnChipFlash": "flash"}


@dataclass(frozen=True)
class Port:
    """A memory as the NPU sees it.

    Attributes:
        name: ``SRAM``, ``DRAM`` or ``flash``.
        bytes_per_cycle: bandwidth, in cycles of the NPU.
        burst: bytes of the longest burst.
        read_latency: cycles.
        write_latency: cycles.
    """

    name: str
    bytes_per_cycle: float
    burst: int
    read_latency: int
    write_latency: int


@dataclass(frozen=True)
class Memories:
    """Which memory holds what.

    Attributes:
        arena: inputs and outputs of the network, and feature maps where no SRAM is dedicated to them.
        constants: weights.
        fast: feature maps; the same as ``arena`` without a dedicated SRAM.
        fast_bytes: size of the dedicated SRAM, 0 without one.
    """

    arena: Port
    constants: Port
    fast: Port
    fast_bytes: int


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
        def number(option: str) -> float:
            return float(system[f"{memory.lower()}_{option}"])

        return Port(
            _LABELS.get(memory, memory),
            _PORT_BYTES[npu.family] * number("clock_scale"),
            int(number("burst_length")),
            int(number("read_latency")),
            int(number("write_latency")),
        )

    arena = port(config.arena_memory(system_config, memory_mode))
    fast = port(config.cache_memory(system_config, memory_mode))
    return Memories(
        arena,
        port(config.weight_memory(system_config, memory_mode)),
        fast,
        0 if fast == arena else config.cache_bytes(memory_mode) or 0,
    )
