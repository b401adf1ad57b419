"""Where independent jobs run: on this computer or on a Dask cluster, through ``concurrent.futures.Executor``.

A job is a module-level function of this package that takes bytes and plain dictionaries and returns one, so a
worker needs this package and nothing of the computer that asks. It reports what it cannot do in what it returns;
what it raises is a defect or a worker that is not set up.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

import deploy
from deploy.errors import BadInputError, DeployError, ExitStatus, NotInstalledError, TargetError
from deploy.processes import warm

_SLICE_S = 0.5

Key = TypeVar("Key")


@dataclass(frozen=True)
class Workers:
    """What runs jobs.

    Attributes:
        where: for messages: ``2 local workers``.
        share: turns bytes that many jobs need into an argument that is sent to each worker once.
        check: called now and then during a wait; raises a TargetError when no answer can come any more.
    """

    executor: Executor
    slots: int
    where: str
    share: Callable[[bytes], Any] = field(default=lambda content: content)
    check: Callable[[], None] = field(default=lambda: None)


def available_processors() -> int:
    """How many processors this process may use (a container or ``taskset`` may allow fewer than there are)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def local_workers(jobs: int) -> Iterator[Workers]:
    """Jobs on this computer: as many threads as given, each waiting for processes that do the work.

    Leaving the context drops the jobs that have not begun and ends the warm processes of those that have.
    """
    executor = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="job")
    try:
        yield Workers(executor, jobs, f"{jobs} local worker{'s' if jobs > 1 else ''}")
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        warm.close_pools()
        executor.shutdown()


def gather(
    workers: Workers,
    futures: Mapping[Future[Any], Key],
    *,
    limit_s: float,
    called: Callable[[Key], str] = lambda _key: "a job",
) -> Iterator[tuple[Key, Any]]:
    """Yield each job's key and what it returned, once, as the jobs end.

    Args:
        workers: what runs them.
        futures: job -> key.
        limit_s: seconds in which at least one job has to end.
        called: how an error names a job.

    Raises:
        TargetError: no job ended in time, the workers are gone, or a job failed in a way it could not report.
    """
    waiting = dict(futures)
    deadline = time.monotonic() + limit_s
    while waiting:
        done, _ = wait(waiting, timeout=_SLICE_S, return_when=FIRST_COMPLETED)
        for future in done:
            deadline = time.monotonic() + limit_s
            key = waiting.pop(future)
            yield key, result_of(future, workers, called(key))
        workers.check()
        if not done and time.monotonic() > deadline:
            raise TargetError(f"{workers.where}: no job ended within {limit_s:g} s")


def told(error: DeployError, message: str | None = None) -> dict[str, Any]:
    """What a job returns that ends with an error; :func:`check_told` raises it again, as what it was."""
    return {
        "error": error.message if message is None else message,
        "hints": list(error.hints),
        "log": list(error.log) if isinstance(error, TargetError) else [],
        "exit_status": int(error.exit_status),
    }


def check_told(result: Mapping[str, Any]) -> None:
    """Raise what a job told instead of a result.

    Raises:
        BadInputError, NotInstalledError, TargetError: as the worker's.
    """
    if "error" not in result:
        return
    kind = {ExitStatus.BAD_INPUT: BadInputError, ExitStatus.NOT_INSTALLED: NotInstalledError}.get(
        result["exit_status"]
    )
    if kind is not None:
        raise kind(f"a worker: {result['error']}", hints=result["hints"])
    raise TargetError(result["error"], hints=result["hints"], log=result["log"])


def result_of(future: Future[Any], workers: Workers, name: str = "a job") -> Any:
    """What an ended job returned; an error calls it by its name.

    Raises:
        TargetError: it failed in a way it could not report.
    """
    try:
        return future.result(timeout=0)
    except DeployError:
        raise
    except CancelledError as error:
        raise TargetError(
            f"{workers.where}: the connection is lost, or the job was cancelled",
            hints=["is the scheduler still running?"],
        ) from error
    except Exception as error:  # whatever a worker may raise that is not set up as it should be
        lost: Any = error
        if type(error).__name__ == "KilledWorker":  # Dask's, which may not be installed
            raise TargetError(
                f"{workers.where}: every worker that ran {name} was lost: {lost.allowed_failures + 1} in turn, "
                f"the last was {lost.last_worker.address}",
                hints=["its log says why; too little memory is usual (`dask worker --memory-limit`)"],
            ) from error
        said = str(error).strip().splitlines()
        raise TargetError(
            f"{workers.where}: {name} failed: {type(error).__name__}: {said[0][:300] if said else ''}",
            hints=[f"every worker needs ethosu-deploy {deploy.__version__} and what it depends on installed"],
        ) from error
