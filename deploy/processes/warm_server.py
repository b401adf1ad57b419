"""A warm process: runs a module that it holds imported, each time in a fork; see :mod:`deploy.processes.warm`.

    python -m deploy.processes.warm_server MODULE IMPORTED CONTROL

CONTROL is an inherited socket, over which channels come: for each of them the program forks a process that serves
it. A request on a channel is a line of JSON with the arguments and the working folder, and the descriptor that the
run shall write to; the answer is a line with its exit status. With the channel a run under way ends, too.
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
import socket
import sys
import traceback
from pathlib import Path

from deploy.processes.forked import die_with_parent

_MAX_REQUEST_BYTES = 1 << 20
_POLL_S = 0.25


def _answer(module: str, channel: socket.socket) -> None:
    """One run a request, until the channel is closed."""
    waker, wake = os.pipe()
    for end in (waker, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    server = os.getpid()
    while (request := _request(channel)) is not None:
        line, output = request
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            die_with_parent(server)
            channel.close()
            _run(module, asked["arguments"], Path(asked["folder"]), output)
        os.close(output)
        status = _wait(child, channel, waker)
        if status is None:
            return
        channel.sendall(json.dumps({"status": status}).encode() + b"\n")


def _request(channel: socket.socket) -> tuple[bytes, int] | None:
    """The next request and the descriptor that came with it; None at the end of the channel."""
    line, descriptors = b"", []
    while not line.endswith(b"\n"):
        part, received, _, _ = socket.recv_fds(channel, _MAX_REQUEST_BYTES, 1)
        descriptors += received
        if not part or len(line) > _MAX_REQUEST_BYTES:
            return None
        line += part
    return line, descriptors[0]


def _wait(child: int, channel: socket.socket, waker: int) -> int | None:
    """The child's exit status, negative for a signal; None, and the child killed, when nobody waits any more."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        ready, _, _ = select.select([channel.fileno(), waker], [], [], _POLL_S)
        if waker in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(waker, 4096)
        if channel.fileno() in ready:  # nothing is sent during a run: this is the end
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None


def _run(module: str, arguments: list[str], folder: Path, output: int) -> None:
    """In the fork: become ``python -m MODULE ARGUMENTS`` and end."""
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.chdir(folder)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
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


def serve(module: str, imported: str, control: socket.socket) -> None:
    """A process for each channel that comes, until the control socket is closed."""
    gc.disable()  # imports make many objects and no garbage
    importlib.import_module(imported)
    gc.enable()
    gc.freeze()  # the collector leaves alone, and so uncopied, what the forks share
    while (channel := _channel(control)) is not None:
        if os.fork() == 0:
            control.close()
            _answer(module, channel)
            os._exit(0)  # nothing is open; to take the imported module apart takes a tenth of a second (measured)
        channel.close()
    with contextlib.suppress(ChildProcessError):  # none is left; their processor time counts as this program's
        while True:
            os.wait()


def _channel(control: socket.socket) -> socket.socket | None:
    """The next channel, which comes with one byte; None when the control socket is closed."""
    part, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    return socket.socket(fileno=descriptors[0]) if part else None


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], socket.socket(fileno=int(sys.argv[3])))
    os._exit(0)  # nothing is open; to take the imported module apart takes a tenth of a second (measured)
