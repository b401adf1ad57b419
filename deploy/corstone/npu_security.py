"""Who may use the NPU: what TrustZone makes of an access to its Non-secure alias.

A Secure NPU (PROT says so) is not there for Non-secure accesses: its registers read 0 and ignore writes, so they
cannot start it. RESET is the exception: it clears the NPU and makes it Non-secure, whatever they ask for, so a
Non-secure driver that asks for a Secure NPU finds a Non-secure one, and fails.
"""

from __future__ import annotations

from collections.abc import Callable

from deploy.corstone.cpu import Cpu
from deploy.errors import TargetError
from deploy.npu.registers import PROT_NON_SECURE, RESET, RegisterFile

_SAU = 0xE000_EDD0
_SAU_ENABLE = 0b11


def secure_access(cpu: Cpu) -> bool:
    """Whether an access to a Non-secure alias by the CPU, which stands still, is Secure after all.

    It is in a program without TrustZone: as long as the SAU is off, every address is Secure. SAU_CTRL is seen by
    Secure code only; SAU_TYPE beside it, which is never 0 there, tells whether this is.

    Raises:
        TargetError: QEMU does not tell.
    """
    reply = cpu.gdb.request(b"m%x,8" % _SAU)
    try:
        control, kind = (int.from_bytes(bytes.fromhex(reply[at : at + 8].decode()), "little") for at in (0, 8))
    except ValueError:
        raise TargetError(f"QEMU does not tell the CPU's security state (gdb reply {reply[:40]!r})") from None
    return kind != 0 and not control & _SAU_ENABLE


class NonSecureAlias:
    """The NPU's registers at their Non-secure address.

    Args:
        npu: its registers.
        secure: tells whether the access that is being carried out is Secure.
        report: called with a line the first time that an access is ignored.
    """

    def __init__(self, npu: RegisterFile, secure: Callable[[], bool], report: Callable[[str], None]) -> None:
        self._npu = npu
        self._secure = secure
        self._report = report
        self._reported = False

    def read(self, offset: int) -> int:
        """Read a register."""
        return self._npu.read(offset) if self._allowed() else 0

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset == RESET and not self._secure():
            self._npu.write(offset, value | PROT_NON_SECURE)
        elif self._allowed():
            self._npu.write(offset, value)

    def _allowed(self) -> bool:
        if not self._npu.secure or self._secure():
            return True
        if not self._reported:
            self._reported = True
            self._report("Warning: a Non-secure access to the Secure NPU was ignored")
        return False
