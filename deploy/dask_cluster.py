"""Jobs on an existing Dask cluster: connects, inspects every worker before work begins, and watches them.

Dask exchanges pickled Python objects: whoever controls a scheduler or worker can run code on every computer that
connects to it. So nothing is connected to but the address that the user named.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import deploy
from deploy.errors import BadInputError, NotInstalledError, TargetError
from deploy.executors import Workers
from deploy.inspection import Inspection

INSTALL_DASK = "pip install 'distributed>=2026.8'"
"""What the extra ``dask`` of this package installs, in words that work wherever the package came from."""

_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9A-Fa-f:.]+\]|[^\s/:@]+):\d{1,5}")
_CONNECT_S = 15.0
_FIRST_WORKER_S = 30.0
_SILENCE_S = 60.0
_SLICE_S = 0.5
_CLOSE_S = 5
_ASK_S = 5.0
_INSPECT_S = 60.0

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def cluster(address: str, inspection: Inspection) -> Iterator[Workers]:
    """Jobs on an existing Dask cluster. Leaving the context cancels the jobs that have not ended.

    Dask runs the jobs of a worker that is lost again on another one, three times at most (its setting
    ``allowed-failures``); the loss is logged as a warning, which is printed where nobody asked for logs.

    Args:
        address: of its scheduler, ``tcp://HOST:PORT`` (``tls://`` with Dask's own configuration of certificates).
        inspection: what every worker has to have; also those that join later.

    Raises:
        BadInputError: that is no such address.
        NotInstalledError: the package ``distributed`` is missing, or workers lack something: all are named.
        TargetError: nobody answers there, or there are no workers.
    """
    if not _ADDRESS.fullmatch(address):
        raise BadInputError(f"--scheduler {address}: not an address", hints=["--scheduler tcp://HOST:PORT"])
    client = _connect(address)
    try:
        roster = _Roster(client, address, inspection)
        slots = roster.wait_for_workers()
        # Not scattered: data that was has no origin, and would be lost with the worker that holds it.
        yield Workers(
            client.get_executor(), slots, f"{slots} workers of {address}", _sharing(client), roster.watch
        )
        with contextlib.suppress(OSError, TimeoutError):
            roster.ask()  # who was lost at the very end
    finally:
        # The scheduler drops the jobs of a client that leaves. What a worker has begun it ends, for nobody.
        with contextlib.suppress(Exception):
            client.close(timeout=_CLOSE_S)


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise NotInstalledError(
            f"--scheduler needs Dask's package `distributed` ({error})", hints=[INSTALL_DASK]
        ) from error

    # Reports of lost workers and connections; what matters of them is reported here and by gather().
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


class _Roster:
    """Who works for a cluster. Whoever is new is inspected, whoever is lost is told."""

    def __init__(self, client: Any, address: str, inspection: Inspection) -> None:
        self._client, self._address, self._inspection = client, address, inspection
        self._known: set[str] = set()
        self._asked = self._alive = time.monotonic()

    def wait_for_workers(self) -> int:
        """How many jobs the workers run side by side, once there are some.

        Raises:
            NotInstalledError: some lack what they need.
            TargetError: none come up in time.
        """
        deadline = time.monotonic() + _FIRST_WORKER_S
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                if slots := self.ask():
                    return slots
            if time.monotonic() > deadline:
                raise TargetError(
                    f"--scheduler {self._address}: no workers came up within {_FIRST_WORKER_S:g} s",
                    hints=[f"dask worker {self._address}"],
                )
            time.sleep(_SLICE_S)

    def ask(self) -> int:
        """Ask who works now, in bounded time; returns how many jobs they run side by side.

        Raises:
            NotInstalledError: one that is new lacks what it needs.
            OSError, TimeoutError: the scheduler does not answer.
        """
        cores: dict[str, int] = self._client.sync(
            self._client.scheduler.ncores, workers=None, callback_timeout=_ASK_S
        )
        for lost in sorted(self._known - set(cores)):
            _LOG.warning("note: worker %s is lost; what it had begun runs again on others", lost)
        new, self._known = sorted(set(cores) - self._known), set(cores)
        if new:
            self._inspect(new)
        return sum(cores.values())

    def watch(self) -> None:
        """Look now and then whether everybody is still there.

        Raises:
            NotInstalledError: a worker has joined that lacks what it needs.
            TargetError: scheduler or workers are gone for too long.
        """
        now = time.monotonic()
        if now - self._asked < _ASK_S:
            return
        if now - self._asked > _SILENCE_S:
            self._alive = now  # nobody waited in between, so nobody looked
        what = "the scheduler does not answer any more"
        with contextlib.suppress(OSError, TimeoutError):
            if self.ask():
                self._alive = now
            what = "no workers are left"
        self._asked = time.monotonic()
        if self._asked - self._alive > _SILENCE_S:
            raise TargetError(f"--scheduler {self._address}: {what} (for {_SILENCE_S:g} s)")

    def _inspect(self, workers: list[str]) -> None:
        found = self._answers(workers)
        unfit = []
        for worker in workers:
            answer = found.get(worker, TimeoutError(f"no answer within {_INSPECT_S:g} s"))
            if isinstance(answer, dict):
                unfit += [f"{worker}: {what}" for what in answer["lacks"]]
                for note in answer["notes"]:
                    _LOG.warning("note: worker %s: %s", worker, note)
            elif isinstance(answer, (OSError, TimeoutError)):  # it is lost again, or hangs: the jobs will tell
                _LOG.warning("note: worker %s did not say what it has: %s", worker, answer)
            else:
                why = f"{type(answer).__name__}: {answer}".splitlines()[0][:200]
                unfit.append(f"{worker}: has not ethosu-deploy {deploy.__version__} ({why})")
        if unfit:
            count = len({each.split(": ")[0] for each in unfit})
            raise NotInstalledError(
                f"--scheduler {self._address}: {count} of {len(self._known)} workers cannot do this work: "
                + "; ".join(unfit),
                hints=["install the same on every worker and start it again", "stop the workers that are named"],
            )

    def _answers(self, workers: list[str]) -> dict[str, Any]:
        """Worker -> what its inspection returned, or the exception that it raised."""
        ask = self._client._run  # Client.run() is this without a limit
        answers: dict[str, Any] = {}
        with contextlib.suppress(OSError, TimeoutError):
            answers = self._client.sync(
                ask,
                self._inspection.look,
                dict(self._inspection.needs),
                workers=workers,
                on_error="return",
                callback_timeout=_INSPECT_S,
            )
        return answers


def _sharing(client: Any) -> Callable[[bytes], Any]:
    def share(content: bytes) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is large is known
            return client.submit(_itself, content, pure=True)

    return share


def _itself(content: bytes) -> bytes:
    return content
