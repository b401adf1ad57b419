"""Where independent jobs run: on this computer or on a Dask cluster, through ``concurrent.futures.Executor``.

A job is a module-level function of this package that takes bytes and plain dictionaries and returns one, so a
worker needs this package and nothing of the computer that asks. It reports what it cannot do in what it returns;
what it raises is a defect or a worker that is not set up.

Dask exchanges pickled Python objects: whoever controls a scheduler or worker can run code on every computer that
connects to it. So nothing is connected to but the address that the user named.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

import deploy
from deploy.errors import BadInputError, DeployError, NotInstalledError, TargetError
from deploy.processes import warm

INSTALL_DASK = "pip install 'distributed>=2026.8'"
"""What the extra ``dask`` of this package installs, in words that work wherever the package came from."""

_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9A-Fa-f:.]+\]|[^\s/:@]+):\d{1,5}")
_CONNECT_S = 15.0
_FIRST_WORKER_S = 30.0
_SILENCE_S = 60.0
_SLICE_S = 0.5
_CLOSE_S = 5
_ASK_S = 5.0

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


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Workers]:
    """Jobs on an existing Dask cluster. Leaving the context cancels the jobs that have not ended.

    Dask runs the jobs of a worker that is lost again on another one, three times at most (its setting
    ``allowed-failures``).

    Args:
        address: of its scheduler, ``tcp://HOST:PORT`` (``tls://`` with Dask's own configuration of certificates).

    Raises:
        BadInputError: that is no such address.
        NotInstalledError: the package ``distributed`` is missing.
        TargetError: nobody answers there, or there are no workers.
    """
    if not _ADDRESS.fullmatch(address):
        raise BadInputError(f"--scheduler {address}: not an address", hints=["--scheduler tcp://HOST:PORT"])
    client = _connect(address)
    try:
        slots = _wait_for_workers(client, address)
        check = _Watch(client, address)
        # Not scattered: data that was has no origin, and would be lost with the worker that holds it.
        yield Workers(client.get_executor(), slots, f"{slots} workers of {address}", _sharing(client), check)
    finally:
        # The scheduler drops the jobs of a client that leaves. What a worker has begun it ends, for nobody.
        with contextlib.suppress(Exception):
            client.close(timeout=_CLOSE_S)


def gather(workers: Workers, futures: Mapping[Future[Any], Key], *, limit_s: float) -> Iterator[tuple[Key, Any]]:
    """Yield each job's key and what it returned, once, as the jobs end.

    Args:
        workers: what runs them.
        futures: job -> key.
        limit_s: seconds in which at least one job has to end.

    Raises:
        TargetError: no job ended in time, the workers are gone, or a job failed in a way it could not report.
    """
    waiting = dict(futures)
    deadline = time.monotonic() + limit_s
    while waiting:
        done, _ = wait(waiting, timeout=_SLICE_S, return_when=FIRST_COMPLETED)
        for future in done:
            deadline = time.monotonic() + limit_s
            yield waiting.pop(future), result_of(future, workers)
        if not done:
            workers.check()
            if time.monotonic() > deadline:
                raise TargetError(f"{workers.where}: no job ended within {limit_s:g} s")


def result_of(future: Future[Any], workers: Workers) -> Any:
    """What an ended job returned.

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
        said = str(error).strip().splitlines()
        raise TargetError(
            f"{workers.where}: a job failed: {type(error).__name__}: {said[0][:300] if said else ''}",
            hints=[f"every worker needs ethosu-deploy {deploy.__version__} and what it depends on installed"],
        ) from error


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise NotInstalledError(
            f"--scheduler needs Dask's package `distributed` ({error})", hints=[INSTALL_DASK]
        ) from error
    import logging

    # Reports of lost workers and connections; what matters of them is reported by gather().
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # differences of versions that do not matter to plain data
            client: Any = Client
            return client(address, timeout=_CONNECT_S, set_as_default=False, name="deploy")
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise TargetError(
            f"--scheduler {address}: no Dask scheduler answers ({str(error).splitlines()[0][:200]})",
            hints=[
                "dask scheduler --host ADDRESS",
                f"it should run distributed {importlib.metadata.version('distributed')}",
            ],
        ) from error


def _cores(client: Any) -> dict[str, int]:
    """Worker's address -> threads; bounded, whatever the scheduler does."""
    found: dict[str, int] = client.sync(client.scheduler.ncores, workers=None, callback_timeout=_ASK_S)
    return found


def _wait_for_workers(client: Any, address: str) -> int:
    deadline = time.monotonic() + _FIRST_WORKER_S
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            if slots := sum(_cores(client).values()):
                return slots
        if time.monotonic() > deadline:
            raise TargetError(
                f"--scheduler {address}: no workers came up within {_FIRST_WORKER_S:g} s",
                hints=[f"dask worker {address}"],
            )
        time.sleep(_SLICE_S)


class _Watch:
    """Notices that a cluster has lost its scheduler or all of its workers for too long."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._asked = self._alive = time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._asked < _ASK_S:
            return
        if now - self._asked > _SILENCE_S:
            self._alive = now  # nobody waited in between, so nobody looked
        what = "the scheduler does not answer any more"
        with contextlib.suppress(OSError, TimeoutError):
            if _cores(self._client):
                self._alive = now
            what = "no workers are left"
        self._asked = time.monotonic()
        if self._asked - self._alive > _SILENCE_S:
            raise TargetError(f"--scheduler {self._address}: {what} (for {_SILENCE_S:g} s)")


def _sharing(client: Any) -> Callable[[bytes], Any]:
    def share(content: bytes) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is large is known
            return client.submit(_itself, content, pure=True)

    return share


def _itself(content: bytes) -> bytes:
    return content
