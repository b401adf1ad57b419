"""Sweeps on a real Dask cluster: nothing lost and nothing twice, whatever happens to a worker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import interruptible
import pytest
from dask_cluster import Cluster, running

from deploy.cli.main import run

pytest.importorskip("distributed")
pytestmark = [pytest.mark.tensorflow]  # the model that is compiled is quantized by a fixture

JOB = "compile_point"
TWENTY_POINTS = ("--npu", "U55-32,U55-64,U55-128,U55-256,U65-256,U65-512", "--memory-mode", "all", "-q")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running(tmp_path, workers=3) as started:
        yield started


def points(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text())["points"]
    return found


def without_cache(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**point, "cached": None} for point in found]


def test_a_worker_killed_in_the_middle_costs_its_own_jobs_and_nothing_is_lost_or_twice(
    tiny_tflite: Path, cluster: Cluster, in_folder: Path
) -> None:
    words = ["sweep", str(tiny_tflite), *TWENTY_POINTS]
    assert run([*words, "-o", "local"]) == 0
    killed: list[int] = []
    killer = threading.Thread(target=lambda: killed.append(cluster.kill_the_first_at_work(JOB, after=4)))
    killer.start()
    assert run([*words, "--scheduler", cluster.address, "-o", "remote"]) == 0
    killer.join()
    remote = points(Path("remote/sweep.json"))
    assert without_cache(remote) == without_cache(points(Path("local/sweep.json")))
    assert not any(point["cached"] for point in remote)
    assert len(list(Path("remote/cache").glob("point-*.json"))) == len(remote) == 20
    begun = cluster.begun(JOB)
    executions = Counter(key for _, key in begun)
    assert len(executions) == 20
    again = {key for key, times in executions.items() if times > 1}
    # Only what the lost worker had begun was begun again, and once.
    assert again, "the worker was killed while it worked"
    assert again <= {key for process, key in begun if process == killed[0]}
    assert all(executions[key] == 2 for key in again)
    # The next sweep asks the cluster for nothing.
    assert run([*words, "--scheduler", cluster.address, "-o", "remote"]) == 0
    assert len(cluster.begun(JOB)) == len(begun)


@pytest.mark.slow
def test_a_sweep_killed_on_a_cluster_goes_on_with_what_is_missing(
    tiny_tflite: Path, cluster: Cluster, in_folder: Path
) -> None:
    words = ["sweep", str(tiny_tflite), *TWENTY_POINTS, "-o", "out", "--scheduler", cluster.address]
    process = subprocess.Popen([sys.executable, "-P", "-m", "deploy", *words])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(Path("out/cache").glob("point-*.json"))) < 4:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {file: file.stat().st_ino for file in Path("out/cache").glob("point-*.json")}
    assert 4 <= len(kept) < 20
    assert run(words) == 0
    assert sum(point["cached"] for point in points(Path("out/sweep.json"))) == len(kept)
    assert {file: file.stat().st_ino for file in kept} == kept


@pytest.mark.slow
def test_ctrl_c_ends_the_sweep_at_once_and_cancels_its_jobs(
    tiny_tflite: Path, cluster: Cluster, in_folder: Path
) -> None:
    words = ["sweep", str(tiny_tflite), *TWENTY_POINTS, "-o", "out", "--scheduler", cluster.address]
    process = interruptible.started([sys.executable, "-P", "-m", "deploy", *words])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(cluster.begun(JOB)) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    time.sleep(3)
    begun = len(cluster.begun(JOB))
    time.sleep(3)
    assert len(cluster.begun(JOB)) == begun < 20


@pytest.mark.slow
def test_a_cluster_without_workers_left_is_an_error_in_bounded_time(
    tiny_tflite: Path,
    cluster: Cluster,
    in_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deploy.dask_cluster._SILENCE_S", 4.0)
    monkeypatch.setattr("deploy.dask_cluster._ASK_S", 1.0)

    def kill_all() -> None:
        cluster.kill_the_first_at_work(JOB)
        for worker in cluster.workers:
            worker.kill()

    killer = threading.Thread(target=kill_all)
    killer.start()
    words = ["sweep", str(tiny_tflite), *TWENTY_POINTS, "-o", "out", "--scheduler", cluster.address]
    assert run(words) == 4
    killer.join()
    assert "no workers are left" in capsys.readouterr().err


@pytest.mark.slow
def test_a_scheduler_that_ends_is_an_error_in_bounded_time(
    tiny_tflite: Path, cluster: Cluster, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def kill() -> None:
        cluster.kill_the_first_at_work(JOB)
        cluster.scheduler.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    words = ["sweep", str(tiny_tflite), *TWENTY_POINTS, "-o", "out", "--scheduler", cluster.address]
    started = time.monotonic()
    assert run(words) == 4
    assert time.monotonic() - started < 120
    killer.join()
    assert "scheduler" in capsys.readouterr().err
