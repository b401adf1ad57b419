"""Where a program's semihosting calls arrive: breakpoints on its BKPT 0xAB.

Code that was copied to where no breakpoint is reaches QEMU's own semihosting, which hands every file over to its
debugger (gdb's File-I/O protocol), and that is here: what is printed gets through, files are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from deploy.corstone.access import PC
from deploy.corstone.cpu import Cpu
from deploy.corstone.semihosting import STDOUT, Memory, Semihosting
from deploy.errors import TargetError

_LENGTH = 2
# QEMU prints on the standard error of a debugger what programs print by SYS_WRITE0.
_PRINTS = re.compile(rb"Fwrite,0*[12],([0-9a-f]+),([0-9a-f]+)")
_REFUSED = b"F-1,1"


class SemihostingPort:
    """Stops the CPU at its calls and has them served.

    Args:
        cpu: that makes them.
        memory: of the machine.
        semihosting: who serves them.
        places: addresses of BKPT 0xAB.
        report: called with a line about a call that is refused.
    """

    def __init__(
        self,
        cpu: Cpu,
        memory: Memory,
        semihosting: Semihosting,
        places: Collection[int],
        report: Callable[[str], None],
    ) -> None:
        self._cpu = cpu
        self._memory = memory
        self._semihosting = semihosting
        self._places = frozenset(places)
        self._report = report
        self._registers: list[int] = []

    def watch(self) -> None:
        """Set the breakpoints.

        Raises:
            TargetError: QEMU cannot.
        """
        for place in sorted(self._places):
            if self._cpu.gdb.request(b"Z0,%x,%d" % (place, _LENGTH)) != b"OK":
                raise TargetError(f"QEMU cannot stop at 0x{place:08x}")

    def here(self) -> bool:
        """Whether the CPU, which stands still, is about to make a call."""
        self._registers = self._cpu.registers()
        return self._registers[PC] in self._places

    def serve(self) -> dict[int, int] | None:
        """Carry out the call that :meth:`here` has found.

        Returns:
            The registers that changed; None while the call waits for the standard input.

        Raises:
            StopRequest: the program ends.
            TargetError: its output cannot be written.
        """
        answer = self._semihosting.call(self._registers[0] & 0xFF, self._registers[1])
        return None if answer is None else {0: answer, PC: self._registers[PC] + _LENGTH}

    def serve_file(self, request: bytes) -> None:
        """Answer a request of QEMU's own semihosting, which goes on by itself then.

        Raises:
            TargetError: the program's output cannot be written.
        """
        answer, match = _REFUSED, _PRINTS.match(request)
        if match is not None:
            address, size = int(match[1], 16), int(match[2], 16)
            self._semihosting.put(STDOUT, self._memory.read(address, size))
            answer = b"F%x" % size
        else:
            name = request.split(b",")[0][1:].decode("ascii", "replace")
            self._report(f"Warning: semihosting from code that was copied while it ran: {name} is refused")
        self._cpu.resume({}, answer)

    def restart(self) -> None:
        """After a reset of the machine: no file is open."""
        self._semihosting.close_files()

    def close(self) -> None:
        """Close the program's files."""
        self._semihosting.close()
