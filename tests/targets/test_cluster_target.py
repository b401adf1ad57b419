"""Chunks of inputs on a cluster's workers give the verdict of one computer."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deploy
from deploy.cli.main import run
from deploy.errors import NotInstalledError, TargetError
from deploy.judging.sample_bytes import pack_samples, unpack_samples
from deploy.targets.cluster_target import MOST_BYTES, MOST_SAMPLES, _answers, cut, run_chunk


def samples(count: int, elements: int = 4) -> list[dict[str, Any]]:
    return [{"image": np.full((1, elements), number % 256, np.uint8)} for number in range(count)]


@pytest.mark.parametrize(
    ("count", "slots", "elements"), [(1, 3, 4), (7, 3, 4), (10_000, 2, 4), (50, 1, MOST_BYTES)]
)
def test_chunks_hold_every_sample_once_in_order_and_are_bounded(count: int, slots: int, elements: int) -> None:
    base = np.zeros((1, elements), np.uint8)
    given = [{"image": base, "number": np.array([number])} for number in range(count)]
    chunks = cut(given, slots)
    assert [sample["number"][0] for _, chunk in chunks for sample in chunk] == list(range(count))
    assert all(chunk[0]["number"][0] == first for first, chunk in chunks)
    assert all(1 <= len(chunk) <= MOST_SAMPLES for _, chunk in chunks)
    assert all(len(chunk) == 1 or len(chunk) * elements <= MOST_BYTES for _, chunk in chunks)


def test_samples_survive_as_bytes_whatever_their_names() -> None:
    given = [
        {"file": np.array([1.5], np.float32), "a/b:0": np.array([[True]]), "names": np.int64(number)}
        for number in (3, 4)
    ]
    back = unpack_samples(pack_samples(given))
    for one, other in zip(given, back, strict=True):
        assert list(one) == list(other)
        for name, value in one.items():
            assert np.array_equal(np.asarray(value), other[name])
            assert np.asarray(value).dtype == other[name].dtype


def test_a_worker_with_another_simulator_is_refused() -> None:
    how = {"npu": "U55-128", "fvp": "open", "simulator": ["open", "Open Corstone-300 99"]}
    result = run_chunk(b"", b"", how, pack_samples(samples(1)), 0)
    assert "another simulator" in result["error"]
    with pytest.raises(TargetError, match="another simulator"):
        list(_answers(result, 1))


def test_what_a_worker_cannot_do_keeps_its_kind_of_error_and_fewer_answers_are_none() -> None:
    result = {"error": "no QEMU", "hints": [], "log": [], "exit_status": 3}
    with pytest.raises(NotInstalledError, match="a worker: no QEMU"):
        list(_answers(result, 1))
    short = {"outputs": pack_samples(samples(1)), "counters": [{}], "wall_s": [0.0]}
    with pytest.raises(TargetError, match="1 answers for 2"):
        list(_answers(short, 2))


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.tensorflow
def test_a_worker_killed_in_the_middle_leaves_the_verdict_as_it_is_without_a_cluster(
    built: Path, in_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("distributed")
    from dask_cluster import running

    words = ["run-fvp", str(built), "--fvp", "open", "--count", "40", "--seed", "1", "-q"]
    assert run([*words, "--json", "local.json"]) == 0
    with running(in_folder, workers=3) as cluster:
        killed: list[int] = []
        killer = threading.Thread(
            target=lambda: killed.append(cluster.kill_the_first_at_work("run_chunk", after=4))
        )
        killer.start()
        assert run([*words, "--scheduler", cluster.address, "--json", "cluster.json"]) == 0
        killer.join()
        begun = cluster.begun("run_chunk")
    local, remote = (json.loads(Path(name).read_text()) for name in ("local.json", "cluster.json"))
    timed = {"boot_to_answer", "wall_time"}
    for verdict in (local, remote):
        verdict["figures"] = [figure for figure in verdict["figures"] if figure["name"] not in timed]
    assert remote == local
    assert remote["inputs"] == 40
    executions = Counter(key for _, key in begun)
    again = {key for key, times in executions.items() if times > 1}
    assert again
    assert again <= {key for process, key in begun if process == killed[0]}
    assert [
        record.message for record in caplog.records if "is lost; what it had begun runs again" in record.message
    ]


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.tensorflow
def test_workers_of_another_version_or_without_qemu_or_deploy_are_named_before_anything_boots(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed")
    from dask_cluster import VERSION_VARIABLE, running

    without_qemu = {"PATH": str(in_folder)}
    words = ["run-fvp", str(built), "--fvp", "open", "--count", "4", "-q"]
    with running(in_folder, 1, {VERSION_VARIABLE: "0.0.9"}, without_qemu, {VERSION_VARIABLE: "none"}) as cluster:
        cluster.wait_for(4)
        assert run([*words, "--scheduler", cluster.address]) == 3
        assert cluster.begun("run_chunk") == []
    said = " ".join(capsys.readouterr().err.split())
    assert "3 of 4 workers cannot do this work" in said
    assert len(set(re.findall(r"(tcp://127\.0\.0\.1:\d+): ", said)) - {cluster.address}) == 3
    assert f"ethosu-deploy 0.0.9, here it is {deploy.__version__}" in said
    assert "qemu-system-arm" in said
    assert f"has not ethosu-deploy {deploy.__version__} (" in said
