"""What a user's debugger asks for, carried out on the CPU; stops that belong to the machine never reach it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from deploy.corstone.cpu import Cpu
from deploy.corstone.debugger import Debugger, resumes, steps
from deploy.corstone.gdb_remote import INTERRUPT, without_watchpoint
from deploy.corstone.messages import Ending, EndReason

_MEMORY = re.compile(rb"m([0-9a-f]{1,8}),([0-9a-f]{1,3})")


class Debugging:
    """Serves one debugger after the other.

    Args:
        debugger: where it may attach.
        cpu: that is debugged.
        halt: makes the CPU stand still between two instructions; tells how the simulation ended if it did so.
        watch: has the CPU stop at everything that the machine answers.
        call: has a semihosting call served that the CPU is about to make; False where it makes none.
        peek: tells bytes at an address where QEMU does not know them; None where it does.
    """

    def __init__(
        self,
        debugger: Debugger,
        cpu: Cpu,
        *,
        halt: Callable[[], Ending | None],
        watch: Callable[[], None],
        call: Callable[[], bool],
        peek: Callable[[int, int], bytes | None],
    ) -> None:
        self._debugger = debugger
        self._cpu = cpu
        self._halt, self._watch, self._call, self._peek = halt, watch, call, peek
        self._stepping = False
        self._interrupting = False

    @property
    def attached(self) -> bool:
        """Whether a debugger is connected."""
        return self._debugger.attached

    @property
    def holds(self) -> bool:
        """Whether the CPU is to stand still once a stop of the machine's is answered."""
        return self.attached and (self._stepping or self._interrupting)

    def fileno(self) -> int:
        """Descriptor to wait for."""
        return self._debugger.fileno()

    def wait(self) -> None:
        """Wait until a debugger connects."""
        self._debugger.wait()

    def stopped(self, reply: bytes) -> None:
        """The CPU stopped for the debugger."""
        if self._interrupting:
            self._cpu.settle()
        self._debugger.reply(reply)

    def answered(self, changed: Mapping[int, int], reply: bytes) -> None:
        """A stop of the machine's was answered with changed registers while the debugger :attr:`holds` the CPU."""
        self._cpu.write(changed)
        # An interrupt that meets a CPU which stands still already is lost in QEMU.
        self._debugger.reply((b"T02" if self._interrupting else b"T05") + without_watchpoint(reply)[3:])

    def ended(self, reply: bytes) -> None:
        """The program ended; tells a debugger that is there."""
        if self.attached:
            self._debugger.reply(reply)

    def serve(self) -> Ending | None:
        """A debugger connects, asks for something, or is gone."""
        debugger = self._debugger
        if not debugger.attached:
            debugger.accept()
            return self._halt()
        for request in debugger.requests():
            if request == INTERRUPT:
                if self._cpu.running:
                    self._interrupting = True
                    self._cpu.gdb.interrupt()
            elif request[:1] == b"k" or request.startswith(b"vKill"):
                debugger.reply(b"OK")
                return Ending(EndReason.SHUTDOWN)
            elif request[:1] == b"D":
                debugger.reply(b"OK")
                self._released()
            elif resumes(request):
                self._stepping, self._interrupting = steps(request), False
                if not (self._stepping and self._call()):  # a step would carry it out in QEMU
                    self._cpu.resume({}, request)
            elif not self._cpu.running:
                debugger.reply(self._peeked(request) or self._cpu.gdb.request(request))
                if request == b"?":
                    # QEMU takes this for a new debugger and removes all watchpoints, ours too.
                    self._watch()
        if not debugger.attached:
            self._released()
        return None

    def _peeked(self, request: bytes) -> bytes | None:
        match = _MEMORY.fullmatch(request)
        found = None if match is None else self._peek(int(match[1], 16), int(match[2], 16))
        return None if found is None else found.hex().encode()

    def _released(self) -> None:
        """The debugger is gone: without its breakpoints the program goes on."""
        self._stepping = self._interrupting = False
        if self._cpu.running:
            self._halt()
        for left in self._debugger.forget_breakpoints():
            self._cpu.gdb.request(left)
        self._cpu.resume({})
