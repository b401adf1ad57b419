"""Workers that cannot be had, are not fit or are lost are named; and all in bounded time."""

from __future__ import annotations

import builtins
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.dask_cluster import _Roster, cluster
from deploy.errors import BadInputError, NotInstalledError, TargetError
from deploy.executors import gather
from deploy.inspection import Inspection, look_at_versions, same_versions

VERSIONS = Inspection(look_at_versions, same_versions("ethos-u-vela"))


@pytest.mark.parametrize(
    "address",
    ["10.0.0.5:8786", "tcp://host", "http://host:1", "tcp://a b:1", "tcp://host:1/x", "tcp://u@host:1", ""],
)
def test_what_is_no_address_is_not_connected_to(address: str) -> None:
    with pytest.raises(BadInputError, match="not an address"), cluster(address, VERSIONS):
        pass


def test_without_dask_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Mapping[str, Any]) -> Any:
        if name == "distributed":
            raise ImportError("No module named 'distributed'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotInstalledError) as caught, cluster("tcp://127.0.0.1:1", VERSIONS):
        pass
    assert any("pip install" in hint for hint in caught.value.hints)


def test_a_port_that_nobody_listens_on_is_an_error_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("deploy.dask_cluster._CONNECT_S", 2.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(TargetError, match="no Dask scheduler answers"), cluster(address, VERSIONS):
            pass
        assert time.monotonic() - started < 20


class Found:
    """A scheduler's side of a cluster: who works, and what each says when it is inspected."""

    def __init__(self, *rounds: dict[str, Any]) -> None:
        self.rounds, self.scheduler, self._run = list(rounds), self, "run"
        self.inspected: list[str] = []

    def ncores(self) -> None:
        """What the scheduler offers."""

    def sync(self, what: Any, *_given: Any, workers: list[str] | None = None, **_more: Any) -> dict[str, Any]:
        if what != "run":
            return dict.fromkeys(self.rounds[0] if len(self.rounds) == 1 else self.rounds.pop(0), 2)
        self.inspected += workers or []
        return {worker: self.rounds[0][worker] for worker in workers or []}


FIT = {"lacks": [], "notes": []}
"""What a worker says that has everything."""


def test_every_unfit_worker_is_named_with_all_that_it_lacks() -> None:
    old = {"lacks": ["ethosu-deploy 0.0.9, here it is 0.1.0", "no QEMU"], "notes": []}
    found = Found(
        {"tcp://a:1": FIT, "tcp://b:1": old, "tcp://c:1": ModuleNotFoundError("No module named 'deploy'")}
    )
    with pytest.raises(NotInstalledError) as caught:
        _Roster(found, "tcp://s:1", VERSIONS).wait_for_workers()
    for named in ("2 of 3 workers", "tcp://b:1: ethosu-deploy 0.0.9", "tcp://b:1: no QEMU", "tcp://c:1: has not"):
        assert named in caught.value.message
    assert "tcp://a:1:" not in caught.value.message


def test_lost_workers_are_told_and_those_that_join_are_inspected(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.dask_cluster._ASK_S", 0.0)
    slow = {"lacks": [], "notes": ["the NPU model is slow"]}
    found = Found(
        {"a": FIT, "b": slow}, {"a": FIT, "b": slow}, {"b": slow, "c": {"lacks": ["no QEMU"], "notes": []}}
    )
    roster = _Roster(found, "tcp://s:1", VERSIONS)
    assert roster.wait_for_workers() == 4
    roster.watch()
    assert (found.inspected, len(caplog.records)) == (["a", "b"], 1)
    with pytest.raises(NotInstalledError, match="c: no QEMU"):
        roster.watch()
    assert [record.message for record in caplog.records] == [
        "note: worker b: the NPU model is slow",
        "note: worker a is lost; what it had begun runs again on others",
    ]


def test_what_this_computer_has_it_does_not_lack() -> None:
    assert look_at_versions(same_versions("ethos-u-vela", "no-such-package", npu_model=True))["lacks"] == []
    needs = {"versions": {"ethos-u-vela": "1.0", "no-such-package": "2"}, "npu_model": False}
    first, second = look_at_versions(needs)["lacks"]
    assert first.startswith("ethos-u-vela ")
    assert first.endswith(", here it is 1.0")
    assert second == "no-such-package is not installed, here it is 2"


@pytest.mark.slow
def test_a_job_that_costs_every_worker_its_life_is_given_up_after_four(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    from dask_cluster import running

    with running(tmp_path, 5) as started:
        started.wait_for(5)
        with (
            pytest.raises(TargetError, match=r"every worker that ran inputs 0 to 9 was lost: 4 in turn"),
            cluster(started.address, VERSIONS) as workers,
        ):
            future = workers.executor.submit(os._exit, 3)
            list(gather(workers, {future: 0}, limit_s=120, called=lambda _key: "inputs 0 to 9"))
