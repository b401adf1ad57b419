"""Prints a comparison operator by operator for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from deploy.judging.operator_result import OperatorResult
from deploy.reporting.data.names import LONGEST_NAME, shown


def print_operators(operators: Sequence[OperatorResult], console: Console) -> None:
    """A table of all operators, then the first that differs with its parameters and both values."""
    if not operators:
        return
    table = Table(
        title="Operators, each on the NPU's own inputs, against the reference",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("", justify="right")
    table.add_column("operator", overflow="fold")
    for column in ("elements", "differ", "max LSB"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("cause")
    for result in operators:
        table.add_row(
            str(result.index),
            " + ".join((result.type, *result.absorbs)),
            str(result.elements),
            str(result.mismatches),
            f"{result.max_lsb:g}",
            "" if result.mismatches == 0 else "known" if result.cause else "UNKNOWN",
        )
    console.print(table)
    first = next((result for result in operators if result.mismatches), None)
    if first is not None:
        _print_difference(first, console)


def _print_difference(result: OperatorResult, console: Console) -> None:
    console.print(
        f"First operator that differs: {result.index} {result.type}, output {shown(result.name, LONGEST_NAME)}"
    )
    if result.first is not None:
        console.print(
            f"  input {result.first.input}, element {list(result.first.position)}: "
            f"NPU {result.first.npu:g}, reference {result.first.reference:g}"
        )
    for operation in result.operations:
        console.print(f"  {operation}")
    if result.agrees_with:
        console.print(f"  the NPU agrees exactly with {' and '.join(result.agrees_with)}")
