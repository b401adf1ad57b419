"""The corpus' table: one line a network, NPU and memory mode, and the figures that it is judged by."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from deploy.files import write_text

from .pairs import Row

BAD = ("unexplained", "error")
KEPT_OUT = {
    "uncompiled": "Quantization scales must be finite",
    "no oracle": "a quantization scale is out of their range",
}
"""Status of what cannot be compared -> the one reason for which that is known; random networks may have it."""


def write_table(rows: Sequence[Row], folder: Path) -> None:
    """Write ``table.csv`` and ``summary.txt``."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0].cells()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.cells() for row in rows)
    write_text(folder / "table.csv", text.getvalue())
    write_text(folder / "summary.txt", summary(rows) + "\n")


def failing(rows: Iterable[Row]) -> list[Row]:
    """Rows that nobody can explain."""
    return [row for row in rows if row.status in BAD or KEPT_OUT.get(row.status, "") not in row.reason]


def pair_status(rows: Iterable[Row]) -> dict[tuple[str, str], str]:
    """(network, NPU) -> the worst status over its memory modes."""
    order = ("cpu only", "exact", "explained", "refused", "no oracle", "uncompiled", "unexplained", "error")
    found: dict[tuple[str, str], str] = {}
    for row in rows:
        key = row.network, row.npu
        found[key] = max(found.get(key, "cpu only"), row.status, key=order.index)
    return found


def summary(rows: Sequence[Row]) -> str:
    """Figures over pairs of network and NPU, causes, and every row without a known one."""
    pairs = pair_status(rows)
    counts = Counter(pairs.values())
    compared = sum(counts[status] for status in ("exact", "explained", "refused", *BAD))
    lines = [
        f"{len({row.network for row in rows})} networks, {len(pairs)} pairs of network and NPU, {len(rows)} runs"
    ]
    if compared:
        lines.append(
            f"exact against at least one oracle: {counts['exact']} of {compared} pairs "
            f"({counts['exact'] / compared:.2%}); explained: {counts['explained']}; "
            f"refused: {counts['refused']}; unexplained: {counts['unexplained']}; errors: {counts['error']}"
        )
    lines += [
        f"{status}: {counts[status]} pairs" for status in ("cpu only", "no oracle", "uncompiled") if counts[status]
    ]
    reasons: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        if row.status not in ("exact", "cpu only"):
            reasons[row.status, row.reason[:300]].add(row.network)
    for (status, reason), concerned in sorted(reasons.items()):
        lines.append(f"- {status}: {', '.join(sorted(concerned))}: {reason}")
    return "\n".join(lines)
