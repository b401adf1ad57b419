"""Hostile input: mutated streams give a result or one of our errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from . import fuzzing


def run_limited(seed: int, count: int, *victims: str) -> str:
    """The fuzzer in a process of its own, with its limits on memory and time."""
    tests = Path(fuzzing.__file__).parent.parent
    environment = {"OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(tests)}
    done = subprocess.run(
        [sys.executable, "-m", "npu.fuzzing", str(seed), str(count), *victims],
        capture_output=True,
        text=True,
        timeout=900,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_stream_for_u85_works_before_it_is_mutated() -> None:
    victim = fuzzing.u85_victim()
    arena = fuzzing.np.zeros(fuzzing.REGION_BYTES, "u1")
    statistics = fuzzing.execute(victim.stream, {0: victim.constants, 1: arena}, victim.architecture)
    assert statistics.stopped
    assert (statistics.operations, len(statistics.records)) == (9, 11)
    assert statistics.cycles > 0


def test_the_streams_work_before_they_are_mutated() -> None:
    for victim in fuzzing.victims():
        arena = fuzzing.np.zeros(fuzzing.REGION_BYTES, "u1")
        regions = {0: victim.constants, 1: arena}
        statistics = fuzzing.execute(victim.stream, regions, victim.architecture)
        assert statistics.stopped
        assert (statistics.operations, len(statistics.records) - statistics.operations) == (7, 1)


def test_mutated_streams_give_a_result_or_one_of_our_errors() -> None:
    outcomes = run_limited(0, 250, "u55", "u85")
    # The mutations reach both.
    assert "result" in outcomes
    assert "StreamError" in outcomes


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_mutated_streams_give_a_result_or_one_of_our_errors(seed: int) -> None:
    run_limited(seed, 1000, "u55", "u85")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_mutated_streams_that_vela_wrote_for_u85_do_as_well(seed: int) -> None:
    run_limited(seed, 1000, "compiled")
