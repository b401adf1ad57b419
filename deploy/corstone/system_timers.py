"""The board's system timers, and the counter that they compare with: what QEMU compares with is rounded.

QEMU (measured on 7.2) keeps the time of a timer in whole nanoseconds, rounded down, and a tick of the counter
takes 31.25 of them. So a timer that compares with no multiple of 4, from where the counter started, may be due in
the fraction of a nanosecond before its tick. Where instructions are counted no time passes meanwhile: QEMU finds
the tick not reached, sets the same time again, and hangs.

Here stores are carried out on QEMU's devices with times rounded up to a multiple of 4 ticks (125 ns), and so is
where the counter starts. A timer that sets its own times (auto-increment) adds them up here, exactly, and QEMU's
compares with one after the other. QEMU takes what comes from outside for Non-secure: the controller that keeps
such accesses from the timers is opened for that moment, in which the machine stands still. What is not open to the
program itself is left to QEMU.

Not mended: the fourth timer (0x48003000), which QEMU opens to nobody but the CPU, and a counter that is scaled
(CNTSCR), where other times are whole.

Registers: Arm Corstone SSE-300 Example Subsystem Technical Reference Manual, system counter, system timers, and
APBNSPPC0 of the Secure access configuration.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence

from deploy.corstone.access import Instruction
from deploy.corstone.bus import Window
from deploy.corstone.core_clock import CoreClock
from deploy.corstone.cpu import Cpu
from deploy.corstone.qtest import QtestConnection
from deploy.corstone.stand_in import SYSTEM_COUNTER, SYSTEM_TIMER_WORDS, SYSTEM_TIMER_WRITES, SYSTEM_TIMERS

_TICKS = 4
_MASK = 0xFFFFFFFF
_LAST = _MASK + 1 - _TICKS
_PAGE = 0xFFF
_IDENTIFICATION = 0xFF0
"""CIDR0, which is never 0."""
_GUARD, _GUARDED = 0x5008_0070, 0b111
"""APBNSPPC0, and the timers' bits."""
_ENABLE, _PENDING = 1, 2
_RUN, _COUNT, _COUNT_HIGH = 0x0, 0x8, 0xC
"""Of the counter: CNTCR, CNTCV."""
_NOW, _COMPARE, _COMPARE_HIGH, _LEFT, _CONTROL = 0x00, 0x20, 0x24, 0x28, 0x2C
_DUE, _DUE_HIGH, _RELOAD, _AUTOMATIC = 0x40, 0x44, 0x48, 0x4C
"""Of a timer: CNTPCT, CNTP_CVAL, CNTP_TVAL, CNTP_CTL; CNTP_AIVAL, CNTP_AIVAL_RELOAD, CNTP_AIVAL_CTL."""
_SIZE = 0x50


def rounded(ticks: int) -> int:
    """The next multiple of 4; at the end of 32 bits, which stands for never, the last one.

    Args:
        ticks: of the counter, the lower 32 bits.
    """
    return min(ticks + -ticks % _TICKS, _LAST)


def timer_windows(qtest: QtestConnection) -> list[Window]:
    """The registers of timers and counter, of which those that the CPU stops at are answered here."""
    counter, size = SYSTEM_COUNTER
    return [
        *(
            Window("a system timer", bases, _SIZE, SystemTimer(_Registers(qtest, bases[0])))
            for bases in SYSTEM_TIMERS
        ),
        Window("the system counter", (counter,), size, SystemCounter(_Registers(qtest, counter))),
    ]


class Refused:
    """Leaves accesses to QEMU that are not open to the program: there they fail, or have no effect.

    Args:
        cpu: that stopped at one.
        clock: its instructions, of which QEMU counts this one.
    """

    def __init__(self, cpu: Cpu, clock: CoreClock) -> None:
        self._cpu = cpu
        self._clock = clock

    def covers(self, address: int) -> bool:
        """Whether a register is there that the CPU does not reach as it is now."""
        if not any(base <= address < base + size for base, size in (*SYSTEM_TIMER_WORDS, *SYSTEM_TIMER_WRITES)):
            return False
        found = self._cpu.peek((address & ~_PAGE) + _IDENTIFICATION, 4)
        return found is None or not any(found)

    def execute(self, instruction: Instruction, registers: Sequence[int]) -> dict[int, int]:
        """Have an access carried out; no register is to change after that."""
        self._cpu.pass_access(SYSTEM_TIMER_WORDS, writes=SYSTEM_TIMER_WRITES)
        self._clock.served -= 1
        return {}


