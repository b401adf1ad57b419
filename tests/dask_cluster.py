"""A Dask cluster of real processes on 127.0.0.1 whose workers write down every job that they begin and end.

Run as ``--preload`` of a worker, this file installs what writes it down.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORD_VARIABLE = "DEPLOY_TEST_RECORD"
VERSION_VARIABLE = "DEPLOY_TEST_VERSION"
"""Of deploy, as a worker shall have it; ``none`` for a worker without."""
_HERE = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
_START_S = 60.0


def dask_setup(worker: Any) -> None:
    """Called by Dask in each worker."""
    from distributed import WorkerPlugin

    version = os.environ.get(VERSION_VARIABLE)
    if version == "none":
        sys.modules["deploy"] = None  # type: ignore[assignment]
    elif version is not None:
        import deploy

        deploy.__version__ = version

    class Recorder(WorkerPlugin):  # type: ignore[misc]
        def transition(self, key: Any, start: str, finish: str, **_more: Any) -> None:
            if finish in ("executing", "memory") and start != finish:
                with Path(os.environ[RECORD_VARIABLE]).open("a") as record:
                    record.write(f"{finish} {os.getpid()} {key}\n")

    worker.plugins["recorder"] = Recorder()


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        address: of its scheduler.
        scheduler: its process.
        workers: their processes.
        record: what the workers write down.
    """

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]
    record: Path

    def wait_for(self, workers: int) -> None:
        """Wait until so many workers are there."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=_START_S)

    def begun(self, function: str) -> list[tuple[int, str]]:
        """Worker's process and key of every execution of a function so far."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        words = [line.split(" ", 2) for line in lines]
        return [(int(pid), key) for what, pid, key in words if what == "executing" and key.startswith(function)]

    def kill_the_first_at_work(self, function: str, *, after: int = 1) -> int:
        """Kill (SIGKILL) a worker as soon as so many jobs have begun, and it one of them; its process id."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            begun = self.begun(function)
            if len(begun) >= after:
                victim = next(worker for worker in self.workers if worker.pid == begun[-1][0])
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                return victim.pid
            time.sleep(0.01)
        raise AssertionError("no job has begun")


@contextlib.contextmanager
def running(folder: Path, workers: int, *others: Mapping[str, str]) -> Iterator[Cluster]:
    """Start scheduler and workers, each a process of its own; all end with the context.

    Args:
        folder: for logs and scratch.
        workers: how many.
        others: further workers, each with these variables.
    """
    record = folder / "jobs.txt"
    environment = {
        **os.environ,
        RECORD_VARIABLE: str(record),
        "DASK_DISTRIBUTED__WORKER__USE_FILE_LOCKING": "False",
        # Both leave their locks there: the scheduler takes no folder on its command line.
        "DASK_TEMPORARY_DIRECTORY": str(folder / "scratch"),
        "OMP_NUM_THREADS": "1",
    }
    with contextlib.ExitStack() as stack:

        def start(*words: str, variables: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
            log = stack.enter_context((folder / f"{words[0]}-{time.monotonic_ns()}.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{words[0]}", *words[1:]],
                cwd=folder,
                env={**environment, **(variables or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        scheduler = start(
            "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"
        )
        address = _address(folder)
        started = [
            start(
                "dask_worker",
                address,
                *(*_HERE, "--nthreads", "1", "--no-nanny", "--preload", __file__),
                variables=variables,
            )
            for variables in (*[{}] * workers, *others)
        ]
        yield Cluster(address, scheduler, started, record)


def _address(folder: Path) -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        for log in folder.glob("dask_scheduler-*.log"):
            if found := re.search(r"tcp://127\.0\.0\.1:\d+", log.read_text()):
                return found[0]
        time.sleep(0.05)
    raise AssertionError("the scheduler never listened")
