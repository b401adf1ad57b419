"""The text report of a build folder: rich tables that read at 80 columns and without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deploy.advising.documents import AdviceDocument
from deploy.build_folder import BuildFolder, CompileDocument, OperatorRecord, TensorRecord
from deploy.judging.verification_record import record_of
from deploy.quantizing.agreement import OutputAgreement
from deploy.quantizing.layer_errors import LayerError
from deploy.reporting.data.advice_rows import hint_row
from deploy.reporting.data.build_documents import read_advice, read_evaluation, read_quantization
from deploy.reporting.data.names import LONGEST_NAME, RUNNER_LACKS, one_word, shown
from deploy.reporting.text.evaluation import print_accuracy
from deploy.reporting.text.tables import column, figures_table, numbers, table_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

TOP_OPERATORS = 10

_PERFORMANCE = (
    "inference_time",
    "core_clock",
    "total_cycles",
    "npu_cycles",
    "macs",
    "npu_operators",
    "cpu_operators",
)


def print_build(
    build: BuildFolder, console: Console, *, every_operator: bool = False, most_hints: int | None = None
) -> None:
    """Print the report of a build folder: ten operators by cycles, or all; ``most_hints`` is None for all."""
    document = build.document
    how = "compiled elsewhere" if document.compiled_file else f"optimised for {document.optimise}"
    console.print(f"{document.model} on {document.npu}: {document.system_config}, {document.memory_mode}, {how}")
    print_figures(document, console)
    console.print(_tensors(document.inputs, document.outputs))
    said: tuple[str, ...] = ()
    quantization = read_quantization(build)
    if quantization is not None:
        console.print(agreement_table(quantization.agreement, quantization.agreement_samples))
        said = quantization.warnings
        for warning in said:
            console.print(f"note: {warning}\n")
    evaluation = read_evaluation(build)
    if evaluation is not None:
        console.print(f"{evaluation.inputs} inputs from {evaluation.data}")
        print_accuracy(evaluation, console)
    console.print(_by_cycles(document, None if every_operator else TOP_OPERATORS))
    _print_placement(document, console)
    advice = read_advice(build)
    if advice is not None:
        print_advice(advice, console, most=most_hints)
    for warning in document.warnings:
        if warning not in said:
            console.print(f"note: {warning}")
    for lack in document.runner_lacks:
        console.print(f"note: {RUNNER_LACKS}: {lack}")
    record = record_of(build)
    if record is not None:
        for sentence in (*record.check.sentences, *record.faults):
            console.print(f"operators: {sentence}")


def print_figures(document: CompileDocument, console: Console) -> None:
    """Print performance and memory, every figure with its label."""
    figures = {figure.name: figure for figure in document.figures}
    console.print(figures_table("Performance", [figures[name] for name in _PERFORMANCE if name in figures]))
    console.print(
        figures_table("Memory", [figure for figure in document.figures if figure.name not in _PERFORMANCE])
    )
    sources = ", ".join(sorted({figure.source for figure in document.figures}))
    console.print(f"Source: {sources}. Estimates of different system configurations do not compare.\n")


def agreement_table(agreement: Sequence[OutputAgreement], samples: int) -> Table:
    """Float model against quantized model, one row per output."""
    table = table_of(
        f"Float against quantized model, {samples} samples",
        column("output", overflow="fold"),
        *numbers("mae", "rmse", "max abs", "cosine", "top-1"),
        *numbers("float range"),
    )
    for output in agreement:
        table.add_row(
            shown(output.name, LONGEST_NAME),
            f"{output.mae:.4g}",
            f"{output.rmse:.4g}",
            f"{output.max_abs:.4g}",
            "-" if output.cosine is None else f"{output.cosine:.5f}",
            "-" if output.top1_agreement is None else f"{output.top1_agreement:.1%}",
            f"{output.float_min:.2g} .. {output.float_max:.2g}",
        )
    return table


def layer_error_table(layers: Sequence[LayerError]) -> Table:
    """The error of each operator; one row per operator, in the order of execution."""
    table = table_of(
        "Error of each operator, alone and carried so far, beside its output's spread",
        *numbers("#"),
        column("operator", no_wrap=True),
        *numbers("steps", "alone", "carried"),
        column("output tensor", overflow="ellipsis", max_width=28),
    )
    for layer in layers:
        table.add_row(
            str(layer.index),
            layer.operator,
            f"{layer.steps:.2f}",
            f"{layer.own:.2%}",
            f"{layer.carried:.2%}",
            shown(one_word(layer.name), LONGEST_NAME),
        )
    return table


def _tensors(inputs: Sequence[TensorRecord], outputs: Sequence[TensorRecord]) -> Table:
    name = column("name", overflow="fold")
    table = table_of("Inputs and outputs", "", name, "type", "shape", *numbers("scale", "zero point"))
    for kind, records in (("in", inputs), ("out", outputs)):
        for record in records:
            table.add_row(
                kind,
                shown(record.name, LONGEST_NAME),
                record.dtype,
                "x".join(map(str, record.shape)) or "scalar",
                f"{record.scales[0]:.6g}" if record.scales else "-",
                str(record.zero_points[0]) if record.zero_points else "-",
            )
    return table


def _by_cycles(document: CompileDocument, most: int | None) -> Table:
    ranked = sorted(
        (operator for operator in document.operators if operator.npu_cycles),
        key=lambda operator: -(operator.npu_cycles or 0),
    )
    total = sum(operator.npu_cycles or 0 for operator in ranked) or 1
    largest = ranked[:most]
    table = table_of(
        f"Operators by cycles (estimate), {len(largest)} of {len(document.operators)}",
        *numbers("#"),
        column("operator", no_wrap=True),
        *numbers("cycles", "share", "MAC"),
        # May wrap, so that this column gives way and not the numbers; names have no spaces and are cut instead.
        column("output tensor", overflow="ellipsis", max_width=28),
    )
    for operator in largest:
        cycles = operator.npu_cycles or 0
        table.add_row(
            str(operator.index),
            operator.type,
            f"{cycles:,}",
            f"{cycles / total:.1%}",
            f"{operator.macs or 0:,}",
            shown(one_word(operator.name), LONGEST_NAME),
        )
    return table


def _print_placement(document: CompileDocument, console: Console) -> None:
    cpu = document.cpu_operators
    gone = [
        operator for operator in document.operators if operator.placement == "NPU" and operator.npu_cycles is None
    ]
    if not cpu:
        what = "operations are the NPU's" if document.compiled_file else "operators run on the NPU"
        console.print(f"Placement: all {len(document.operators)} {what}.")
    else:
        console.print(_cpu_operators(cpu, len(document.operators)))
    if gone:
        types = ", ".join(sorted({operator.type for operator in gone}))
        console.print(f"{len(gone)} of them cost nothing, Vela folds them away: {types}")


def _cpu_operators(operators: Sequence[OperatorRecord], total: int) -> Table:
    table = table_of(
        f"Placement: {total - len(operators)} operators on the NPU, {len(operators)} on the CPU",
        *numbers("#"),
        column("on the CPU", no_wrap=True),
        column("output tensor", overflow="ellipsis", no_wrap=True, max_width=24),
        column("reason", overflow="fold"),
    )
    for operator in operators:
        table.add_row(
            str(operator.index), operator.type, shown(one_word(operator.name), LONGEST_NAME), operator.reason or ""
        )
    return table


MOST_HINTS = 8
"""That ``deploy compile`` prints."""


def print_advice(advice: AdviceDocument, console: Console, *, most: int | None = None) -> None:
    """Print hints by what they save, at most so many; None for all."""
    hints = advice.hints[:most]
    if hints:
        table = table_of(
            f"Advice ({hints[0].label}), {len(hints)} of {len(advice.hints)}",
            column("what, and what to do", overflow="fold"),
            column("figure", no_wrap=True),
            *numbers("now", "then"),
        )
        for hint in hints:
            row = hint_row(hint)
            table.add_row(
                f"{shown(row.title, 300)}: {shown(row.action, 300)}; {row.outputs}",
                "\n".join(figure.name for figure in row.figures),
                "\n".join(figure.present for figure in row.figures),
                "\n".join(figure.changed for figure in row.figures),
            )
        console.print(table)
        sources = "; ".join(dict.fromkeys(hint.source for hint in hints))
        console.print(f"Source: {shown(sources, 300)}. What several hints save does not add up.")
        if len(hints) < len(advice.hints):
            console.print(f"{len(advice.hints) - len(hints)} more: `deploy report`, or --verbose.")
    elif advice.level == "full":
        console.print("Advice: nothing was found that would make it cheaper.")
    for note in advice.notes:
        console.print(f"note: advice: {shown(note, 400)}")
