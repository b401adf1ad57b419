"""Parses what Vela writes: the summary and per-layer CSV files, the debug database, and its warnings."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

Cell = str | float | int

_WARNING = re.compile(r"^Warning \([^)]*\) operator: (?P<operator>[^,]+), ofm: '(?P<ofm>.*)'$")
_TABLE = r'<table name="{name}">\s*<!\[CDATA\[\n?(.*?)\]\]>'


@dataclass(frozen=True)
class Fallback:
    """An operator that Vela leaves on the CPU, and why.

    Attributes:
        operator: TFLite's name.
        ofm: name of its output tensor.
        reason: Vela's words, its lines joined by ``; ``.
    """

    operator: str
    ofm: str
    reason: str


@dataclass(frozen=True)
class Layer:
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
        """An integer cell; 0 when it is absent."""
        value = self.cells.get(column, 0)
        return int(value) if isinstance(value, int | float) else 0


def parse_summary(text: str) -> dict[str, Cell]:
    """The one data row of the summary CSV: column -> number or text.

    Raises:
        ValueError: there is no data row.
    """
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        raise ValueError("the summary has no data row")
    return {column: _cell(value) for column, value in rows[-1].items()}


def parse_layers(per_layer: str, debug: str) -> tuple[Layer, ...]:
    """The per-layer CSV joined with the debug database.

    The database's ``perf`` table has the same rows in the same order, with the key of the source operator, and
    ``source`` gives that operator's index in the TFLite file as ``ext_key`` (observed in Vela 5.2.0; checked here
    row by row, and without the join where they differ). Names with quotes read differently in the two files, which
    escape neither; then the numbers have to agree.
    """
    rows = list(csv.DictReader(io.StringIO(per_layer)))
    performance = debug_table(debug, "perf")
    indices = {row.get("id"): row.get("ext_key") for row in debug_table(debug, "source")}
    keys: list[str | None] = [indices.get(row.get("source_id")) for row in performance]
    same_names = [row.get("Name") for row in rows] == [row.get("name") for row in performance]
    numbers = [(row.get("Op Cycles"), row.get("MAC Count")) for row in rows]
    if not same_names and numbers != [(row.get("op_cycles"), row.get("mac_count")) for row in performance]:
        keys = [None] * len(rows)
    return tuple(
        Layer(
            {column: _cell(value) for column, value in row.items()},
            int(key) if key is not None and key.isdigit() else None,
        )
        for row, key in zip(rows, keys, strict=True)
    )


def debug_table(debug: str, name: str) -> list[dict[str, str]]:
    """One table of the debug database (CSV inside XML); empty when it is not there."""
    match = re.search(_TABLE.format(name=re.escape(name)), debug, re.DOTALL)
    return list(csv.DictReader(io.StringIO(match.group(1)))) if match else []


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
            return float(text)
        except ValueError:
            return text
