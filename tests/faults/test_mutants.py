"""Hostile models, from file to verdict: each gets a verdict or one of our errors, and none takes above 2 GB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from npu.written_networks import written_networks

from . import mutants

WRITTEN = ("prelu_channels", "tile", "lstm_fused", "relu_0_to_1_rescaled")


@pytest.fixture(scope="module")
def victims(tiny_tflite: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("victims")
    written = {network.name: network for network in written_networks()}
    for name in WRITTEN:
        (folder / f"{name}.tflite").write_bytes(written[name].convert())
    return [tiny_tflite, *sorted(folder.iterdir())]


def outcomes(part: str, seed: int, count: int, victims: list[Path]) -> dict[str, int]:
    """What became of mutants, in a process of their own, whose memory is counted."""
    words = [sys.executable, "-m", "faults.mutants", part, str(seed), str(count), *map(str, victims)]
    tests = Path(mutants.__file__).parents[1]
    done = subprocess.run(words, cwd=tests, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("peak_mb") < mutants.MOST_BYTES >> 20
    assert sum(found.values()) == 2 * found["mutants"]
    return found


def test_the_memory_of_mutants_is_theirs_and_not_that_of_who_started_them() -> None:
    much = bytearray(400 << 20)
    words = [sys.executable, "-c", "from faults import mutants; print(mutants.peak_bytes())"]
    tests = Path(mutants.__file__).parents[1]
    done = subprocess.run(words, cwd=tests, capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) < len(much)


@pytest.mark.parametrize(("part", "count"), [("source", 20), ("compiled", 40)])
def test_a_mutant_gets_a_verdict_or_one_of_our_errors(part: str, count: int, victims: list[Path]) -> None:
    found = outcomes(part, 0, count, victims)
    assert found["BadInputError"] > 0
    assert found["pass"] + found.get("fail", 0) > 0  # the mutations reach both


@pytest.mark.slow
@pytest.mark.parametrize("part", ["source", "compiled"])
@pytest.mark.parametrize("seed", range(5))
def test_many_mutants_get_a_verdict_or_one_of_our_errors(part: str, seed: int, victims: list[Path]) -> None:
    outcomes(part, seed, 500 if part == "source" else 1000, victims)
