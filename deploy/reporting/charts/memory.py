"""Memory over time: every live tensor a rectangle, the peak and the limit marked; and how builds differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deploy.figures import format_bytes
from deploy.reporting.charts.vega import (
    TEXT,
    TOLD,
    Chart,
    Spec,
    at,
    build_colour,
    bytes_axis,
    coloured,
    document,
    quantity,
)
from deploy.reporting.data.memory_map import MemoryMap
from deploy.reporting.data.report import Report
from deploy.reporting.data.side_by_side import SideBySide

_HEIGHT = 320
_COLOURS = {"feature map": "#4477aa", "weight buffer": "#ccbb44"}
_FARTHEST_LIMIT = 4
"""A limit beyond so many times the peak is told in words: drawn to scale it would flatten everything else."""

_MOST_TENSORS_OF_ALL = 600
"""Most tensors of a memory that are drawn, of all builds of a comparison together."""

_TIME_AXIS = {"format": "~s", "tickCount": 8}


def memory_maps(report: Report) -> Iterator[Chart]:
    """SRAM and DRAM over the cycles of Vela's schedule."""
    for memory in report.memories:
        yield _map(memory, f"memory-{memory.memory.lower()}", f"memory-{memory.memory}")


def memory_maps_compared(builds: SideBySide) -> Iterator[Chart]:
    """The same of each build; all of one memory on the same scales."""
    for name, maps in builds.memories.items():
        most = _MOST_TENSORS_OF_ALL // len(maps)
        highest, cycles = max(map(_highest_drawn, maps.values())), max(one.clock[-1] for one in maps.values())
        for letter, memory in maps.items():
            largest = sorted(memory.tensors, key=lambda tensor: -tensor.size)[:most]
            kept = replace(memory, tensors=tuple(sorted(largest, key=lambda tensor: tensor.start)))
            chart = _map(kept, f"memory-{name.lower()}-{letter.lower()}", f"maps-{name}", highest, cycles)
            yield replace(chart, title=f"{name} of {letter}")


def memory_over_time(builds: SideBySide) -> Iterator[Chart]:
    """How much of a memory is in use over the cycles of an inference, a line a build."""
    for name, maps in builds.memories.items():
        values = [
            {"build": letter, "cycles": at, "bytes": used}
            for letter, memory in maps.items()
            for at, used in memory.in_use
        ]
        most = 1.08 * max(memory.peak for memory in maps.values())
        time = _time_title(max(memory.cpu_cycles for memory in maps.values()))
        addresses = {"domain": [0, most], "nice": False}
        spec = {
            "data": {"values": values},
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.6, "tooltip": TOLD},
            "encoding": {
                "x": quantity("cycles", time, axis=_TIME_AXIS, scale={"nice": False}),
                "y": quantity("bytes", f"highest {name} address in use", axis=bytes_axis(most), scale=addresses),
                "color": build_colour(list(maps)),
            },
        }
        peaks = ", ".join(f"{letter} {format_bytes(memory.peak)}" for letter, memory in maps.items())
        summary = f"{name} in use over time; peaks: {peaks}."
        yield Chart(f"{name.lower()}-over-time", f"memory-{name}", summary, document(spec, height=220))


def _map(memory: MemoryMap, key: str, place: str, highest: int = 0, cycles: int = 0) -> Chart:
    """The map of one memory; its axes reach at least to ``highest`` and ``cycles``, so that neighbours compare."""
    limit = _near_limit(memory)
    top = 1.08 * max(_highest_drawn(memory), highest)
    clock, total = memory.clock, max(memory.clock[-1], cycles, 1)
    values = [
        {
            "tensor": tensor.name,
            "kind": tensor.kind,
            "from": clock[tensor.start],
            "end": clock[tensor.end + 1],
            "steps": f"{tensor.start} to {tensor.end}",
            "share": round((clock[tensor.end + 1] - clock[tensor.start]) / total, 4),
            "low": tensor.address,
            "high": tensor.address + tensor.size,
            "bytes": tensor.size,
            "written by": memory.operators.get(tensor.start, ""),
            "pixels": round(_HEIGHT * tensor.size / top),
        }
        for tensor in memory.tensors
    ]
    numbers = {field: {"type": "quantitative", "format": ",d"} for field in ("bytes", "low", "from", "end")}
    told = ("tensor", "kind", "written by", *numbers, "steps")
    tooltip = [{"field": field, **numbers.get(field, {"type": "nominal"})} for field in told]
    time = {"domain": [0, total], "nice": False}
    x = quantity("from", _time_title(memory.cpu_cycles), axis=_TIME_AXIS, scale=time)
    addresses = {"domain": [0, top], "nice": False}
    rectangles: Spec = {
        "name": "tensors",
        "mark": {"type": "rect", "strokeWidth": 0.6, "stroke": "#ffffff", "strokeOpacity": 0.6},
        "encoding": {
            "x": x,
            "x2": {"field": "end"},
            "y": quantity("low", f"{memory.memory} address", axis=bytes_axis(top), scale=addresses),
            "y2": {"field": "high"},
            "color": coloured("kind", _COLOURS, (tensor.kind for tensor in memory.tensors)),
            "tooltip": tooltip,
        },
    }
    lines = [_line(memory.peak, f"peak {format_bytes(memory.peak)}", "#228833")]
    if limit:
        lines.append(_line(limit, f"limit {format_bytes(limit)}", "#cc3311"))
    spec = document(
        {
            "layer": [
                *_on_cpu(memory),
                {"data": {"values": values}, "layer": [rectangles, *_names(x)]},
                *lines,
                _step(memory),
            ]
        },
        height=_HEIGHT,
    )
    summary = (
        f"{memory.memory} over time: {len(values)} tensors, peak {format_bytes(memory.peak)} "
        f"while operator {memory.operators.get(memory.peak_step, '-')} runs"
        f"{' on the CPU' if memory.peak_step in memory.cpu_steps else ''}."
    )
    if memory.cpu_steps:
        summary += " Grey: operators on the CPU, whose cycles Vela does not estimate."
    return Chart(key, place, summary, spec)


