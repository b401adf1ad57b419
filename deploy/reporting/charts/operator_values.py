"""What charts tell of an operator, and of which operators of many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from deploy.reporting.data.operators import Operator

MOST_BARS = 400
"""Most bars of a chart; of more operators the costliest are drawn."""


_Row = TypeVar("_Row", bound=Operator)


def costliest(rows: Iterable[_Row], cost: Callable[[_Row], float]) -> list[_Row]:
    """Those that cost anything, in execution order; of too many those that cost most."""
    kept = sorted((row for row in rows if cost(row)), key=lambda row: -cost(row))[:MOST_BARS]
    return sorted(kept, key=lambda row: row.index)


def told(row: Operator) -> dict[str, Any]:
    """Which operator it is, for the tooltip."""
    return {"index": row.index, "operator": row.type, "output": row.name}
