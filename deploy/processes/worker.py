"""A forked child that answers requests until it is closed, or until what it does for one of them ends it.

Requests and answers are a head, which is text, and a body of bytes, in frames that say how long they are. One
request is under way at a time. The child has everything of this process as it was when it was forked, and shares
nothing afterwards but the channel and a file for what it prints.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import signal
import socket
import struct
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

from deploy.processes.forked import die_with_parent
from deploy.processes.limits import Limits
from deploy.processes.starting import fork

Buffer: TypeAlias = bytes | bytearray | memoryview
Answer: TypeAlias = Callable[[bytes, bytearray], tuple[bytes, Sequence[Buffer]]]
"""Head and body of a request -> head and parts of the body of its answer."""

MAX_BODY_BYTES = 1 << 31
"""Of a frame: no TFLite file is larger, and no tensor."""

TOO_LONG = "took too long"

_FRAME = struct.Struct("<IQ")
_LIMIT = struct.Struct("<d")
_MAX_HEAD_BYTES = 1 << 20
_TAIL_BYTES = 4096
_SMALL_BYTES = 1 << 16
_EXIT_S = 2.0
_LIMITS = Limits(file_bytes=64 << 20)  # all that it writes is what it prints


class WorkerEndedError(Exception):
    """The child ended instead of giving an answer.

    Attributes:
        how: the name of the signal that ended it (``SIGSEGV``), ``status 1``, or ``took too long``.
    """

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class Worker:
    """The child. It ends when this object is closed or dropped, and with this process.

    Args:
        answer: called in the child; what it raises ends the child.
    """

    def __init__(self, answer: Answer) -> None:
        self._process = process = _Process(answer)
        self._end = weakref.finalize(self, process.end)
        _processes.add(process)

    @property
    def alive(self) -> bool:
        """Whether it may be asked; not by a fork of this process, whose requests would get mixed up with these."""
        return self._end.alive and self._process.mine

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself; only to be asked where nobody waits for an answer."""
        return self._process.ended(os.WNOHANG)

    def ask(self, head: bytes, body: Sequence[Buffer] = (), *, timeout_s: float) -> tuple[bytes, bytearray]:
        """Send a request and wait for the answer.

        Args:
            head: at most 1 MiB.
            body: parts that are sent one behind the other, at most 2 GiB together.
            timeout_s: after this many seconds the child is killed.

        Returns:
            Head and body of the answer.

        Raises:
            WorkerEndedError: the child has ended, and does not come back.
        """
        channel, deadline = self._process.channel, time.monotonic() + timeout_s
        with self._process.asking:
            if not self.alive:
                raise WorkerEndedError("it was closed")
            try:
                _send(channel, _LIMIT.pack(timeout_s) + head, body, deadline)
                return _received(channel, deadline)
            except (OSError, EOFError) as error:
                how = TOO_LONG if isinstance(error, TimeoutError) else self._process.wait(_EXIT_S)
                self.close()
                raise WorkerEndedError(how) from None
            except BaseException:  # of a signal: this answer must not be taken for the next one's
                self.close()
                raise

    def printed(self) -> tuple[str, ...]:
        """The last lines that it printed while it was at the last request, even if it has ended since."""
        content = self._process.printed()
        return tuple(line.strip() for line in content.decode("utf-8", "replace").splitlines() if line.strip())

    def close(self) -> None:
        """End it; harmless when it has ended."""
        self._end()