def _time_title(cpu_cycles: int) -> str:
    """The title of an axis of time that gives every operator on the CPU so many cycles."""
    return f"NPU cycles since the start{f', {cpu_cycles:,} for each operator on the CPU' if cpu_cycles else ''}"


def _highest_drawn(memory: MemoryMap) -> int:
    """The highest address that its chart shows: the peak, or the limit above it."""
    return max(memory.peak, _near_limit(memory) or 0)


def _near_limit(memory: MemoryMap) -> int | None:
    return memory.limit if memory.limit and memory.limit <= _FARTHEST_LIMIT * memory.peak else None


def _names(x: Spec) -> list[Spec]:
    """Names inside their rectangles, across where these are wide, upwards where they are only tall.

    Tooltips and the table name every tensor; here only what is large enough on this screen has its name written.
    """
    text = {"field": "tensor"}
    mark = {**TEXT, "align": "left", "fontSize": 9, "fill": "#ffffff", "tooltip": None}
    wide = "datum.share * width >= 60 && datum.pixels >= 12"
    across: Spec = {
        "transform": [{"filter": wide}],
        "mark": {**mark, "baseline": "top", "dx": 3, "dy": 3, "limit": {"expr": "datum.share * width - 6"}},
        "encoding": {"x": x, "y": at("high"), "text": text},
    }
    up: Spec = {
        "transform": [
            {"filter": f"!({wide}) && datum.share * width >= 11 && datum.pixels >= 40"},
            {"calculate": "(datum.from + datum.end) / 2", "as": "centre"},
        ],
        "mark": {**mark, "baseline": "middle", "angle": 270, "dx": 4, "limit": {"expr": "datum.pixels - 8"}},
        "encoding": {"x": at("centre"), "y": at("low"), "text": text},
    }
    return [across, up]


def _line(value: int, text: str, colour: str) -> Spec:
    y = at("at")
    return {
        "data": {"values": [{"at": value, "text": text}]},
        "layer": [
            {
                "mark": {"type": "rule", "strokeDash": [5, 3], "strokeWidth": 1.5, "color": colour},
                "encoding": {"y": y},
            },
            {
                "mark": {**TEXT, "align": "right", "baseline": "bottom", "dy": -2, "fontWeight": "bold"},
                "encoding": {"x": {"value": {"expr": "width"}}, "y": y, "text": {"field": "text"}},
            },
        ],
    }


def _on_cpu(memory: MemoryMap) -> list[Spec]:
    """A grey band over each operator on the CPU."""
    if not memory.cpu_steps:
        return []
    clock = memory.clock
    values = [
        {"start": clock[step], "stop": clock[step + 1], "on the CPU": memory.operators.get(step, "")}
        for step in memory.cpu_steps
    ]
    return [
        {
            "data": {"values": values},
            "mark": {"type": "rect", "color": "#999999", "opacity": 0.35},
            "encoding": {"x": at("start"), "x2": {"field": "stop"}, "tooltip": {"field": "on the CPU"}},
        }
    ]


def _step(memory: MemoryMap) -> Spec:
    """Where the peak is: a band over its step."""
    clock = memory.clock
    return {
        "data": {"values": [{"start": clock[memory.peak_step], "stop": clock[memory.peak_step + 1]}]},
        "mark": {"type": "rect", "color": "#228833", "opacity": 0.18, "tooltip": None},
        "encoding": {"x": at("start"), "x2": {"field": "stop"}},
    }
