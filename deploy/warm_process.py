"""Runs a Python module many times without importing it many times: in forks of a process that holds it imported.

Every run is what ``python -m MODULE ARGUMENTS`` is: a process of its own, with the module's global state as it is
right after the import, its own working folder and its own output; so the results are those of the command. What is
saved is the start of Python and the import (0.4 s of processor time of the 0.45 s that Vela takes for a small
network, measured).

The warm process serves one run at a time over its standard input and output, one line of JSON each way. It ends,
and what it runs with it, as soon as its standard input is closed: by :meth:`WarmProcess.close`, or because the
process that started it is gone. For runs side by side it can divide in two when the import is done: each half
serves a pair of pipes of its own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import deploy
from deploy import bounded_process
from deploy.bounded_process import Ended

_MAX_LINE_BYTES = 1 << 20
_GRACE_S = 5.0
_POLL_S = 0.25


class WarmProcess:
    """One warm process, which serves one run at a time.

    Args:
        module: run as ``python -m MODULE``.
        imported: the module that its ``__main__`` needs; imported once.
        twin: whether it shall divide in two, see :attr:`twin`.

    Attributes:
        twin: its other half, to run and to close like this one; None where there is none.
    """

    def __init__(self, module: str, imported: str, *, twin: bool = False) -> None:
        package = str(Path(deploy.__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        # One thread, so that nothing is left out of a fork: NumPy would start one a processor.
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        (reads, requests), (replies, writes) = (os.pipe(), os.pipe()) if twin else ((-1, -1), (-1, -1))
        theirs = (reads, writes) if twin else ()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, module, imported, *map(str, theirs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **threads, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for whoever started it to handle
            pass_fds=theirs,
        )
        for end in theirs:
            os.close(end)
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101 - pipes
        self._requests: IO[bytes] = self._process.stdin
        self._replies: IO[bytes] = self._process.stdout
        self._reading = threading.Lock()
        self.twin: WarmProcess | None = _Twin(self._process, requests, replies) if twin else None

    def run(self, arguments: Sequence[str], folder: Path, *, timeout_s: float) -> Ended | None:
        """Run the module once; see :func:`deploy.bounded_process.run`.

        Returns:
            How it ended. None when the warm process itself is gone; after that, and after a run that took too
            long, it serves no more.

        Raises:
            OSError: it failed, and the disk of the folder is full.
        """
        line = json.dumps({"arguments": list(arguments), "folder": str(folder)}).encode() + b"\n"
        try:
            self._requests.write(line)
            self._requests.flush()
        except (OSError, ValueError):  # ValueError: closed from another thread
            return None
        with self._reading:
            reply = self._reply(time.monotonic() + timeout_s)
        if reply == b"":
            return None
        if reply is None:
            self.close()
        status = int(json.loads(reply)["status"]) if reply else -signal.SIGKILL
        if status != 0:
            bounded_process.check_disk(folder)
        with (folder / bounded_process.OUTPUT_FILE).open("rb") as log:
            return Ended(status, reply is None, bounded_process.read_output(log))

    def _reply(self, deadline: float) -> bytes | None:
        """The reply's line; empty when the process has ended, None when the time is over."""
        received = b""
        while not received.endswith(b"\n"):
            ready, _, _ = select.select([self._replies], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                return None
            part = os.read(self._replies.fileno(), 4096)
            if not part or len(received) > _MAX_LINE_BYTES:
                return b""
            received += part
        return received

    def close(self) -> None:
        """End it, and what it runs; from any thread."""
        with contextlib.suppress(OSError):
            self._requests.close()
        self._wait()
        with self._reading:  # a thread that waits for the reply has seen the end by now
            self._replies.close()

    def _wait(self) -> None:
        """Wait for its end, which nobody asks anything of any more, and kill it when that takes too long."""
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _Twin(WarmProcess):
    """The other half of a warm process: no child of this process, but reached over pipes all the same."""

    def __init__(self, process: subprocess.Popen[bytes], requests: int, replies: int) -> None:
        self._process = process
        self._requests, self._replies = os.fdopen(requests, "wb"), os.fdopen(replies, "rb")
        self._reading = threading.Lock()
        self.twin = None

    def _wait(self) -> None:
        """Its end shows as the end of its replies."""
        ended = select.poll()
        try:
            ended.register(self._replies, 0)  # hang-ups are always reported
        except ValueError:  # closed before
            return
        if not ended.poll(_GRACE_S * 1000):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


class WarmPool:
    """Warm processes of one module: as many as are needed side by side, each used again and again.

    ``run`` takes the place of :func:`deploy.bounded_process.run` for ``python -m MODULE`` commands, from any
    number of threads.

    Args:
        module: as in :class:`WarmProcess`.
        imported: as in :class:`WarmProcess`.
    """

    def __init__(self, module: str, imported: str) -> None:
        self._module, self._imported = module, imported
        self._lock = threading.Lock()
        self._idle: list[WarmProcess] = []
        self._all: set[WarmProcess] = set()
        self._closed = False

    def run(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        """Run ``python -m MODULE ...`` in a folder; any other command as a process of its own.

        Raises:
            NotInstalledError: the command cannot be started.
        """
        if list(command[:3]) != [sys.executable, "-m", self._module]:
            return bounded_process.run(command, folder, timeout_s=timeout_s)
        process = self._take()
        ended = process.run(command[3:], folder, timeout_s=timeout_s)
        if ended is not None and not ended.timed_out:
            with self._lock:
                if not self._closed:
                    self._idle.append(process)
                    return ended
        self._drop(process)
        if ended is None and not self._closed:
            # It was killed, or cannot import the module: the command on its own says which.
            return bounded_process.run(command, folder, timeout_s=timeout_s)
        return ended or Ended(-signal.SIGKILL, False, "")

    def start(self, *, twin: bool = False) -> None:
        """Start a process now, which gets warm while the caller still makes ready what it shall run.

        Args:
            twin: start two, for the processor time of one import.
        """
        process = WarmProcess(self._module, self._imported, twin=twin)
        with self._lock:
            for each in filter(None, (process.twin, process)):
                self._all.add(each)
                self._idle.append(each)

    def close(self) -> None:
        """End all processes, and what they run."""
        with self._lock:
            self._closed = True
            processes = list(self._all)
        for process in processes:
            self._drop(process)

    def _take(self) -> WarmProcess:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            process = WarmProcess(self._module, self._imported)
            self._all.add(process)
            return process

    def _drop(self, process: WarmProcess) -> None:
        with self._lock:
            self._all.discard(process)
        process.close()


_pools: dict[tuple[str, str], WarmPool] = {}
_pools_lock = threading.Lock()


def pool(module: str, imported: str) -> WarmPool:
    """This process's pool for a module; its warm processes end with this process, or by :func:`close_pools`."""
    with _pools_lock:
        return _pools.setdefault((module, imported), WarmPool(module, imported))


def close_pools() -> None:
    """End all warm processes of this process, and what they run."""
    with _pools_lock:
        open_pools = list(_pools.values())
        _pools.clear()
    for each in open_pools:
        each.close()


def _serve(module: str, imported: str, twin: Sequence[int] = ()) -> None:
    """The warm process: one run a line of standard input, until that is closed.

    Args:
        module: as in :class:`WarmProcess`.
        imported: as in :class:`WarmProcess`.
        twin: descriptors that the other half takes for its standard input and output; empty for no other half.
    """
    importlib.import_module(imported)
    gc.freeze()  # the collector leaves alone, and so uncopied, what the forks share
    if twin:
        half = os.fork()
        for stream, end in enumerate(twin):
            if half == 0:
                os.dup2(end, stream)
            os.close(end)
    replies = os.dup(1)
    waker, wake = os.pipe()
    for end in (waker, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os.close(replies)
            _run(module, request["arguments"], Path(request["folder"]))
        status = _wait(child, waker)
        if status is None:
            return
        os.write(replies, json.dumps({"status": status}).encode() + b"\n")


def _wait(child: int, waker: int) -> int | None:
    """The child's exit status, negative for a signal; None, and the child killed, when nobody waits any more."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        ready, _, _ = select.select([0, waker], [], [], _POLL_S)
        if waker in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(waker, 4096)
        if 0 in ready:  # nothing is sent during a run: this is the end of the input
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None


def _run(module: str, arguments: list[str], folder: Path) -> None:
    """In the fork: become ``python -m MODULE ARGUMENTS`` and end."""
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        bounded_process.prepare_child()
        os.chdir(folder)
        log = os.open(bounded_process.OUTPUT_FILE, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, stream in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, stream)
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as left:
        code = left.code
        status = code if isinstance(code, int) else int(code is not None)
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status & 0xFF)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], [int(word) for word in sys.argv[3:]])
    os._exit(0)  # nothing is open; to take the imported module apart takes a tenth of a second (measured)
