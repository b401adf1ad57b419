"""Prints a verdict for people: what ran, integers, operators, labels, figures, and the deciding sentence."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from deploy.figures import sources_of
from deploy.judging.comparison import FLOAT_TOLERANCE, OutputComparison
from deploy.judging.operator_result import OperatorResult
from deploy.judging.verdict import Verdict
from deploy.reporting.data.names import LONGEST_NAME, RUNNER_LACKS, shown
from deploy.reporting.text.tables import column, figures_table, numbers, table_of, verdict_line


def print_operators(operators: Sequence[OperatorResult], console: Console) -> None:
    """A table of all operators, then the first that differs with its parameters and both values."""
    if not operators:
        return
    table = table_of(
        "Operators, each on the NPU's own inputs, against the reference",
        *numbers(""),
        column("operator", overflow="fold"),
        *numbers("elements", "differ", "max LSB"),
        "cause",
    )
    for result in operators:
        table.add_row(
            str(result.index),
            " + ".join((result.type, *result.absorbs)),
            str(result.elements),
            str(result.mismatches),
            f"{result.max_lsb:g}",
            _cause(result),
        )
    console.print(table)
    first = next((result for result in operators if result.mismatches and not result.explained), None)
    first = first or next((result for result in operators if result.mismatches), None)
    if first is not None:
        _print_difference(first, console)


def _cause(result: OperatorResult) -> str:
    if result.miscompiled is not None:
        return "MISCOMPILED"
    if result.scale_difference is not None:
        return "OTHER SCALE"
    if result.mismatches == 0:
        return ""
    return "known" if result.cause else "UNKNOWN"


def _print_difference(result: OperatorResult, console: Console) -> None:
    known = "" if result.explained else ", without a known cause"
    name = shown(result.name, LONGEST_NAME)
    console.print(f"First operator that differs: {result.index} {result.type}, output {name}{known}")
    if result.first is not None:
        console.print(
            f"  input {result.first.input}, element {list(result.first.position)}: "
            f"NPU {result.first.npu:g}, reference {result.first.reference:g}"
        )
    for operation in result.operations:
        console.print(f"  {operation}")
    if result.agrees_with:
        console.print(f"  the NPU agrees exactly with {' and '.join(result.agrees_with)}")


_COLOURS = {"pass": "green", "fail": "red", "error": "red", "no_reference": "yellow"}
_PLATFORMS = {"open": "", "arm": "Arm FVP, ", "board": "board, "}
_SHOWN_INPUTS = 32


def print_verdict(verdict: Verdict, console: Console) -> None:
    """Print the whole verdict; the last line is the verdict itself."""
    if verdict.platform and verdict.firmware:
        console.print(
            f"{_PLATFORMS[verdict.platform.kind]}{verdict.platform.version}, Ethos-{verdict.platform.npu}, "
            f"firmware {verdict.firmware.kind}"
        )
    elif verdict.platform and verdict.platform.kind == "host":
        console.print(f"{verdict.platform.version} on this host, Ethos-{verdict.platform.npu}, no firmware")
    if verdict.input_source:
        how = " as one sequence, whose state is kept" if verdict.sequence else ""
        console.print(
            f"{verdict.inputs} of {verdict.inputs_requested} inputs answered{how}, from {verdict.input_source}"
        )
    for note in verdict.input_notes:
        console.print(f"note: {note}")
    if verdict.outputs:
        console.print(outputs_table(f"Target against {verdict.reference}", verdict.outputs))
    for other in verdict.other_references:
        console.print(outputs_table(f"Target against {other.reference}", other.outputs))
    for left_out in verdict.left_out_references:
        console.print(f"reference: {left_out.sentence}")
    floats = [output for output in verdict.outputs if output.float_tolerance is not None]
    if floats:
        console.print(
            f"float: {', '.join(output.name for output in floats)} come from float operators on the CPU: a target "
            f"agrees with the NPU model within {FLOAT_TOLERANCE:g} of the largest value"
            + (
                "; the tensors in front of these operators decide against the reference"
                if floats[0].decided_inside
                else ""
            )
        )
    for sentence in verdict.target_comparison.sentences if verdict.target_comparison else ():
        console.print(f"NPU model: {sentence}")
    for sentence in verdict.operator_check.sentences:
        console.print(f"operators: {sentence}")
    print_operators(verdict.operators, console)
    for sentence in verdict.explanations:
        console.print(f"explanation: {sentence}")
    if verdict.located:
        console.print(f"located, in {verdict.located.runs} runs: {verdict.located.reason}")
    elif verdict.target_comparison and verdict.target_comparison.differing:
        console.print("the target differs from the NPU model: --locate finds the first operation that does")
    if verdict.platform and verdict.platform.kind == "host":
        for lack in verdict.runner_lacks:
            console.print(f"note: {RUNNER_LACKS}: {lack}")
    if verdict.evidence:
        console.print(f"evidence: {verdict.evidence.summary}")
    if verdict.predictions:
        console.print(_predictions_table(verdict))
    if verdict.figures:
        console.print(figures_table("Figures", verdict.figures))
        for source in sources_of(verdict.figures):
            console.print(source)
        console.print()
    for outcome in verdict.limits:
        console.print(f"limit: {'holds' if outcome.holds else 'BROKEN'}: {outcome.sentence}")
    for line in verdict.log:
        console.print(f"    | {line}")
    console.print(verdict_line(verdict.headline, _COLOURS[verdict.verdict], verdict.reason))


def outputs_table(title: str, outputs: tuple[OutputComparison, ...]) -> Table:
    """One row an output: integers first, then meaning."""
    figures = numbers("elements", "mismatches", "max LSB", "top-1 agreement", "MAE", "cosine")
    table = table_of(title, "output", *figures)
    for output in outputs:
        table.add_row(
            shown(output.name, LONGEST_NAME),
            str(output.elements),
            str(output.mismatches),
            "not a number" if output.max_lsb is None else f"{output.max_lsb:g}",
            "-" if output.top1_agreement is None else f"{output.top1_agreement:.2%}",
            "-" if output.mae is None else f"{output.mae:.4g}",
            "-" if output.cosine is None else f"{output.cosine:.6f}",
        )
    return table


def _predictions_table(verdict: Verdict) -> Table:
    """One row an input, per output the target's label beside the true one (or the reference's)."""
    outputs = list(dict.fromkeys(prediction.output for prediction in verdict.predictions))
    by_input: dict[int, dict[str, str]] = {}
    marks = {True: "", False: "  !"}
    for p in verdict.predictions:
        said = p.target if p.probability is None else f"{p.target} ({p.probability:.0%})"
        expected = p.true if p.true is not None else p.reference
        by_input.setdefault(p.input, {})[p.output] = f"{said} / {expected}{marks[p.target == expected]}"
    known = any(p.true is not None for p in verdict.predictions)
    title = f"Labels: on target / {'true' if known else 'reference'}"
    table = table_of(title, *numbers("input"), *outputs)
    for index in sorted(by_input)[:_SHOWN_INPUTS]:
        table.add_row(str(index), *(by_input[index].get(output, "-") for output in outputs))
    if len(by_input) > _SHOWN_INPUTS:
        table.add_row("...", *(f"{len(by_input)} inputs in all" for _ in outputs[:1]))
    return table
