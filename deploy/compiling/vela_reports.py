"""Parses what Vela writes: the summary and per-layer CSV files, and its warnings."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.debug_database import Scheduled

Cell = str | float | int

_WARNING = re.compile(r"^Warning \([^)]*\) operator: (?P<operator>[^,]+), ofm: '(?P<ofm>.*)'$")


@dataclass(frozen=True)
class Fallback:
    """An operator that Vela leaves on the CPU, and why.

    Attributes:
        reason: Vela's words, its lines joined by ``; ``.
    """

    operator: str
    ofm: str
    reason: str


@dataclass(frozen=True)
class VelaLayer:
    """One row of the per-layer report.

    Attributes:
        cells: column -> value, as Vela wrote them.
        source_operator: index of the operator in the source model that it stems from; None when unknown.
    """

    cells: dict[str, Cell]
    source_operator: int | None

    @property
    def on_cpu(self) -> bool:
        """Whether the row is an operator left on the CPU."""
        return self.cells.get("Target") == "CPU"

    def number(self, column: str) -> int:
        """An integer cell; 0 when it is absent, or the ``NaN`` of a model without anything on the NPU."""
        value = self.cells.get(column, 0)
        return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def parse_summary(text: str) -> dict[str, Cell]:
    """The one data row of the summary CSV: column -> number or text.

    Raises:
        ValueError: there is no data row.
    """
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        raise ValueError("the summary has no data row")
    return {column: _cell(value) for column, value in rows[-1].items()}


def parse_layers(per_layer: str, schedule: Sequence[Scheduled]) -> tuple[VelaLayer, ...]:
    """The per-layer CSV joined with the schedule of the debug database.

    Both have the same rows in the same order (observed in Vela 5.2.0; checked here row by row, and without the
    join where they differ). Names with quotes read differently in the two files, which escape neither; then the
    numbers have to agree.
    """
    rows = list(csv.DictReader(io.StringIO(per_layer)))
    layers = [VelaLayer({column: _cell(value) for column, value in row.items()}, None) for row in rows]
    same_names = [row.get("Name") for row in rows] == [operation.name for operation in schedule]
    numbers = [(layer.number("Op Cycles"), layer.number("MAC Count")) for layer in layers]
    if not same_names and numbers != [(operation.cycles, operation.macs) for operation in schedule]:
        return tuple(layers)
    return tuple(
        VelaLayer(layer.cells, operation.source) for layer, operation in zip(layers, schedule, strict=True)
    )


def parse_fallbacks(log: str) -> tuple[Fallback, ...]:
    """The ``Warning (supported operators)`` blocks of Vela's standard output."""
    found = []
    lines = iter(log.splitlines())
    for line in lines:
        match = _WARNING.match(line)
        if match is None:
            continue
        reason = []
        for following in lines:
            if not following.strip():
                break
            reason.append(following.strip().removeprefix("Reason: "))
        found.append(Fallback(match["operator"].strip(), match["ofm"], "; ".join(reason)))
    return tuple(found)


def _cell(value: str | None) -> Cell:
    text = value or ""
    try:
        return int(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            return text
        # Vela divides by a total of 0 where nothing runs on the NPU: JSON has no number for that.
        return number if math.isfinite(number) else text


def summary_number(summary: Mapping[str, Cell], column: str) -> float:
    """A number of the summary; 0 for none."""
    value = summary.get(column, 0)
    return float(value) if isinstance(value, int | float) else 0.0
