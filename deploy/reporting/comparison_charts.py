"""The charts of a comparison, as Vega-Lite documents: figures, operators, memory, flash and traffic of each build.

Builds have a colour each; better and worse have colours and words, for those who see no colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.reporting.charts import Chart, Spec, bytes_axis, document, limit_colour
from deploy.reporting.comparing import FigureRow
from deploy.reporting.content import FlashPart, MemoryMap, OperatorRow, Traffic
from deploy.reporting.difference_words import judged_words
from deploy.reporting.memory_chart import time_title
from deploy.reporting.roofline import UNKNOWN
from deploy.tables import format_bytes, title_of

BUILD_COLOURS = ("#4477aa", "#ee7733", "#228833", "#aa3377", "#ccbb44", "#66ccee", "#999933", "#999999")
"""Paul Tol's, one a build: distinct for colour-blind readers, on white and on black."""

JUDGED_COLOURS = {"better": "#228833", "worse": "#cc3311", "changed": "#999999"}
MOST_PAIRS = 150
"""Most operators of a chart."""

MOST_CHANGES = 20
"""Most operators of the chart of differences."""

_RATIO = "datum.value == 1 ? 'as A' : format(datum.value, '.3~g') + ' x'"


def figures_chart(key: str, letter: str, rows: Sequence[FigureRow], index: int) -> Chart | None:
    """How many times as much a figure is in one build as in the first; None where nothing differs.

    Args:
        key: of the chart.
        letter: of the build.
        rows: figures.
        index: position of the build.
    """
    values: list[dict[str, Any]] = []
    for row in rows:
        base, cell = row.cells[0].value, row.cells[index]
        if base and cell.value and base * cell.value > 0 and cell.judgement not in (None, "same"):
            told, ratio = judged_words(row, cell) or str(cell.judgement), cell.value / base
            values.append({"figure": title_of(row.name), "ratio": ratio, "judged": cell.judgement, "told": told})
    if not values:
        return None
    values.sort(key=lambda value: -value["ratio"])
    reach = 1.1 * max(1.4, *(max(value["ratio"], 1 / value["ratio"]) for value in values))
    x = {
        "field": "ratio",
        "type": "quantitative",
        "title": f"{letter} / A, logarithmic",
        "scale": {"type": "log", "domain": [1 / reach, reach], "nice": False},
        "axis": {"labelExpr": _RATIO, "values": _ratio_ticks(reach), "labelOverlap": "greedy"},
    }
    summary = f"Figures of {letter} that differ from A, as a multiple: " + ", ".join(
        f"{value['figure']} {value['told']}" for value in values[:6]
    )
    return Chart(key, f"{summary}.", document(_judged_bars(values, "figure", x, base=1), height=26 * len(values)))


def pairs_chart(
    key: str,
    letter: str,
    pairs: Sequence[tuple[OperatorRow | None, OperatorRow | None]],
    most: int = MOST_PAIRS,
) -> Chart | None:
    """Cycles of each operator in A against those in another build, in execution order.

    Args:
        key: of the chart.
        letter: of the other build.
        pairs: what an operator is in A and there, in execution order; None where it is not.
        most: operators to draw; of more those that take most cycles in either build.
    """
    costly = sorted((pair for pair in pairs if _most(pair)), key=lambda pair: -_most(pair))[:most]
    kept = {id(pair) for pair in costly}
    shown = [pair for pair in pairs if id(pair) in kept]
    if not shown:
        return None
    values = [
        {
            "operator": pair_label(pair),
            "build": name,
            "type": row.type,
            "output": row.name,
            "cycles": row.cycles or 0,
            "limited by": row.limit or UNKNOWN,
            "runs on": row.placement,
        }
        for pair in shown
        for name, row in zip(("A", letter), pair, strict=True)
        if row is not None
    ]
    spec = {
        "data": {"values": values},
        "mark": {"type": "bar", "tooltip": {"content": "data"}},
        "encoding": {
            "x": {
                "field": "operator",
                "type": "ordinal",
                "sort": [pair_label(pair) for pair in shown],
                "title": f"operator, in execution order (in A, or in A/{letter} where they differ)",
                "axis": {"labelAngle": 0, "labelOverlap": "greedy", "ticks": False},
            },
            "xOffset": {"field": "build", "sort": ["A", letter]},
            "y": {"field": "cycles", "type": "quantitative", "title": "cycles", "axis": {"format": "~s"}},
            "color": _build_colour(["A", letter]),
        },
    }
    summary = f"Cycles of {len(shown)} operators, A beside {letter}."
    return Chart(key, summary, document(spec, height=240))


