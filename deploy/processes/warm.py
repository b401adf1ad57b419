"""Runs a Python module many times without importing it many times: in forks of a process that holds it imported.

Every run is what ``python -m MODULE ARGUMENTS`` is: a process of its own, with the module's global state as it is
right after the import, its own working folder and its own output; so the results are those of the command. What is
saved is the start of Python and the import (0.4 s of processor time of the 0.45 s that Vela takes for a small
network, measured). A sweep or a search lives on that, whose jobs compile hundreds of networks; a single
compilation gains by what is imported while it still reads its model.

One program (:mod:`deploy.processes.warm_server`) imports the module and divides into as many warm processes as
are needed side by side, for the processor time of one import. Each serves one run at a time over a socket. It
ends, and what it runs with it, as soon as that is closed: by :meth:`WarmProcess.close`, or because whoever started
it is gone. Of a process that has only just begun, the program is a fork: it needs no start of Python at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.processes import supervisor
from deploy.processes.child import Child
from deploy.processes.forked import ForkedCall
from deploy.processes.limits import DEFAULT_LIMITS, Limits
from deploy.processes.output import KEEP_ALL_BUT_FLOODS, FloodError, Kept, collect, readable
from deploy.processes.python import module_command
from deploy.processes.supervisor import Ended, Supervisor

_SERVER = "deploy.processes.warm_server"
_MAX_LINE_BYTES = 1 << 20
_GRACE_S = 5.0
_LEAVE_S = 0.1
"""What the program has to wait for the end of its processes; it may be importing yet."""


class WarmProcess:
    """One warm process; it serves one run at a time. Made by :meth:`WarmServer.process`."""

    def __init__(self, server: WarmServer, channel: socket.socket) -> None:
        self._server, self._channel = server, channel
        self._reading = threading.Lock()

    def run(self, arguments: Sequence[str], folder: Path, *, timeout_s: float) -> Ended | None:
        """Run the module once; see :meth:`deploy.processes.supervisor.Supervisor.run`.

        Returns:
            How it ended. None when the warm process itself is gone; after that, and after a run that took too
            long, it serves no more.

        Raises:
            OSError: it failed, and the disk of the folder is full.
        """
        deadline = time.monotonic() + timeout_s
        line = json.dumps({"arguments": list(arguments), "folder": str(folder)}).encode() + b"\n"
        reads, writes = os.pipe()
        kept, flooded = Kept(KEEP_ALL_BUT_FLOODS), False
        with os.fdopen(reads, "rb"):
            try:
                socket.send_fds(self._channel, [line], [writes])
            except OSError:  # it has ended, or was closed from another thread
                return None
            finally:
                os.close(writes)
            with self._reading:
                if self._channel.fileno() < 0:
                    return None
                try:
                    in_time = collect({reads: kept.add}, deadline=deadline, ended=self._answered)
                except FloodError:
                    in_time, flooded = False, True
                reply = self._reply(deadline) if in_time else None
        if reply == b"":
            return None
        if reply is None:
            self.close()
        status = int(json.loads(reply)["status"]) if reply else -signal.SIGKILL
        if status != 0:
            supervisor.check_disk(folder)
        return Ended(status, reply is None, kept.text(), flooded=flooded)

    def _answered(self) -> bool:
        return readable(self._channel.fileno(), 0)

    def _reply(self, deadline: float) -> bytes | None:
        """The reply's line; empty when the process has ended, None when the time is over."""
        received = b""
        while not received.endswith(b"\n"):
            if not readable(self._channel.fileno(), max(deadline - time.monotonic(), 0)):
                return None
            try:
                part = self._channel.recv(4096)
            except ConnectionResetError:  # it ended before it read the request
                return b""
            if not part or len(received) > _MAX_LINE_BYTES:
                return b""
            received += part
        return received

    def close(self) -> None:
        """End it, and what it runs; from any thread."""
        ended = select.poll()
        try:
            self._channel.shutdown(socket.SHUT_WR)
            ended.register(self._channel, 0)  # the other side's end is always reported
        except (OSError, ValueError):  # closed before
            return
        if not ended.poll(_GRACE_S * 1000):
            self._server.child.kill()
        self._let_go()

    def leave(self) -> None:
        """Have it end, without waiting: it runs nothing."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)  # forks of this process have it open, too
        self._let_go()

    def _let_go(self) -> None:
        with self._reading:  # a thread that waits for the reply has seen the end by now
            self._channel.close()


class WarmServer:
    """The program that holds a module imported, and divides into warm processes.

    Args:
        module: run as ``python -m MODULE``.
        imported: the module that its ``__main__`` needs; imported once.
        limits: bounds of each run's memory and files.
        forked: whether the program is a fork of this process, which starts at once; only where this process has
            imported little yet, and has no threads.

    Raises:
        NotInstalledError: Python itself cannot be started.
    """

    def __init__(
        self, module: str, imported: str, limits: Limits = DEFAULT_LIMITS, *, forked: bool = False
    ) -> None:
        # One thread, so that nothing is left out of a fork: NumPy would start one a processor.
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._control, theirs = socket.socketpair()

        def serve() -> None:
            from deploy.processes import warm_server

            self._control.close()
            os.environ.update(threads)
            _begin_as_program()
            # In memory that was used before, what orders by addresses (as Vela orders columns) would do it another
            # way each time. A thread has memory of its own (glibc), as fresh as a program's.
            thread = threading.Thread(target=warm_server.serve, args=(module, imported, theirs))
            thread.start()
            thread.join()

        self.child: Child | ForkedCall
        with theirs:
            if forked:
                self.child = ForkedCall(serve, limits=limits)
            else:
                self.child = Child(
                    module_command(_SERVER, module, imported, str(theirs.fileno())),
                    environment={**supervisor.own_environment(), **threads},
                    limits=limits,
                    inherited=[theirs.fileno()],
                )

    def process(self) -> WarmProcess:
        """One more warm process, which takes runs at once and makes them when the import is done."""
        our, their = socket.socketpair()
        with their, contextlib.suppress(OSError):  # a program that has ended: no run will be answered
            socket.send_fds(self._control, [b"\n"], [their.fileno()])
        return WarmProcess(self, our)

    def close(self) -> None:
        """End it; its processes have to be closed before."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        self._control.close()
        self.child.wait(_LEAVE_S)
        self.child.end()