class _Registers:
    """A device's registers in QEMU, whether Secure or not, while the machine stands still.

    Args:
        qtest: reaches them.
        base: address of the first one.
    """

    def __init__(self, qtest: QtestConnection, base: int) -> None:
        self._qtest = qtest
        self._base = base

    def read(self, last: int) -> list[int]:
        """All words up to an offset."""
        raw = self._opened(f"b64read {self._base:#x} {last + 4:#x}")[0]
        return list(struct.unpack(f"<{last // 4 + 1}I", base64.b64decode(raw)))

    def write(self, *words: tuple[int, int]) -> None:
        """Write words one after the other: offset and value."""
        self._opened(*(f"writel {self._base + offset:#x} {value:#x}" for offset, value in words))

    def _opened(self, *lines: str) -> list[str]:
        before = int(self._qtest.request(f"readl {_GUARD:#x}")[0], 0)
        guards = (f"writel {_GUARD:#x} {before | _GUARDED:#x}", f"writel {_GUARD:#x} {before:#x}")
        return self._qtest.request(guards[0], *lines, guards[1])[1:-1]


class SystemCounter:
    """The counter's registers as a device: it always starts at a multiple of 4."""

    def __init__(self, registers: _Registers) -> None:
        self._registers = registers

    def read(self, offset: int) -> int:
        """What a register holds."""
        return self._registers.read(offset)[-1]

    def write(self, offset: int, value: int) -> None:
        """Write a register; the count goes on from where the counter was switched on or set last."""
        words = self._registers.read(_COUNT_HIGH)
        words[offset // 4] = value
        run, _, count, high = words
        self._registers.write((_RUN, run & ~_ENABLE), (_COUNT_HIGH, high), (_COUNT, rounded(count)), (_RUN, run))


class SystemTimer:
    """A timer's registers as a device."""

    def __init__(self, registers: _Registers) -> None:
        self._registers = registers
        self._compare = 0
        self._automatic = False
        self._reload = 0
        self._due = 0

    def read(self, offset: int) -> int:
        """What a register holds."""
        if offset == _RELOAD:
            return self._reload
        words = self._registers.read(_CONTROL)
        if offset < _DUE:
            return words[offset // 4]
        if offset == _AUTOMATIC:
            return self._automatic | self._pending(words) << 1
        due = self._following(words) if self._pending(words) else self._due
        return due & _MASK if offset == _DUE else due >> 32

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset == _COMPARE and not self._automatic:
            self._registers.write((_COMPARE, rounded(value)))
        elif offset in (_COMPARE, _COMPARE_HIGH, _LEFT):
            self._set_compare(offset, value)
        elif offset == _CONTROL:
            words = self._registers.read(_CONTROL)
            if value & ~words[_CONTROL // 4] & _ENABLE and self._automatic:
                self._start(words)
            self._registers.write((_CONTROL, value))
        elif offset == _RELOAD:
            self._reload = value
        elif offset == _AUTOMATIC:
            self._switch(value)

    def _set_compare(self, offset: int, value: int) -> None:
        words = self._registers.read(_CONTROL)
        before = self._compare if self._automatic else _wide(words, _COMPARE)
        if offset == _LEFT:
            after = _wide(words, _NOW) + (value if value <= _MASK >> 1 else value - _MASK - 1)
        else:
            after = before & ~_MASK | value if offset == _COMPARE else value << 32 | before & _MASK
        if self._automatic:
            self._compare = after
        else:
            self._arm(after)

    def _switch(self, value: int) -> None:
        words = self._registers.read(_CONTROL)
        if not value & _ENABLE:
            if self._automatic:
                self._automatic = False
                self._arm(self._compare)
        elif not self._automatic:
            self._automatic, self._compare = True, _wide(words, _COMPARE)
            if words[_CONTROL // 4] & _ENABLE:
                self._start(words)
        elif not value & _PENDING and self._pending(words):
            self._due = self._following(words)
            self._arm(self._due)

    def _start(self, words: Sequence[int]) -> None:
        self._due = _wide(words, _NOW) + self._reload
        self._arm(self._due)

    def _pending(self, words: Sequence[int]) -> bool:
        return bool(self._automatic and words[_CONTROL // 4] & _ENABLE and _wide(words, _NOW) >= self._due)

    def _following(self, words: Sequence[int]) -> int:
        """The first of its times that is still to come."""
        step = max(self._reload, 1)
        return self._due + ((_wide(words, _NOW) - self._due) // step + 1) * step

    def _arm(self, due: int) -> None:
        # Never too early meanwhile: an interrupt would be pending.
        self._registers.write(
            (_COMPARE, _LAST), (_COMPARE_HIGH, due >> 32 & _MASK), (_COMPARE, rounded(due & _MASK))
        )


def _wide(words: Sequence[int], offset: int) -> int:
    """What two registers hold."""
    return words[offset // 4] | words[offset // 4 + 1] << 32
