"""How simulators are supervised, Arm's and the open one."""

from __future__ import annotations

from deploy.processes.limits import GIB, Limits
from deploy.processes.output import Keep
from deploy.processes.supervisor import Supervisor

_KEPT_BYTES = 256 * 1024
_FILE_BYTES = 4 * GIB
"""Above the 2 GB of DDR: the open machine shares it with QEMU as a file, and a dump may hold all of it."""


def simulators() -> Supervisor:
    """What runs simulators: one that is told to end cleans up after itself, and only its last words matter."""
    return Supervisor(
        polite=True, limits=Limits(file_bytes=_FILE_BYTES), keep=Keep(first_bytes=0, last_bytes=_KEPT_BYTES)
    )
