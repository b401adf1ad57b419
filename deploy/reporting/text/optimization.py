"""Prints what ``deploy optimize`` did, for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from deploy.build_folder import Figure
from deploy.figures import format_figure, sources_of, title_of
from deploy.optimizing.documents import Estimate, OptimizeDocument
from deploy.reporting.text.tables import column, numbers, table_of, verdict_line
from deploy.reporting.text.verdict import outputs_table

_COLOURS = {"pass": "green", "fail": "red", "unchanged": "yellow"}
_FIGURES = ("inference_time", "total_cycles", "cpu_operators", "sram_peak", "flash", "dram_peak")


def print_optimization(document: OptimizeDocument, console: Console) -> None:
    """Print everything; the last line is the verdict."""
    console.print(
        f"{document.model} on {document.npu}: {document.system_config}, {document.memory_mode}, "
        f"optimised for {document.optimise}"
    )
    if document.rewrites:
        console.print(_rewrites(document))
        if any(not record.exact for record in document.rewrites):
            console.print("~: rounds differently; all others compute the same integers\n")
    for left in document.left_out:
        console.print(
            f"left out: {left.rule}: {left.form}; "
            f"with it outputs differ by up to {left.max_lsb:g} LSB (--tolerance)"
        )
    if document.rewrites:
        console.print(_figures(document.before, document.after))
        for source in sources_of(document.after):
            console.print(source)
        console.print()
    if document.outputs:
        title = f"Rewritten model against the original, both on {document.kernels}, {document.inputs} inputs"
        console.print(outputs_table(title, document.outputs))
    if document.npu_outputs:
        title = f"Compiled rewritten model on the NPU model against {document.npu_reference}"
        console.print(outputs_table(title, document.npu_outputs))
    elif document.outputs:
        console.print(f"not run on an NPU model: there is none of {document.npu}")
    console.print(verdict_line(document.verdict.upper(), _COLOURS[document.verdict], document.reason))


def _rewrites(document: OptimizeDocument) -> Table:
    cycles = numbers("places", "cycles before", "after")
    table = table_of("Rewritten (Vela's estimates in the network)", "what, and how it is written now", *cycles)
    for record in document.rewrites:
        mark = "" if record.exact else " ~"
        table.add_row(
            f"{record.rule}: {record.form}{mark}",
            str(record.sites),
            _estimate(record.before),
            _estimate(record.after),
        )
    return table


def _estimate(estimate: Estimate) -> str:
    on_cpu = f" + {estimate.cpu_operators} on the CPU" if estimate.cpu_operators else ""
    return f"{estimate.cycles:,}{on_cpu}"


def _figures(before: tuple[Figure, ...], after: tuple[Figure, ...]) -> Table:
    values = numbers("before", "after", "difference")
    table = table_of("The network", column("figure", min_width=22), *values, "label")
    now = {figure.name: figure for figure in after}
    for figure in before:
        if figure.name not in _FIGURES or figure.name not in now:
            continue
        other = now[figure.name]
        change = f"{(other.value - figure.value) / figure.value:+.1%}" if figure.value else ""
        table.add_row(title_of(figure.name), format_figure(figure), format_figure(other), change, figure.label)
    return table
