"""The Ethos-U configurations that ``--npu`` names, with Vela's names and sensible defaults for each."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from deploy.errors import BadInputError
from deploy.hardware.boards import boards


@dataclass(frozen=True)
class NpuConfig:
    """One NPU as ``--npu`` names it.

    Attributes:
        name: ``U55-128`` and so on.
        family: ``U55``, ``U65`` or ``U85``.
        macs: multiply-accumulate units (8 bit), per clock cycle.
        system_config: default for Vela's ``--system-config`` (a section of ``Arm/vela.ini``).
        memory_mode: default for Vela's ``--memory-mode``.
    """

    name: str
    family: str
    macs: int
    system_config: str
    memory_mode: str

    @property
    def accelerator(self) -> str:
        """Vela's ``--accelerator-config``."""
        return f"ethos-{self.name.lower()}"

    @property
    def simulated(self) -> bool:
        """Whether a board that the open machine models has this NPU (U85 is compiled and reported only)."""
        return any(board.open_machine is not None and board.has(self.family, self.macs) for board in boards())


def _configs() -> dict[str, NpuConfig]:
    table = [
        ("U55", (32, 64, 128, 256), "Ethos_U55_High_End_Embedded", "Shared_Sram"),
        # The U65 runner has 384 KB of SRAM beside its DDR arena (measured).
        ("U65", (256, 512), "Ethos_U65_High_End", "Dedicated_Sram_384KB"),
        ("U85", (128, 256, 512, 1024, 2048), "Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_512KB"),
    ]
    return {
        f"{family}-{macs}": NpuConfig(f"{family}-{macs}", family, macs, system, memory)
        for family, sizes, system, memory in table
        for macs in sizes
    }


NPU_CONFIGS: dict[str, NpuConfig] = _configs()


def npu_config(name: str) -> NpuConfig:
    """Look up an NPU by the name a user typed (case and an ``ethos-`` prefix do not matter).

    Raises:
        BadInputError: there is no such configuration.
    """
    wanted = name.strip().upper().removeprefix("ETHOS-")
    if wanted in NPU_CONFIGS:
        return NPU_CONFIGS[wanted]
    near = difflib.get_close_matches(wanted, NPU_CONFIGS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise BadInputError(
        f"--npu {name}: no such NPU configuration", hints=[f"{hint}known: {', '.join(NPU_CONFIGS)}"]
    )
