"""What charts are written with: Vega-Lite documents as plain dictionaries, no library needed to make them.

Colours of marks are chosen to read on white and on black; axes and texts take theirs from the page's style sheet,
so that the same SVG serves light, dark and print. Every chart comes with a sentence for those who cannot see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from deploy.printable import printable
from deploy.reporting.data.operators import NamedOperator

Spec = dict[str, Any]

TOLD: Spec = {"content": "data"}
"""The tooltip of a mark that tells everything known of it."""

BAR: Spec = {"type": "bar", "tooltip": TOLD}

TEXT: Spec = {"type": "text", "fontSize": 11}

_BYTES = (
    "datum.value >= 1048576 ? format(datum.value / 1048576, '.3~f') + ' MiB' : "
    "datum.value >= 1024 ? format(datum.value / 1024, '.3~f') + ' KiB' : format(datum.value, '~f') + ' B'"
)

MOST_BARS = 400
"""Most bars of a chart; of more operators the costliest are drawn."""

_Row = TypeVar("_Row", bound=NamedOperator)


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        key: names it in the page, letters, digits and hyphens.
        place: where it stands in the page: the id of a section, or one of the places inside that the page's
            template names. Charts of one place stand in the order in which the gallery lists them.
        summary: what it shows, for screen readers.
        spec: Vega-Lite document.
        title: heading above it; empty for none.
        tall: scrolls in a window of its own.
    """

    key: str
    place: str
    summary: str
    spec: Spec
    title: str = ""
    tall: bool = False


def document(content: Spec, *, height: int) -> Spec:
    """A chart as wide as its container."""
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {
            "background": "transparent",
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": 120},
            "legend": {
                "orient": "top",
                "direction": "horizontal",
                "columns": 4,
                "labelFontSize": 11,
                "title": None,
                "labelLimit": 200,
            },
        },
        **content,
    }


def printable_spec(spec: Any) -> Any:
    """A document, or a part of one, without control characters in its names and texts."""
    if isinstance(spec, str):
        return spec if spec.isprintable() else printable(spec)
    if isinstance(spec, dict):
        return {printable_spec(key): printable_spec(value) for key, value in spec.items()}
    return [printable_spec(value) for value in spec] if isinstance(spec, list | tuple) else spec


def quantity(field: str, title: str | None, **more: Any) -> Spec:
    """A number as a position."""
    return {"field": field, "type": "quantitative", "title": title, **more}


def at(field: str, **more: Any) -> Spec:
    """A number as a position on an axis that another layer names, or that is not shown."""
    return {"field": field, "type": "quantitative", **more}


def category(field: str, order: Sequence[str] | None, title: str | None = None, **more: Any) -> Spec:
    """A name as a position, in that order; None for the order of the data."""
    return {"field": field, "type": "nominal", "sort": order, "title": title, **more}


def operators(field: str, title: str, **more: Any) -> Spec:
    """Operators beside each other."""
    axis = {"labelAngle": 0, "labelOverlap": "greedy", "labelSeparation": 4, "ticks": False}
    return {"field": field, "type": "ordinal", "title": title, "axis": axis, **more}


def costliest(rows: Iterable[_Row], cost: Callable[[_Row], float]) -> list[_Row]:
    """Those that cost anything, in execution order; of too many those that cost most."""
    kept = sorted((row for row in rows if cost(row)), key=lambda row: -cost(row))[:MOST_BARS]
    return sorted(kept, key=lambda row: row.index)


def told(row: NamedOperator) -> dict[str, Any]:
    """Which operator it is, for the tooltip."""
    return {"index": row.index, "operator": row.type, "output": row.name}


def coloured(field: str, colours: Mapping[str, str], present: Iterable[str], **more: Any) -> Spec:
    """A name as a colour; only what occurs stands in the legend."""
    seen = set(present)
    domain = [name for name in colours if name in seen]
    scale = {"domain": domain, "range": [colours[name] for name in domain]}
    return {"field": field, "type": "nominal", "scale": scale, **more}


def bars(values: Sequence[Mapping[str, Any]], **encoding: Spec) -> Spec:
    """A bar for each of the values."""
    return {"data": {"values": values}, "mark": BAR, "encoding": encoding}


def bytes_axis(most: float) -> Spec:
    """An axis from 0 to ``most`` bytes whose ticks are round in powers of two."""
    step = 1 << max(int(most / 4).bit_length() - 1, 0)
    return {"values": list(range(0, int(most) + 1, step)), "labelExpr": _BYTES, "labelOverlap": "greedy"}


def bars_with_shares(values: Sequence[Mapping[str, Any]], bar: Spec, name: Spec, amount: Spec) -> Spec:
    """Bars one below the other, each with the share of all that it is: key ``share`` of the values."""
    longest = max(value[amount["field"]] for value in values)
    scale = {"domain": [0, 1.2 * longest], "nice": False}
    share = {"mark": {**TEXT, "align": "left", "dx": 4}, "encoding": {"text": {"field": "share", "format": ".1%"}}}
    return {
        "data": {"values": values},
        "encoding": {"y": name, "x": {**amount, "scale": scale}},
        "layer": [bar, share],
    }


BUILD_COLOURS = ("#4477aa", "#ee7733", "#228833", "#aa3377", "#ccbb44", "#66ccee", "#999933", "#999999")
"""Paul Tol's, one a build: distinct for colour-blind readers, on white and on black."""

_JUDGED = {"better": "#228833", "worse": "#cc3311", "changed": "#999999"}


def build_colour(letters: Sequence[str]) -> Spec:
    """Colour by build."""
    colours = {letter: BUILD_COLOURS[(ord(letter[0]) - ord("A")) % len(BUILD_COLOURS)] for letter in letters}
    return coloured("build", colours, letters)


def listed(letters: Sequence[str]) -> str:
    """``A, B and C``."""
    return " and ".join([", ".join(letters[:-1]), letters[-1]] if len(letters) > 1 else letters)


def bars_of_builds(
    values: Sequence[Mapping[str, Any]], name: Spec, amount: Spec, letters: Sequence[str]
) -> tuple[Spec, int]:
    """Bars one below the other, one a build (key ``build`` of the values) for every name; and their height."""
    offset = {"field": "build", "sort": list(letters)}
    spec = bars(values, y=name, yOffset=offset, x=amount, color=build_colour(letters))
    return spec, (10 + 14 * len(letters)) * len({value[name["field"]] for value in values})


def judged_bars(values: Sequence[Mapping[str, Any]], name: str, x: Spec, *, base: float) -> Spec:
    """Bars to both sides of ``base``, coloured by ``judged``, with the words ``told`` across from each bar."""
    bars: Spec = {
        "mark": BAR,
        "encoding": {
            "x": x,
            "x2": {"datum": base},
            "color": coloured("judged", _JUDGED, (value["judged"] for value in values)),
        },
    }
    texts: list[Spec] = [
        {
            "transform": [{"filter": f"datum.{x['field']} {sign} {base}"}],
            "mark": {**TEXT, "align": align, "dx": offset, "tooltip": None},
            "encoding": {"x": {"datum": base}, "text": {"field": "told"}},
        }
        for sign, align, offset in ((">", "right", -4), ("<", "left", 4))
    ]
    y = category(name, None, axis={"labelLimit": 160})
    return {"data": {"values": values}, "encoding": {"y": y}, "layer": [bars, *texts]}
