"""Which points of a sweep no other point beats."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.sweeping.documents import Objective, SweepPoint

_COSTS = (
    ("inference_time", "ms"),
    ("sram_peak", "bytes"),
    ("flash", "bytes"),
    ("dram_peak", "bytes"),
    # Vela's times leave out operators on the CPU: a point with fewer of them is not beaten by one with more.
    ("cpu_operators", "operators"),
)
ACCURACY = "accuracy"


def objectives(points: Sequence[SweepPoint]) -> tuple[Objective, ...]:
    """What points are compared by: time, SRAM and flash; the others where they differ or are known."""
    found = []
    for name, unit in _COSTS:
        values = {point.value(name) for point in points if point.status == "ok"}
        if name in ("inference_time", "sram_peak", "flash") or len(values) > 1:
            found.append(Objective(name=name, unit=unit, better="lower"))
    if any(point.value(ACCURACY) is not None for point in points):
        found.append(Objective(name=ACCURACY, unit="1", better="higher"))
    return tuple(found)


def mark_pareto(points: Sequence[SweepPoint], compared: Sequence[Objective]) -> tuple[SweepPoint, ...]:
    """The points with ``pareto`` set on those that no other dominates; equal points are optimal together."""
    costs = [_costs(point, compared) for point in points]
    usable = [cost for point, cost in zip(points, costs, strict=True) if point.status == "ok"]
    return tuple(
        point.model_copy(
            update={"pareto": point.status == "ok" and not any(_dominates(other, cost) for other in usable)}
        )
        for point, cost in zip(points, costs, strict=True)
    )


def _costs(point: SweepPoint, compared: Sequence[Objective]) -> tuple[float, ...]:
    """Lower is better; an unknown value is worse than any known one."""
    found = []
    for objective in compared:
        value = point.value(objective.name)
        found.append(float("inf") if value is None else value if objective.better == "lower" else -value)
    return tuple(found)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
