"""What ``deploy compile`` compiles for: an NPU's defaults filled in, all of it checked before any work."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from deploy.compiling.vela_config import check_combination, installed_config
from deploy.errors import BadInputError
from deploy.hardware.npus import Npu
from deploy.hardware.sizes import bytes_of

OPTIMISE = ("Performance", "Size")
"""Vela's strategies, its default first."""


@dataclass(frozen=True)
class CompileOptions:
    """What to compile for, complete and checked.

    Attributes:
        system_config: section of ``Arm/vela.ini``.
        memory_mode: section of ``Arm/vela.ini``.
        optimise: ``Performance`` or ``Size``.
        sram_limit: bytes the model may take at most; None for the board's.
    """

    npu: Npu
    system_config: str
    memory_mode: str
    optimise: str = OPTIMISE[0]
    sram_limit: int | None = None

    @property
    def sram_target(self) -> int | None:
        """Bytes of SRAM that Vela shall aim for: the user's limit, or the NPU's own memory where that is smaller.

        None for the memory mode's. Vela may exceed it silently.
        """
        if self.sram_limit is None:
            return None
        return min(self.sram_limit, installed_config().cache_bytes(self.memory_mode) or self.sram_limit)


def compile_options(
    npu: Npu,
    *,
    system_config: str | None = None,
    memory_mode: str | None = None,
    optimise: str | None = None,
    sram_limit: int | str | None = None,
) -> CompileOptions:
    """Fill in the NPU's defaults and check everything before any work is done.

    Raises:
        BadInputError: an unknown name, or a combination that Vela cannot compile.
        NotInstalledError: Vela is missing.
    """
    system = system_config or npu.system_config
    memory = memory_mode or npu.memory_mode
    strategy = (optimise or OPTIMISE[0]).capitalize()
    if strategy not in OPTIMISE:
        raise BadInputError(f"--optimise {optimise}: choose {' or '.join(OPTIMISE)}")
    if memory_mode is None and system_config is not None and system in installed_config().systems:
        # The default memory mode fits the default system; a system without DRAM needs another one.
        with contextlib.suppress(BadInputError):
            check_combination(npu, system, "Shared_Sram")
            if installed_config().arena_memory(system, memory) not in ("Sram", "Dram"):
                memory = "Shared_Sram"
    check_combination(npu, system, memory)
    limit = parse_size(sram_limit) if sram_limit is not None else None
    return CompileOptions(npu, system, memory, strategy, limit)


def parse_size(text: str | int) -> int:
    """Bytes from ``524288``, ``512K`` or ``2M`` (powers of 1024).

    Raises:
        BadInputError: it is none of these, or not positive.
    """
    try:
        return bytes_of(str(text))
    except ValueError:
        hint = "bytes, or with K or M: 524288, 512K, 2M"
        raise BadInputError(f"--sram-limit {text}: not a size", hints=[hint]) from None
