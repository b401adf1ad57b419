"""The open Corstone-300 with an NPU that misbehaves: ``faulty_corstone.py FAULT OPTIONS...``.

These faults cannot be provoked from outside: the functional model has no hardware that could fail.
"""

from __future__ import annotations

import sys

from deploy.corstone import cli
from deploy.npu import registers
from deploy.npu.registers import RegisterFile

FAULT = sys.argv.pop(1)


def status_with(bits: int) -> None:
    read = RegisterFile.read

    def faulty(self: RegisterFile, offset: int) -> int:
        value = read(self, offset)
        return value | bits if offset == registers.STATUS and self.irq else value

    RegisterFile.read = faulty  # type: ignore[method-assign]


if FAULT == "no-interrupt":
    RegisterFile.irq = property(lambda _self: False)  # type: ignore[assignment,method-assign]
elif FAULT == "weights":
    status_with(1 << 7)
elif FAULT == "ecc":
    status_with(1 << 8)
elif FAULT == "bus":
    status_with(1 << 2 | 1 << 11 | 3 << 12)
elif FAULT == "dead":
    RegisterFile.read = lambda _self, _offset: 0  # type: ignore[method-assign]
else:
    sys.exit(f"unknown fault {FAULT}")
sys.exit(cli.main())
