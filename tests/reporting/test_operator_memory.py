"""SRAM in use while each operator runs: what Vela allocated, up to the highest address."""

from __future__ import annotations

from deploy.build_folder import BuildFolder
from deploy.debug_database import CONSTANT, DebugDatabase
from deploy.reporting.data.operator_memory import sram_of_operators
from deploy.reporting.data.operators import MEMORIES, OperatorSchedule, read_schedule
from deploy.reporting.data.report import collect


def test_it_is_the_highest_address_of_what_lives_in_the_steps_of_the_operator(residual: BuildFolder) -> None:
    schedule = read_schedule(residual.debug, MEMORIES)
    found = sram_of_operators(residual.debug, schedule)
    assert set(found) <= {operator.index for operator in residual.document.operators}
    for index, taken in found.items():
        expected = max(
            (
                tensor.address + tensor.size
                for tensor in residual.debug.allocations
                for step in schedule[index].steps
                if tensor.memory == "Sram" and tensor.usage != CONSTANT and tensor.first <= step <= tensor.last
            ),
            default=0,
        )
        assert taken == expected > 0


def test_the_largest_is_the_peak(residual: BuildFolder) -> None:
    (memory,) = collect(residual).memories
    found = sram_of_operators(residual.debug, read_schedule(residual.debug, MEMORIES))
    assert max(found.values()) == memory.peak


def test_without_velas_debug_database_nothing_is_known() -> None:
    assert sram_of_operators(DebugDatabase(""), {0: OperatorSchedule()}) == {}
