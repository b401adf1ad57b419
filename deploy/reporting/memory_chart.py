"""The chart of a memory over time: every live tensor a rectangle, the peak and the board's limit marked."""

from __future__ import annotations

from deploy.reporting.charts import Chart, Spec, bytes_axis, document
from deploy.reporting.content import MemoryMap
from deploy.tables import format_bytes

_HEIGHT = 320
_COLOURS = {"feature map": "#4477aa", "weight buffer": "#ccbb44"}
_FARTHEST_LIMIT = 4
"""A limit beyond so many times the peak is told in words: drawn to scale it would flatten everything else."""


def memory_chart(memory: MemoryMap, *, key: str = "", highest: int = 0, cycles: int = 0) -> Chart:
    """SRAM or DRAM over the cycles of Vela's schedule.

    Args:
        memory: what is in it when.
        key: of the chart; default: ``memory-sram``, ``memory-dram``.
        highest: the axis reaches at least to this address, so that charts beside each other compare.
        cycles: the same for time.
    """
    limit = _near_limit(memory)
    top = 1.08 * max(highest_drawn(memory), highest)
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
    tooltip = [
        {"field": field, "type": kind, **({"format": ",d"} if kind == "quantitative" else {})}
        for field, kind in (
            ("tensor", "nominal"),
            ("kind", "nominal"),
            ("written by", "nominal"),
            ("bytes", "quantitative"),
            ("low", "quantitative"),
            ("from", "quantitative"),
            ("end", "quantitative"),
            ("steps", "nominal"),
        )
    ]
    present = [kind for kind in _COLOURS if any(value["kind"] == kind for value in values)]
    x = {
        "field": "from",
        "type": "quantitative",
        "title": time_title(memory.cpu_cycles),
        "axis": {"format": "~s", "tickCount": 8},
        "scale": {"domain": [0, total], "nice": False},
    }
    rectangles: Spec = {
        "name": "tensors",
        "mark": {"type": "rect", "strokeWidth": 0.6, "stroke": "#ffffff", "strokeOpacity": 0.6},
        "encoding": {
            "x": x,
            "x2": {"field": "end"},
            "y": {
                "field": "low",
                "type": "quantitative",
                "title": f"{memory.memory} address",
                "scale": {"domain": [0, top], "nice": False},
                "axis": bytes_axis(top),
            },
            "y2": {"field": "high"},
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": present, "range": [_COLOURS[kind] for kind in present]},
            },
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
    return Chart(key or f"memory-{memory.memory.lower()}", summary, spec)


def time_title(cpu_cycles: int) -> str:
    """The title of an axis of time that gives every operator on the CPU so many cycles."""
    return f"NPU cycles since the start{f', {cpu_cycles:,} for each operator on the CPU' if cpu_cycles else ''}"


def highest_drawn(memory: MemoryMap) -> int:
    """The highest address that its chart shows: the peak, or the limit above it."""
    return max(memory.peak, _near_limit(memory) or 0)


def _near_limit(memory: MemoryMap) -> int | None:
    return memory.limit if memory.limit and memory.limit <= _FARTHEST_LIMIT * memory.peak else None


def _names(x: Spec) -> list[Spec]:
    """Names inside their rectangles, across where these are wide, upwards where they are only tall.

    Tooltips and the table name every tensor; here only what is large enough on this screen has its name written.
    """
    text = {"field": "tensor"}
    mark = {"type": "text", "align": "left", "fontSize": 9, "fill": "#ffffff", "tooltip": None}
    wide = "datum.share * width >= 60 && datum.pixels >= 12"
    across: Spec = {
        "transform": [{"filter": wide}],
        "mark": {**mark, "baseline": "top", "dx": 3, "dy": 3, "limit": {"expr": "datum.share * width - 6"}},
        "encoding": {"x": x, "y": {"field": "high", "type": "quantitative"}, "text": text},
    }
    up: Spec = {
        "transform": [
            {"filter": f"!({wide}) && datum.share * width >= 11 && datum.pixels >= 40"},
            {"calculate": "(datum.from + datum.end) / 2", "as": "centre"},
        ],
        "mark": {**mark, "baseline": "middle", "angle": 270, "dx": 4, "limit": {"expr": "datum.pixels - 8"}},
        "encoding": {
            "x": {"field": "centre", "type": "quantitative"},
            "y": {"field": "low", "type": "quantitative"},
            "text": text,
        },
    }
    return [across, up]


def _line(value: int, text: str, colour: str) -> Spec:
    y = {"field": "at", "type": "quantitative"}
    return {
        "data": {"values": [{"at": value, "text": text}]},
        "layer": [
            {
                "mark": {"type": "rule", "strokeDash": [5, 3], "strokeWidth": 1.5, "color": colour},
                "encoding": {"y": y},
            },
            {
                "mark": {
                    "type": "text",
                    "align": "right",
                    "baseline": "bottom",
                    "dy": -2,
                    "fontSize": 11,
                    "fontWeight": "bold",
                },
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
            "encoding": {
                "x": {"field": "start", "type": "quantitative"},
                "x2": {"field": "stop"},
                "tooltip": {"field": "on the CPU"},
            },
        }
    ]


def _step(memory: MemoryMap) -> Spec:
    """Where the peak is: a band over its step."""
    clock = memory.clock
    return {
        "data": {"values": [{"start": clock[memory.peak_step], "stop": clock[memory.peak_step + 1]}]},
        "mark": {"type": "rect", "color": "#228833", "opacity": 0.18, "tooltip": None},
        "encoding": {"x": {"field": "start", "type": "quantitative"}, "x2": {"field": "stop"}},
    }