class _Process:
    """What is left of a worker to be ended when nobody holds it any more.

    Attributes:
        channel: to the child.
        asking: held by who uses the channel.
    """

    def __init__(self, answer: Answer) -> None:
        # The kernel ends it with the thread that forked: only the main one lives as long as its process.
        lasting = threading.current_thread() is threading.main_thread()
        self._owner, self._tail = os.getpid(), b""
        self._status: int | None = None
        self._waiting = threading.Lock()
        self.asking = threading.RLock()
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed at the end
        self.channel, theirs = socket.socketpair()
        with theirs:
            self._child = fork()
            if self._child == 0:
                self.channel.close()
                _become(answer, theirs, self._file.fileno(), self._owner if lasting else None)

    @property
    def mine(self) -> bool:
        """Whether this process forked it."""
        return os.getpid() == self._owner

    def printed(self) -> bytes:
        if self._file.closed:
            return self._tail
        size = os.fstat(self._file.fileno()).st_size
        return os.pread(self._file.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES))

    def wait(self, timeout_s: float) -> str:
        """Wait for its end, and kill it when that does not come; returns how it ended."""
        deadline = time.monotonic() + timeout_s
        while not self.ended(os.WNOHANG) and time.monotonic() < deadline:
            time.sleep(0.001)
        self._kill()
        status = self._status or 0
        return signal.Signals(-status).name if status < 0 else f"status {status}"

    def end(self) -> None:
        """Kill it and close everything. In a fork: it is the parent's."""
        if self.mine:
            self._kill()
            with contextlib.suppress(OSError):  # the child is gone, and so may be the connection
                self.channel.shutdown(socket.SHUT_RDWR)
        # Who waits for an answer sees the end first: closed before, the descriptor's number may be another's when
        # the wait looks again, and lasts.
        with self.asking if self.mine else contextlib.nullcontext():
            self._tail = self.printed()
            self.channel.close()
            self._file.close()

    def _kill(self) -> None:
        if not self.ended(os.WNOHANG):
            os.kill(self._child, signal.SIGKILL)
            self.ended(0)

    def ended(self, options: int) -> bool:
        with self._waiting:  # the system tells how it ended once
            if self._status is None:
                try:
                    ended, status = os.waitpid(self._child, options)
                except ChildProcessError:  # somebody has waited for all children
                    ended, status = self._child, 0
                self._status = os.waitstatus_to_exitcode(status) if ended else None
            return self._status is not None


_processes: weakref.WeakSet[_Process] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """In a fork: with the parent's channels left open here, its workers would not see its end."""
    for process in _processes:
        process.end()


os.register_at_fork(after_in_child=_leave_to_parent)


def _become(answer: Answer, channel: socket.socket, printed: int, parent: int | None) -> NoReturn:
    """In the fork: answer requests, and end with the channel."""
    try:
        faulthandler.disable()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who ends this
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        if parent is not None:
            die_with_parent(parent)
        _LIMITS.apply()
        gc.freeze()  # the collector leaves alone, and so uncopied, what is the parent's
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        _close_all_but(channel.fileno())
        while True:
            head, body = _received(channel, None)
            (limit_s,) = _LIMIT.unpack_from(head)
            # Where the parent has been killed meanwhile, nobody else ends what hangs.
            signal.setitimer(signal.ITIMER_REAL, limit_s + _EXIT_S)
            if os.fstat(1).st_size:
                os.ftruncate(1, 0)
                os.lseek(1, 0, os.SEEK_SET)
            said = answer(head[_LIMIT.size :], body)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _send(channel, *said, None)
    except (EOFError, OSError):
        os._exit(0)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "replace"))
        os._exit(1)


def _close_all_but(kept: int) -> None:
    """Close pipes of other children, who would wait in vain for their end as long as this child holds one, too.

    Args:
        kept: a descriptor that stays open, besides the three standard ones.
    """
    for number in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        if number > 2 and number != kept:
            with contextlib.suppress(OSError):
                os.close(number)


def _send(channel: socket.socket, head: bytes, body: Sequence[Buffer], deadline: float | None) -> None:
    parts = [part for part in body if len(part)]
    size = sum(memoryview(part).nbytes for part in parts)
    if len(head) > _MAX_HEAD_BYTES or size > MAX_BODY_BYTES:
        raise OSError(f"a message of {len(head)} and {size} bytes")
    frame = _FRAME.pack(len(head), size) + head
    small = b"".join((frame, *parts)) if size <= _SMALL_BYTES else b""  # one call of the system
    whole: list[Buffer] = [small] if small else [frame, *parts]
    for part in whole:
        _wait_until(channel, deadline)
        channel.sendall(part)


def _received(channel: socket.socket, deadline: float | None) -> tuple[bytes, bytearray]:
    head_bytes, size = _FRAME.unpack(_exactly(channel, _FRAME.size, deadline))
    if head_bytes > _MAX_HEAD_BYTES or size > MAX_BODY_BYTES:
        raise OSError(f"a message of {head_bytes} and {size} bytes")
    return bytes(_exactly(channel, head_bytes, deadline)), _exactly(channel, size, deadline)


def _exactly(channel: socket.socket, size: int, deadline: float | None) -> bytearray:
    content = bytearray(size)
    view, done = memoryview(content), 0
    while done < size:
        _wait_until(channel, deadline)
        count = channel.recv_into(view[done:])
        if count == 0:
            raise EOFError
        done += count
    return content


def _wait_until(channel: socket.socket, deadline: float | None) -> None:
    if deadline is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        channel.settimeout(left)
