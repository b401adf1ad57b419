"""A sweep as a table: columns that tell its points apart, what stands below; for terminal and page alike. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deploy.build_folder import Figure
from deploy.figures import sources_of, title_of
from deploy.sweeping.documents import SweepDocument, SweepPoint
from deploy.sweeping.pareto import ACCURACY

_FORMATS = {
    # Figure: heading, digits behind the point, unit of the heading.
    "inference_time": ("time\nms", 4, 1.0),
    "total_cycles": ("cycles", 0, 1.0),
    "sram_peak": ("SRAM\nKiB", 1, 1024.0),
    "flash": ("flash\nKiB", 1, 1024.0),
    "dram_peak": ("DRAM\nKiB", 1, 1024.0),
    "cpu_operators": ("on\nCPU", 0, 1.0),
}
_ALWAYS = frozenset(["inference_time", "sram_peak", "flash"])
_MOST_SOURCES = 12


@dataclass(frozen=True)
class Column:
    """A column of the table."""

    title: str
    text: Callable[[SweepPoint], str]
    figure: str = ""


def columns(document: SweepDocument) -> list[Column]:
    """The columns that tell points apart, and the figures that any point has."""
    points = document.points
    systems = {(point.npu, point.system_config) for point in points}
    axes = [
        (
            Column("network", lambda point: " ".join(point.assignments) or point.network),
            len({point.network for point in points}) > 1,
        ),
        (Column("NPU", lambda point: point.npu), True),
        (Column("system", _system), len(systems) > len({point.npu for point in points})),
        (Column("memory mode", lambda point: point.memory_mode), len({point.memory_mode for point in points}) > 1),
        (Column("optimise", lambda point: point.optimise), len({point.optimise for point in points}) > 1),
    ]
    found = [axis for axis, tells in axes if tells]
    for name in (*_FORMATS, *_accuracies(document)):
        if name in _ALWAYS or any(point.value(name) for point in points):
            found.append(_figure_column(name))
    if any(point.reason for point in points):
        found.append(Column("reason", lambda point: point.reason or ""))
    return found


def _system(point: SweepPoint) -> str:
    """Without the NPU's family, which stands in the column before."""
    return point.system_config.removeprefix(f"Ethos_{point.npu.partition('-')[0]}_")


def _accuracies(document: SweepDocument) -> list[str]:
    return list(
        dict.fromkeys(
            figure.name
            for point in document.points
            for figure in point.figures
            if figure.name.startswith(ACCURACY)
        )
    )


def _figure_column(name: str) -> Column:
    title, digits, scale = _FORMATS.get(name, (title_of(name), 0, 1.0))
    if name.startswith(ACCURACY):
        title, digits, scale = f"{title_of(name)}\n%", 2, 0.01

    def text(point: SweepPoint) -> str:
        value = point.value(name)
        return "-" if value is None else f"{value / scale:,.{digits}f}"

    return Column(title, text, name)


def remarks(document: SweepDocument) -> list[str]:
    """What stands below the table, one sentence each."""
    names = ", ".join(title_of(objective.name) for objective in document.objectives)
    found = [f"Pareto-optimal: no other point is better in one of {names} and as good in the rest."]
    left_out: dict[tuple[str, str], list[str]] = {}
    for skipped in document.skipped:
        left_out.setdefault((skipped.what, skipped.reason), []).append(skipped.npu)
    found += [f"left out: {what} on {', '.join(npus)}: {reason}" for (what, reason), npus in left_out.items()]
    cached = sum(point.cached for point in document.points)
    if cached:
        found.append(f"{cached} of {len(document.points)} points were known from earlier sweeps.")
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for point in document.points:
        if point.reason:
            words = (point.status, " ".join(point.assignments), point.reason)
            reasons.setdefault(words, []).append(point.npu)
    for (status, network, reason), npus in reasons.items():
        on = ", ".join(dict.fromkeys(npus))
        found.append(f"{status}: {f'{network} on ' if network else ''}{on}: {reason}")
    found += [f"note: {warning}" for warning in document.warnings]
    operators = sorted({operator for point in document.points for operator in point.cpu_operators})
    if operators:
        found.append(f"note: times leave out operators on the CPU ({', '.join(operators)}): Vela estimates none")
    if len({point.system_config for point in document.points}) > 1:
        found.append("Estimates of different system configurations do not compare.")
    figures: list[Figure] = [figure for point in document.points for figure in point.figures]
    return [*found, *sources_of(figures)[:_MOST_SOURCES]]
