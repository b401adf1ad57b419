"""``make faults``: the table holds what the tests of faults found, and what broke before it found anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from .__main__ import Results
from .campaign import FAULTS, table

CHECKOUT = Path(__file__).resolve().parents[2]


def make_faults(expression: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "tests.faults", expression]
    return subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_faults_are_injected_and_counted_by_stage() -> None:
    done = make_faults("report and (gone or nan)")
    assert done.returncode == 0, done.stdout + done.stderr
    counted = {line.split()[0]: line.split()[1:4] for line in done.stdout.splitlines()}
    assert (counted["report"], counted["numbers"], counted["all"]) == (["1"] * 3, ["1"] * 3, ["2"] * 3)
    assert "numbers: report --fail-on cycles+nan%" in done.stdout


def test_a_campaign_without_a_fault_is_no_success() -> None:
    assert make_faults("none_is_called_so").returncode != 0


def test_a_fault_that_was_never_injected_counts_as_undetected() -> None:
    results = Results()
    nodeid = f"test_faults.py::test_the_fault_is_detected_and_nothing_is_left[{FAULTS[0].name}]"
    for outcome, when in (("failed", "setup"), ("skipped", "setup"), ("failed", "call")):
        report = pytest.TestReport(nodeid, ("", 0, ""), {}, outcome, "no model was made", when)  # type: ignore[arg-type]
        results.pytest_runtest_logreport(report)
    assert [result.undetected.partition(":")[0] for result in results.found] == ["failed", "skipped", "failed"]
    assert f"{FAULTS[0].name}: failed: no model was made" in table(results.found)