def _begin_as_program() -> None:
    """In a fork: import from where a program of :func:`module_command` does, and print as that does."""
    sys.path[:] = [entry for entry in sys.path if entry not in ("", str(Path.cwd()))]
    sys.stdout = open(1, "w", encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115 - while it lives
    sys.stderr = open(  # noqa: SIM115
        2, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace", closefd=False
    )


class WarmPool:
    """Warm processes of one module: as many as are needed side by side, each used again and again.

    ``run`` takes the place of :func:`deploy.processes.supervisor.run` for ``python -m MODULE`` commands, from any
    number of threads.
    """

    def __init__(self, module: str, imported: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self._module, self._imported, self._limits = module, imported, limits
        self._cold = Supervisor(limits=limits)
        self._lock = threading.Lock()
        self._idle: list[WarmProcess] = []
        self._all: set[WarmProcess] = set()
        self._server: WarmServer | None = None
        self._closed = False

    def run(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        """Run ``python -m MODULE ...`` in a folder; any other command as a process of its own.

        Raises:
            NotInstalledError: the command cannot be started.
        """
        words = module_command(self._module)
        if list(command[: len(words)]) != words:
            return self._cold.run(command, folder, timeout_s=timeout_s)
        process = self._take()
        if process is None:
            return Ended(-signal.SIGKILL, False, "")
        ended = process.run(command[len(words) :], folder, timeout_s=timeout_s)
        if ended is not None and not ended.timed_out:
            with self._lock:
                if not self._closed:
                    self._idle.append(process)
                    return ended
        self._drop(process)
        if ended is None and not self._closed:
            # It was killed, or cannot import the module: the command on its own says which.
            return self._cold.run(command, folder, timeout_s=timeout_s)
        return ended or Ended(-signal.SIGKILL, False, "")

    def start(self, *, twin: bool = False, forked: bool = False) -> None:
        """Start a process now, which gets warm while the caller still makes ready what it shall run.

        Args:
            twin: start two.
            forked: as of :class:`WarmServer`.
        """
        with self._lock:
            if forked and self._server is None:
                self._server = WarmServer(self._module, self._imported, self._limits, forked=True)
            self._idle += [self._new() for _ in range(2 if twin else 1)]

    def close(self) -> None:
        """End all processes, and what they run; no more is run then."""
        with self._lock:
            self._closed = True
            idle, running = self._idle, self._all.difference(self._idle)
            self._idle = []
        for process in running:
            self._drop(process)
        for process in idle:
            process.leave()
        if self._server is not None:
            self._server.close()
        self._all.clear()
        self._cold.cancel()

    def _take(self) -> WarmProcess | None:
        """A process that is idle, or a new one; None once the pool is closed."""
        with self._lock:
            if self._closed:
                return None
            return self._idle.pop() if self._idle else self._new()

    def _new(self) -> WarmProcess:
        if self._server is not None and self._server.child.ended():
            self._server.close()
            self._server = None
        self._server = self._server or WarmServer(self._module, self._imported, self._limits)
        process = self._server.process()
        self._all.add(process)
        return process

    def _drop(self, process: WarmProcess) -> None:
        with self._lock:
            self._all.discard(process)
        process.close()


_pools: dict[tuple[str, str], WarmPool] = {}
_pools_lock = threading.Lock()


def pool(module: str, imported: str, limits: Limits = DEFAULT_LIMITS) -> WarmPool:
    """This process's pool for a module; its warm processes end with this process, or by :func:`close_pools`.

    Jobs of a worker share it, on a cluster, too, where nobody can hand them what runs their command.
    """
    with _pools_lock:
        return _pools.setdefault((module, imported), WarmPool(module, imported, limits))


def close_pools() -> None:
    """End all warm processes of this process, and what they run."""
    with _pools_lock:
        open_pools = list(_pools.values())
        _pools.clear()
    for each in open_pools:
        each.close()