def changes_chart(
    key: str, letter: str, pairs: Sequence[tuple[OperatorRow | None, OperatorRow | None]]
) -> Chart | None:
    """The operators whose cycles differ most, the largest difference first; None where none differs."""
    differing = [(pair, _cycles(pair[1]) - _cycles(pair[0])) for pair in pairs]
    changed = sorted((item for item in differing if item[1]), key=lambda item: -abs(item[1]))[:MOST_CHANGES]
    if not changed:
        return None
    values = []
    for pair, more in changed:
        row = pair[1] or pair[0]
        assert row is not None  # noqa: S101 - one of them is there
        values.append(
            {
                "operator": f"{pair_label(pair)} {row.type}",
                "output": row.name,
                "cycles": more,
                "judged": "worse" if more > 0 else "better",
                "told": f"{more:+,} {'worse' if more > 0 else 'better'}",
            }
        )
    reach = max(abs(more) for _, more in changed)
    x = {
        "field": "cycles",
        "type": "quantitative",
        "title": f"cycles in {letter} minus cycles in A",
        "scale": {"domain": [-1.05 * reach, 1.05 * reach], "nice": False},
        "axis": {"format": "~s", "tickCount": 5},
    }
    summary = f"The {len(values)} operators whose cycles differ most between A and {letter}."
    return Chart(key, summary, document(_judged_bars(values, "operator", x, base=0), height=24 * len(values)))


def limits_chart(operators: Mapping[str, Sequence[OperatorRow]]) -> Chart | None:
    """How many cycles of each build go to operators that are limited by what."""
    values = []
    for letter, rows in operators.items():
        sums: dict[str, int] = {}
        for row in rows:
            if row.cycles:
                sums[row.limit or UNKNOWN] = sums.get(row.limit or UNKNOWN, 0) + row.cycles
        values += [{"build": letter, "limit": limit, "cycles": cycles} for limit, cycles in sums.items()]
    if not values:
        return None
    spec = {
        "data": {"values": values},
        "mark": {"type": "bar", "tooltip": {"content": "data"}},
        "encoding": {
            "y": {"field": "build", "type": "nominal", "sort": list(operators), "title": None},
            "x": {
                "field": "cycles",
                "type": "quantitative",
                "title": "cycles, by what limits the operators",
                "axis": {"format": "~s", "tickCount": 6},
            },
            "color": limit_colour(str(value["limit"]) for value in values),
        },
    }
    summary = f"Cycles of {_listed(list(operators))} by what limits the operators."
    return Chart("limits", summary, document(spec, height=32 * len(operators)))


def memory_over_time(memory: str, maps: Mapping[str, MemoryMap]) -> Chart:
    """How much of a memory is in use over the cycles of an inference, a line a build.

    Args:
        memory: ``SRAM`` or ``DRAM``.
        maps: letter of the build -> its map.
    """
    letters = list(maps)
    values = [
        {"build": letter, "cycles": at, "bytes": used} for letter, one in maps.items() for at, used in in_use(one)
    ]
    most = 1.08 * max(one.peak for one in maps.values())
    spec = {
        "data": {"values": values},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.6, "tooltip": {"content": "data"}},
        "encoding": {
            "x": {
                "field": "cycles",
                "type": "quantitative",
                "title": time_title(max(one.cpu_cycles for one in maps.values())),
                "axis": {"format": "~s", "tickCount": 8},
                "scale": {"nice": False},
            },
            "y": {
                "field": "bytes",
                "type": "quantitative",
                "title": f"highest {memory} address in use",
                "axis": bytes_axis(most),
                "scale": {"domain": [0, most], "nice": False},
            },
            "color": _build_colour(letters),
        },
    }
    peaks = ", ".join(f"{letter} {format_bytes(one.peak)}" for letter, one in maps.items())
    return Chart(
        f"{memory.lower()}-over-time", f"{memory} in use over time; peaks: {peaks}.", document(spec, height=220)
    )


def in_use(memory: MemoryMap) -> list[tuple[int, int]]:
    """(cycle, highest address in use from then on), where it changes and at the end."""
    steps = sorted({0, memory.steps} | {t.start for t in memory.tensors} | {t.end + 1 for t in memory.tensors})
    points: dict[int, int] = {}
    for step in steps:
        live = (tensor.address + tensor.size for tensor in memory.tensors if tensor.start <= step <= tensor.end)
        at, used = memory.clock[step], max(live, default=0)
        # Of steps that take no cycles the most counts: it is what has to fit.
        points[at] = max(points.get(at, 0), used)
    points[memory.clock[-1]] = 0
    return sorted(points.items())


