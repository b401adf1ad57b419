"""The facts that everybody asks for: what runs where, time, memory against what there is, right answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.build_folder import BuildFolder
from deploy.reporting.data.key_facts import KeyFact, key_facts
from deploy.reporting.data.report import Report, collect


def facts(report: Report) -> dict[str, KeyFact]:
    return {fact.title: fact for fact in key_facts(report)}


def test_a_network_on_the_npu_alone(residual: BuildFolder) -> None:
    found = facts(collect(residual))
    assert list(found) == [
        "Operators on the NPU",
        "Time per inference",
        "Working memory",
        "Storage",
        "Right answers",
    ]
    placement, time = found["Operators on the NPU"], found["Time per inference"]
    assert (placement.value, placement.share) == ("16 of 16", 1.0)
    assert time.label == "estimate" and time.value.endswith(" ms")
    milliseconds = float(time.value.split()[0])
    assert float(time.said.split(" a second")[0].replace(",", "")) == pytest.approx(1000 / milliseconds, rel=0.01)
    assert found["Right answers"].label == "simulated"


def test_operators_on_the_cpu_are_named_and_the_time_says_that_it_leaves_them_out(
    partly_on_cpu: BuildFolder,
) -> None:
    found = facts(collect(partly_on_cpu))
    assert found["Operators on the NPU"].said == "on the CPU: QUANTIZE, DEQUANTIZE"
    assert found["Time per inference"].said.endswith("operators on the CPU not counted")


@pytest.mark.parametrize(
    ("limit", "said", "alarming"),
    [(10**6, "of the 976", False), (55_000, "nearly all", False), (50_000, "more", True)],
)
def test_memory_is_held_against_what_there_is(
    residual: BuildFolder, limit: int, said: str, alarming: bool
) -> None:
    memory = facts(replace(collect(residual), sram_limit=limit))["Working memory"]
    assert memory.said.startswith(said)
    assert memory.alarming == alarming
    assert memory.share is not None and 0 < memory.share <= 1


def test_where_nobody_knows_how_much_memory_there_is_there_is_no_share(residual: BuildFolder) -> None:
    memory = facts(replace(collect(residual), sram_limit=None))["Working memory"]
    assert (memory.share, memory.said) == (None, "of SRAM at the peak")
