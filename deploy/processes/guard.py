"""Ends the process groups that a parent leaves behind when it is killed outright.

The kernel tells a child of its parent's end, but not the child's own children, and other systems than Linux tell
nobody. A shell does: it reads which groups run from a pipe that this process alone holds open, and that ends with
this process, whatever ended it. One shell serves all children that run at a time.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator

_GRACE_S = 5
"""Seconds that a child has which the kernel told: Docker's client has a container to remove."""

_SHELL = f"""groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="${{groups%% $group *}} ${{groups#* $group }}" ;;
  esac
done
[ "$groups" = ' ' ] || sleep {_GRACE_S}
for group in $groups; do kill -9 "-$group"; done
"""


class _Guard:
    """The shell of one process, which is there while children are; a fork has none of its parent's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._shell: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()

    def watch(self, group: int) -> None:
        with self._own():
            self._groups.add(group)
            with contextlib.suppress(OSError):  # without a shell there is the kernel's word alone
                self._shell = self._shell or _start_shell()
            self._tell("+", group)

    def forget(self, group: int) -> None:
        with self._own():
            self._groups.discard(group)
            self._tell("-", group)
            if not self._groups:
                self._end_shell()

    def close(self) -> None:
        """End what this process has not ended."""
        with self._own():
            for group in self._groups:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
            self._end_shell()

    @contextlib.contextmanager
    def _own(self) -> Iterator[None]:
        with self._lock:
            if self._owner != os.getpid():
                self._owner, self._shell, self._groups = os.getpid(), None, set()
            yield

    def _tell(self, sign: str, group: int) -> None:
        if self._shell is not None and self._shell.stdin is not None:
            with contextlib.suppress(OSError):
                self._shell.stdin.write(f"{sign} {group}\n".encode())

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


_guard = _Guard()
atexit.register(_guard.close)


def watch(group: int) -> None:
    """Have a process group killed when this process ends without :func:`forget`.

    Args:
        group: its number, which is the process number of its leader.
    """
    _guard.watch(group)


def forget(group: int) -> None:
    """A process group has ended."""
    _guard.forget(group)
