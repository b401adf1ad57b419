"""The regions that commands address: what each holds, and through which AXI port the NPU reaches it."""

from __future__ import annotations

CONSTANTS, ARENA, FAST = 0, 1, 2
"""Weights, scales and tables; the tensor arena; its fast part (the arena itself, unless an SRAM is dedicated)."""

# REGIONCFG has two bits a region: 0 and 1 are port 0, 2 and 3 are port 1; the lower one chooses a counter.
_CONSTANTS_ON_PORT_1 = 0x5553
_ARENA_TOO = 0x555B


def region_config(*, dedicated: bool = False) -> int:
    """REGIONCFG as the firmware sets it: constants at port 1, everything else at port 0.

    Args:
        dedicated: an SRAM is dedicated to the NPU, so the arena lies in DRAM, which is at port 1 as well.
    """
    return _ARENA_TOO if dedicated else _CONSTANTS_ON_PORT_1


def port_of(region: int, config: int) -> int:
    """The AXI port, 0 or 1, that REGIONCFG gives a region."""
    return config >> (2 * region) >> 1 & 1
