"""Prints an evaluation for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.evaluating.documents import Contestant, EvaluationDocument, OutputEvaluation, Score
from deploy.reporting.text.tables import column, numbers, table_of, verdict_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_CLASSES = 20
"""Classes in a table; of more, those that the target gets wrong most often."""

_WHO: dict[Contestant, str] = {"float": "float model", "reference": "reference", "target": "target"}


def print_evaluation(evaluation: EvaluationDocument, console: Console, *, every_class: bool = False) -> None:
    """Print accuracy, agreement and classes, and at last the outcome."""
    platform, firmware = evaluation.platform, evaluation.firmware
    booted = f"firmware {firmware.kind}" if firmware else "on this host, no firmware"
    console.print(f"target: {platform.version or platform.executable}, Ethos-{platform.npu}, {booted}")
    console.print(f"reference: {evaluation.reference}, the quantized model")
    if evaluation.float_model is not None:
        console.print(f"float model: {evaluation.float_model}")
    how = " as one sequence, whose state is kept," if evaluation.sequence else ""
    console.print(f"{evaluation.inputs} inputs{how} from {evaluation.data}\n")
    print_accuracy(evaluation, console)
    console.print(_agreement(evaluation))
    for output in evaluation.outputs:
        console.print(_classes(output, None if every_class else MOST_CLASSES))
    print_outcome(evaluation, console)


def print_accuracy(evaluation: EvaluationDocument, console: Console) -> None:
    """Print one row per output and contestant."""
    k = next((output.top_k for output in evaluation.outputs if output.top_k), None)
    shares = numbers("correct", "accuracy", "95 % interval", *([f"top-{k}"] if k is not None else []))
    table = table_of(
        "Accuracy: on target simulated, else measured", column("output", overflow="fold"), "who", *shares
    )
    for output in evaluation.outputs:
        for score in output.scores:
            row = [
                output.name,
                _WHO[score.contestant],
                f"{score.correct} / {score.count}",
                f"{score.accuracy:.2%}",
                f"{score.low:.2%} .. {score.high:.2%}",
            ]
            if score.top_k_correct is not None:
                row.append(f"{score.top_k_correct / score.count:.2%}")
            table.add_row(*row)
    console.print(table)


def print_outcome(evaluation: EvaluationDocument, console: Console) -> None:
    """Print what only the target gets wrong, the notes, and the verdict where limits were asked for."""
    wrong = ", ".join(f"{count} on {name}" for name, count in evaluation.wrong_only_on_target.items())
    console.print(f"wrong on target and right on the reference: {wrong}")
    for note in evaluation.notes:
        console.print(f"note: {note}")
    if evaluation.verdict is None:
        console.print(f"no limits asked for: {evaluation.reason}")
        return
    colour = "green" if evaluation.verdict == "pass" else "red"
    console.print(verdict_line(evaluation.verdict.upper(), colour, evaluation.reason))


def _agreement(evaluation: EvaluationDocument) -> Table:
    counts = numbers("same class", "all elements equal")
    table = table_of("Agreement, right or wrong", column("output", overflow="fold"), "between", *counts)
    for output in evaluation.outputs:
        count = output.scores[0].count
        for pair in output.agreements:
            table.add_row(
                output.name,
                f"{_WHO[pair.first]} and {_WHO[pair.second]}",
                f"{pair.same_class / count:.2%}",
                "-" if pair.exact is None else f"{pair.exact} / {count}",
            )
    return table


def _classes(output: OutputEvaluation, most: int | None) -> Table:
    target = output.score("target")
    classes = target.classes if target else ()
    order = list(range(len(classes)))
    title = f"Classes of {output.name}"
    if most is not None and len(order) > most:
        order = sorted(order, key=lambda i: classes[i].correct - classes[i].count)[:most]
        title += f": the {most} of {len(classes)} with most errors on target"
    shares = (_WHO[score.contestant] for score in output.scores)
    table = table_of(title, column("class", overflow="fold"), *numbers("inputs", *shares, "95 % on target"))
    for i in order:
        low, high = classes[i].low, classes[i].high
        interval = "-" if low is None or high is None else f"{low:.1%} .. {high:.1%}"
        right = (_share(score, i) for score in output.scores)
        table.add_row(classes[i].name, str(classes[i].count), *right, interval)
    return table


def _share(score: Score, number: int) -> str:
    found = score.classes[number]
    return f"{found.correct / found.count:.1%}" if found.count else "-"
