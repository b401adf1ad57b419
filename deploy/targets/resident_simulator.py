"""The open machine with firmware on it, in a thread of this process, while somebody talks to the firmware."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from deploy.corstone.messages import Ending
from deploy.corstone.resident import Finished
from deploy.corstone.wire import Wire
from deploy.errors import TargetError
from deploy.simulators.fvp_locate import Simulator
from deploy.targets.lines import SocketLine
from deploy.targets.mailbox import SharedMemory
from deploy.targets.open_machine import open_machine
from deploy.targets.target_text import simulator_lines

_MAX_WAIT_FOR_END_S = 5.0


class ResidentSimulator:
    """A machine that runs in the background; its end is noticed, and leaving the context ends it.

    Args:
        simulator: this installation's.
        firmware: its ELF.
        macs: of the NPU to simulate.
        timing: whether the NPU's cycles matter.
        limit_s: seconds that it may run.
    """

    def __init__(self, simulator: Simulator, firmware: Path, macs: int, timing: bool, limit_s: float) -> None:
        self._machine = open_machine(simulator, firmware, macs, timing=timing, shutdown_on_eot=False)
        self._limit_s = limit_s
        self._wire = Wire()
        self._end: Future[Finished] = Future()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> ResidentSimulator:
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="machine")
        self._stack.callback(self._wire.close)
        self._stack.callback(self._machine.close)
        self._stack.callback(pool.shutdown)
        self._stack.callback(self._machine.kill)
        self._end = pool.submit(self._machine.run, {}, self._limit_s, self._wire)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def line(self) -> SocketLine:
        """UART0, from now on; once."""
        return SocketLine(self._wire.far)

    @property
    def memory(self) -> SharedMemory | None:
        """Its memory, as it is while the machine runs; None before it does, and where it is not reached."""
        return self._machine.memory

    @property
    def files(self) -> Path | None:
        """A folder that is served to the firmware: none, as its memory is reached."""
        return None

    def check_alive(self) -> None:
        """Notice the end of the machine.

        Raises:
            TargetError: it has ended.
        """
        if self._end.done():
            raise _ended(self._end.result().ending)

    def explain_end(self) -> None:
        """The line has closed: wait a moment for the end that explains it.

        Raises:
            TargetError: the machine has ended.
        """
        with contextlib.suppress(TimeoutError):
            raise _ended(self._end.result(_MAX_WAIT_FOR_END_S).ending)

    def last_lines(self) -> tuple[str, ...]:
        """The last lines that the machine reported."""
        return simulator_lines("\n".join(self._machine.reports))


def _ended(ending: Ending) -> TargetError:
    return TargetError(f"the simulator ended in the middle of the work ({ending.reason.value})")
