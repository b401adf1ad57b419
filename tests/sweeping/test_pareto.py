"""Pareto-optimal points are those that no other beats."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.build_folder import Figure
from deploy.sweeping.documents import Status, SweepPoint
from deploy.sweeping.pareto import mark_pareto, objectives


def point(
    time: float,
    sram: float = 1,
    flash: float = 1,
    accuracy: float | None = None,
    cpu: int = 0,
    status: Status = "ok",
) -> SweepPoint:
    values = {"inference_time": time, "sram_peak": sram, "flash": flash, "dram_peak": 0, "cpu_operators": cpu}
    if accuracy is not None:
        values["accuracy"] = accuracy
    return SweepPoint(
        network="n",
        assignments=(),
        npu="U55-128",
        system_config="s",
        memory_mode="m",
        optimise="Size",
        status=status,
        figures=tuple(Figure(name=k, value=v, unit="", label="estimate") for k, v in values.items()),
    )


def optimal(*points: SweepPoint) -> list[bool]:
    return [marked.pareto for marked in mark_pareto(points, objectives(points))]


def test_faster_with_more_sram_and_slower_with_less_are_both_optimal_and_worse_in_both_is_not() -> None:
    assert optimal(point(1, 9), point(2, 5), point(3, 6)) == [True, True, False]


def test_accuracy_counts_the_other_way_round() -> None:
    assert optimal(point(1, accuracy=0.8), point(2, accuracy=0.9), point(3, accuracy=0.7)) == [True, True, False]


def test_a_point_that_does_not_fit_neither_wins_nor_beats() -> None:
    assert optimal(point(1, status="does not fit"), point(2)) == [False, True]


def test_a_time_without_the_operators_on_the_cpu_does_not_beat_one_that_has_them_on_the_npu() -> None:
    assert optimal(point(1, cpu=2), point(2, cpu=0)) == [True, True]


def test_equal_points_are_optimal_together() -> None:
    assert optimal(point(1), point(1)) == [True, True]


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=30))
def test_every_point_is_optimal_or_beaten_by_an_optimal_one(values: list[tuple[int, ...]]) -> None:
    marks = optimal(*(point(*value) for value in values))
    assert any(marks)
    best = [value for value, mark in zip(values, marks, strict=True) if mark]
    for value, mark in zip(values, marks, strict=True):
        beaten = any(other != value and all(a <= b for a, b in zip(other, value, strict=True)) for other in best)
        assert beaten != mark
