"""Small programs that children are in these tests, and what became of them."""

import os
import signal
import sys
import time
from pathlib import Path


def python(code: str) -> list[str]:
    """The command that runs some Python."""
    return [sys.executable, "-S", "-c", code]


def number_in(file: Path) -> int:
    """The process number that a program writes, once it is there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        text = file.read_text() if file.exists() else ""
        if text.endswith("\n"):
            return int(text)
        time.sleep(0.02)
    raise AssertionError(f"{file} was never written")


def assert_gone(process: int, *, within_s: float = 10) -> None:
    """A process ends within some seconds (a zombie has ended; nobody may be there to reap it)."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.02)
    os.kill(process, signal.SIGKILL)
    raise AssertionError(f"process {process} still runs")


def says_its_number(file: Path) -> str:
    """A statement of a program that writes its process number."""
    return f"import os; open({str(file)!r}, 'w').write(f'{{os.getpid()}}\\n')\n"


def children() -> set[str]:
    """Processes that this one started and that have not been waited for."""
    return set(Path("/proc/self/task", str(os.getpid()), "children").read_text().split())
