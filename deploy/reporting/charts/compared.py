"""What the charts of a comparison share: a colour a build, and colours and words for better and worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.reporting.charts.vega import BAR, TEXT, Spec, bars, category, coloured

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
