"""Workers that cannot be had are said so; jobs end once, in bounded time."""

import builtins
import socket
import time
from collections.abc import Mapping
from typing import Any

import pytest

from deploy.errors import BadInputError, NotInstalledError, TargetError
from deploy.executors import cluster, gather, local_workers


def square(number: int) -> int:
    return number * number


def failing() -> None:
    raise ZeroDivisionError("a defect")


def test_every_job_is_yielded_once() -> None:
    with local_workers(3) as workers:
        futures = {workers.executor.submit(square, number): number for number in range(50)}
        found = list(gather(workers, futures, limit_s=30))
    assert sorted(found) == [(number, number * number) for number in range(50)]


def test_jobs_that_never_end_are_given_up() -> None:
    with local_workers(1) as workers:
        futures = {workers.executor.submit(time.sleep, 3): 0}
        with pytest.raises(TargetError, match=r"no job ended within 0\.6 s"):
            list(gather(workers, futures, limit_s=0.6))


def test_a_job_that_raises_is_an_error_that_names_the_workers() -> None:
    with local_workers(1) as workers:
        futures = {workers.executor.submit(failing): 0}
        with pytest.raises(TargetError, match="1 local worker: a job failed: ZeroDivisionError: a defect"):
            list(gather(workers, futures, limit_s=30))


@pytest.mark.parametrize(
    "address",
    ["10.0.0.5:8786", "tcp://host", "http://host:1", "tcp://a b:1", "tcp://host:1/x", "tcp://u@host:1", ""],
)
def test_what_is_no_address_is_not_connected_to(address: str) -> None:
    with pytest.raises(BadInputError, match="not an address"), cluster(address):
        pass


def test_without_dask_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Mapping[str, Any]) -> Any:
        if name == "distributed":
            raise ImportError("No module named 'distributed'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotInstalledError) as caught, cluster("tcp://127.0.0.1:1"):
        pass
    assert any("pip install" in hint for hint in caught.value.hints)


def test_a_port_that_nobody_listens_on_is_an_error_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("deploy.executors._CONNECT_S", 2.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(TargetError, match="no Dask scheduler answers"), cluster(address):
            pass
        assert time.monotonic() - started < 20