def flash_chart(parts: Mapping[str, Sequence[FlashPart]]) -> Chart | None:
    """What the compiled models are made of, side by side."""
    names = list(dict.fromkeys(part.name for build in parts.values() for part in build))
    values = [
        {"part": part.name, "build": letter, "bytes": part.size}
        for letter, build in parts.items()
        for part in build
    ]
    if not values:
        return None
    most = max(part.size for build in parts.values() for part in build)
    letters = list(parts)
    spec = {
        "data": {"values": values},
        "mark": {"type": "bar", "tooltip": {"content": "data"}},
        "encoding": {
            "y": {"field": "part", "type": "nominal", "sort": names, "title": None, "axis": {"labelLimit": 150}},
            "yOffset": {"field": "build", "sort": letters},
            "x": {"field": "bytes", "type": "quantitative", "title": None, "axis": bytes_axis(most)},
            "color": _build_colour(letters),
        },
    }
    summary = f"Parts of the compiled model files of {_listed(letters)}."
    return Chart("flash", summary, document(spec, height=(10 + 14 * len(letters)) * len(names)))


def traffic_chart(traffic: Mapping[str, Sequence[Traffic]]) -> Chart | None:
    """Bytes that an inference moves, per memory, in each build."""
    memories = list(dict.fromkeys(item.memory for build in traffic.values() for item in build))
    letters = list(traffic)
    values = [
        {
            "memory": memory,
            "build": letter,
            "bytes": sum(item.size for item in build if item.memory == memory),
            **{item.purpose: item.size for item in build if item.memory == memory},
        }
        for memory in memories
        for letter, build in traffic.items()
    ]
    if not values:
        return None
    most = max(float(str(value["bytes"])) for value in values)
    spec = {
        "data": {"values": values},
        "mark": {"type": "bar", "tooltip": {"content": "data"}},
        "encoding": {
            "y": {"field": "memory", "type": "nominal", "sort": memories, "title": None},
            "yOffset": {"field": "build", "sort": letters},
            "x": {
                "field": "bytes",
                "type": "quantitative",
                "title": "bytes per inference",
                "axis": bytes_axis(most),
            },
            "color": _build_colour(letters),
        },
    }
    summary = f"Bytes that an inference moves in {_listed(letters)}, per memory."
    return Chart("traffic", summary, document(spec, height=(10 + 14 * len(letters)) * len(memories)))


def pair_label(pair: tuple[OperatorRow | None, OperatorRow | None]) -> str:
    """``7`` where an operator has the same place in both, ``7/9``, ``7/-`` where it disappeared, ``-/9``."""
    before, after = pair
    if before is not None and after is not None and before.index == after.index:
        return str(before.index)
    return "/".join("-" if row is None else str(row.index) for row in pair)


def _judged_bars(values: Sequence[Mapping[str, Any]], name: str, x: Spec, *, base: float) -> Spec:
    """Bars to both sides of ``base``, coloured by ``judged``, with the words ``told`` across from each bar."""
    present = [judgement for judgement in JUDGED_COLOURS if any(v["judged"] == judgement for v in values)]
    colour = {
        "field": "judged",
        "type": "nominal",
        "scale": {"domain": present, "range": [JUDGED_COLOURS[judgement] for judgement in present]},
    }
    bars: Spec = {
        "mark": {"type": "bar", "tooltip": {"content": "data"}},
        "encoding": {"x": x, "x2": {"datum": base}, "color": colour},
    }
    texts: list[Spec] = [
        {
            "transform": [{"filter": f"datum.{x['field']} {sign} {base}"}],
            "mark": {"type": "text", "align": align, "dx": offset, "fontSize": 11, "tooltip": None},
            "encoding": {"x": {"datum": base}, "text": {"field": "told"}},
        }
        for sign, align, offset in ((">", "right", -4), ("<", "left", 4))
    ]
    y = {"field": name, "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 160}}
    return {"data": {"values": values}, "encoding": {"y": y}, "layer": [bars, *texts]}


def _ratio_ticks(reach: float) -> list[float]:
    steps = (1.25, 1.5, 2) if reach <= 3 else (2, 5, 10) if reach <= 20 else (10, 100, 1000, 10_000)
    found = [step for step in steps if step <= reach]
    return [*(1 / step for step in reversed(found)), 1, *found]


def _cycles(row: OperatorRow | None) -> int:
    return (row.cycles or 0) if row is not None else 0


def _most(pair: tuple[OperatorRow | None, OperatorRow | None]) -> int:
    return max(map(_cycles, pair))


def _build_colour(letters: Sequence[str]) -> Spec:
    colours = [BUILD_COLOURS[_place(letter)] for letter in letters]
    return {"field": "build", "type": "nominal", "scale": {"domain": list(letters), "range": colours}}


def _place(letter: str) -> int:
    return (ord(letter[0]) - ord("A")) % len(BUILD_COLOURS)


def _listed(letters: Sequence[str]) -> str:
    return " and ".join([", ".join(letters[:-1]), letters[-1]] if len(letters) > 1 else letters)
