"""Builds side by side: differences, which way is better, and what does not compare."""

import pytest
from reporting.compile_documents import build_figures, document, figure, operator

from deploy.reporting.data.comparing import compare, direction, letter


def test_less_is_better_for_costs_and_more_for_accuracy() -> None:
    first = build_figures("a", figure("total_cycles", 200), figure("accuracy_kind", 0.9, "1"))
    second = build_figures("b", figure("total_cycles", 150), figure("accuracy_kind", 0.8, "1"))
    comparison = compare([first, second])
    cycles, accuracy = comparison.row("total_cycles"), comparison.row("accuracy_kind")
    assert cycles and accuracy
    assert (cycles.cells[1].difference, cycles.cells[1].percent, cycles.cells[1].judgement) == (-50, -25, "better")
    assert accuracy.cells[1].difference == pytest.approx(-0.1)
    assert accuracy.cells[1].judgement == "worse"
    assert cycles.cells[0].difference is None and cycles.cells[0].judgement is None


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("sram_peak", "lower"),
        ("cpu_operators", "lower"),
        ("accuracy_garment", "higher"),
        ("top5_accuracy_garment", "higher"),
        ("float_accuracy_garment", "higher"),
        ("npu_operators", "neither"),
        ("core_clock", "neither"),
    ],
)
def test_every_figure_has_a_direction(name: str, better: str) -> None:
    assert direction(name) == better


def test_a_rise_from_zero_has_no_percent_and_equal_values_are_the_same() -> None:
    zero = build_figures("a", figure("cpu_operators", 0, "operators"), figure("flash", 5, "bytes"))
    some = build_figures("b", figure("cpu_operators", 2, "operators"), figure("flash", 5, "bytes"))
    comparison = compare([zero, some])
    operators, flash = comparison.row("cpu_operators"), comparison.row("flash")
    assert operators and flash
    assert (operators.cells[1].percent, operators.cells[1].judgement) == (None, "worse")
    assert (flash.cells[1].percent, flash.cells[1].judgement) == (0, "same")


def test_a_figure_that_one_build_lacks_is_shown_without_a_difference() -> None:
    comparison = compare([build_figures("a"), build_figures("b", figure("accuracy_kind", 0.8, "1", "simulated"))])
    row = comparison.row("accuracy_kind")
    assert row
    assert [cell.value for cell in row.cells] == [None, 0.8]
    assert row.cells[1].judgement is None and row.cells[1].label == "simulated"
    assert comparison.row("nothing") is None


def test_every_build_is_compared_with_the_first() -> None:
    builds = [
        build_figures(name, figure("flash", value, "bytes")) for name, value in (("a", 10), ("b", 12), ("c", 9))
    ]
    row = compare(builds).row("flash")
    assert row
    assert [cell.difference for cell in row.cells] == [None, 2, -1]


def test_other_settings_labels_inputs_and_cpu_operators_are_noted() -> None:
    first = build_figures(
        "a",
        figure("accuracy_kind", 0.9, "1", "measured", "200 inputs"),
        figure("flash", 1, "bytes"),
        inputs={"accuracy_kind": "x"},
    )
    other = document(
        operator(0, cpu=True),
        npu="U65-256",
        memory_mode="Dedicated_Sram",
        system_config="Ethos_U65_High_End",
        versions={"ethos-u-vela": "5.1.0"},
        source_sha256="other",
    )
    second = build_figures(
        "b",
        figure("accuracy_kind", 0.9, "1", "simulated", "16 inputs"),
        figure("flash", 1, "bytes"),
        of=other,
        inputs={"accuracy_kind": "y"},
    )
    assert compare([first, second]).notes == (
        "different NPUs: A U55-128, B U65-256",
        "different system configurations: A Ethos_U55_High_End_Embedded, B Ethos_U65_High_End",
        "different memory modes: A Shared_Sram, B Dedicated_Sram",
        "different Vela versions: A 5.2.0, B 5.1.0",
        "the quantized models differ, though they have the same name",
        "time and cycles leave out the operators on the CPU (1 in B)",
        "accuracy_kind is measured in A, simulated in B",
        "accuracy_kind was not taken with the same inputs (A: 200 inputs, B: 16 inputs)",
    )
    assert compare([first, first]).notes == ()


def test_letters_do_not_run_out() -> None:
    assert [letter(i) for i in (0, 25, 26, 53)] == ["A", "Z", "A1", "B2"]
