"""Ends the children that a process leaves behind when it is killed outright, and what those have started.

A shell does it: it reads which children run from a pipe that this process alone holds open, and that ends with
this process, whatever ended it. The kernel's own way (``PR_SET_PDEATHSIG``) is Linux's alone, reaches no
grandchildren, means the thread that started a child, and takes code between fork and exec, for which Python copies
the process where it could use ``vfork``. One shell serves all children that run at a time.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import threading

_GRACE_S = 5
"""Seconds that a child has which is told to end: Docker's client has a container to remove."""

_SHELL = f"""running=' '
while read -r sign child; do
  case $sign in
    +) running="$running$child " ;;
    -) running="${{running%% $child *}} ${{running#* $child }}" ;;
  esac
done
for child in $running; do
  case $child in
    tell:*) kill -15 "${{child#*:}}" ;;
    kill:*) kill -9 "-${{child#*:}}" ;;
  esac
done
case $running in
  *tell:*) sleep {_GRACE_S}; for child in $running; do kill -9 "-${{child#*:}}"; done ;;
esac
"""


class Guard:
    """The shell of one process, which is there while children are."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._shell: subprocess.Popen[bytes] | None = None
        self._children: dict[int, str] = {}
        self._expected = 0

    def expect(self) -> None:
        """A child is about to be started: :meth:`watch` it then, and :meth:`forget` it in the end."""
        with self._lock:
            self._expected += 1
            with contextlib.suppress(OSError):  # a system without a shell has no guard
                self._shell = self._shell or _start_shell()

    def watch(self, child: int, *, polite: bool) -> None:
        """Have a child ended when this process ends without :meth:`forget`.

        Args:
            child: its process number, which is its group's, too.
            polite: send it ``SIGTERM``, and kill its group 5 s later; otherwise kill its group at once.
        """
        entry = f"{'tell' if polite else 'kill'}:{child}"
        with self._lock:
            self._children[child] = entry
            self._write(f"+ {entry}\n")

    def forget(self, child: int | None) -> None:
        """A child has ended, with its group; None for one that was expected and could not be started."""
        with self._lock:
            if child is not None:
                self._write(f"- {self._children.pop(child)}\n")
            self._expected -= 1
            if not self._expected:
                self._end_shell()

    def close(self) -> None:
        """End what this process has not ended."""
        with self._lock:
            for child in self._children:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child, signal.SIGKILL)
            self._end_shell()

    def drop(self) -> None:
        """In a fork: the children are its parent's, and so is the pipe."""
        if self._shell is not None and self._shell.stdin is not None:
            self._shell.stdin.close()
            self._shell.returncode = 0  # nothing to wait for here
        self._begin()

    def _write(self, line: str) -> None:
        if self._shell is not None and self._shell.stdin is not None:
            with contextlib.suppress(OSError):
                self._shell.stdin.write(line.encode())

    def _end_shell(self) -> None:
        if self._shell is not None:
            self._shell.kill()
            self._shell.communicate()
            self._shell = None


def _start_shell() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _SHELL],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        start_new_session=True,  # what ends this process's group does not end its guard
    )


GUARD = Guard()
atexit.register(GUARD.close)
os.register_at_fork(after_in_child=GUARD.drop)
