"""A simulator that runs in the background while somebody talks to its firmware."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.errors import TargetError
from deploy.files import private_folder
from deploy.processes.supervisor import Ended
from deploy.simulators.fvp_command import FvpRun, command_line
from deploy.simulators.fvp_locate import Simulator, environment
from deploy.simulators.fvp_process import simulators
from deploy.targets.lines import DEFAULT_BAUD, Line, SerialLine
from deploy.targets.mailbox import SharedMemory
from deploy.targets.target_text import simulator_lines

START_TIMEOUT_S = 60.0
"""Within so many seconds a simulator has to say where its terminal listens."""

_FIRST_PORT = 5000
_LISTENING = re.compile(rb"telnetterminal0: Listening for serial connection on port (\d+)\b[^\d]")
_MAX_WAIT_FOR_END_S = 5.0


class RunningSimulator:
    """A simulator that runs in the background; its end is noticed, and leaving the context ends it."""

    def __init__(self, simulator: Simulator, firmware: Path, macs: int, timing: bool, limit_s: float) -> None:
        self._simulator = simulator
        self._firmware = firmware
        self._macs = macs
        self._timing = timing
        self._limit_s = limit_s
        self._processes = simulators()
        self._output = bytearray()
        self._news = threading.Condition()
        self._end: Ended | None = None
        self._failure: BaseException | None = None
        self._stack = contextlib.ExitStack()
        self.files: Path | None = None
        """A folder that is served to the firmware by semihosting."""

    def __enter__(self) -> RunningSimulator:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(private_folder("run"))
            # A short plain name: the FVP splits what users may call their files.
            firmware = folder / "firmware.elf"
            firmware.symlink_to(self._firmware.resolve())
            self.files = folder / "files"
            self.files.mkdir()
            run = FvpRun(
                firmware=firmware,
                macs=self._macs,
                timing=self._timing,
                terminal_port=_FIRST_PORT,
                time_limit_s=max(1, round(self._limit_s)),
                # Frames are binary: a byte 0x04 in them means nothing.
                shutdown_on_eot=False,
                files=self.files,
            )
            pool = stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="machine"))
            stack.callback(self._processes.cancel)
            simulator = self._simulator
            words = command_line(simulator.command, run, simulator.fvp, simulator.release)
            pool.submit(self._run, words)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def line(self) -> Line:
        """UART0, once the simulator says where it is.

        Raises:
            TargetError: the simulator ended, or never said so.
        """
        return SerialLine(f"socket://127.0.0.1:{self.terminal_port()}", DEFAULT_BAUD)

    @property
    def memory(self) -> SharedMemory | None:
        """Another process's: it is not reached."""
        return None

    def terminal_port(self) -> int:
        """Wait until the simulator says on which port UART0 listens.

        Raises:
            TargetError: it ended, or never said so.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        with self._news:
            while (found := _LISTENING.search(self._output)) is None:
                self._raise_if_ended()
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TargetError(
                        f"the simulator opened no terminal port for UART0 within {START_TIMEOUT_S:g} s"
                    )
                self._news.wait(remaining)
        return int(found[1])

    def check_alive(self) -> None:
        """Notice the end of the simulator.

        Raises:
            TargetError: it has ended.
        """
        with self._news:
            self._raise_if_ended()

    def explain_end(self) -> None:
        """The terminal has closed: wait a moment for the end that explains it.

        Raises:
            TargetError: the simulator has ended.
        """
        with self._news:
            self._news.wait_for(lambda: self._end is not None or self._failure is not None, _MAX_WAIT_FOR_END_S)
            self._raise_if_ended()

    def last_lines(self) -> tuple[str, ...]:
        """The last lines that the simulator wrote."""
        with self._news:
            text = bytes(self._output[-65536:]).decode("utf-8", "replace")
        return simulator_lines(text)

    def _raise_if_ended(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._end is not None:
            how = f"exit status {self._end.status}" if self._end.status >= 0 else f"signal {-self._end.status}"
            raise TargetError(f"the simulator ended in the middle of the work ({how})")

    def _run(self, words: list[str]) -> None:
        try:
            end = self._processes.run(
                words,
                timeout_s=self._limit_s + _MAX_WAIT_FOR_END_S,
                environment=environment(self._simulator.command[0]),
                on_output=self._collect,
            )
        except BaseException as error:
            with self._news:
                self._failure = error
                self._news.notify_all()
        else:
            with self._news:
                self._end = end
                self._news.notify_all()

    def _collect(self, chunk: bytes) -> None:
        with self._news:
            self._output += chunk
            del self._output[: -256 * 1024]
            self._news.notify_all()
