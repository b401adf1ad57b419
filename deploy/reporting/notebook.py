"""Results in a notebook: what its cells show of a build, a verdict, an evaluation, a comparison.

There is no script in it, all text is escaped, and tables are bounded. Charts are pictures, drawn by the charting
library where it is installed: a picture runs nothing, and two of them in one notebook do not disturb each other.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from deploy.build_folder import BuildFolder
from deploy.errors import DeployError
from deploy.evaluating.documents import EvaluationDocument
from deploy.figures import format_figure, number, percent, title_of
from deploy.judging.samples import Stacked
from deploy.judging.standing_word import stamp_of, word_of
from deploy.judging.verdict import Verdict
from deploy.quantizing.quantization import Quantized
from deploy.reporting.charts import cycles, memory
from deploy.reporting.charts.library import svg
from deploy.reporting.charts.vega import Chart, printable_spec
from deploy.reporting.data import difference_words
from deploy.reporting.data.key_facts import KeyFact, key_facts
from deploy.reporting.data.names import short_name
from deploy.reporting.data.report import Report, collect
from deploy.reporting.data.standing import standing_of
from deploy.reporting.documents import Comparison
from deploy.reporting.pages.page import template

MOST_ROWS = 10
"""Most rows of a table: a cell is no report."""

_WIDTH = 760
_WHO = {"float": "float model", "reference": "reference", "target": "target"}


@dataclass(frozen=True)
class ShownTable:
    """A table.

    Attributes:
        caption: above it.
        headings: of its columns; those of numbers begin with ``#``.
        rows: texts.
    """

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ShownResult:
    """What a cell shows.

    Attributes:
        word: ``pass`` and so on, which gives it its colour; empty for none.
        stamp: the same for people.
        pictures: their sentences, and data URLs.
    """

    title: str
    sentences: tuple[str, ...] = ()
    word: str = ""
    stamp: str = ""
    facts: tuple[KeyFact, ...] = ()
    tables: tuple[ShownTable, ...] = ()
    pictures: tuple[tuple[str, str], ...] = field(default=())


def html_of(result: object) -> str | None:
    """HTML of a result; None for what is shown as text, and where a file behind it cannot be read."""
    with contextlib.suppress(DeployError):
        for kind, view in _VIEWS.items():
            if isinstance(result, kind):
                return _html(view(result))
    return None


def html_of_run(outputs: Stacked, verdict: Verdict) -> str:
    """HTML of what came back from a target, and what it is worth."""
    return _html(_run(outputs, verdict))


def _html(shown: ShownResult) -> str:
    return template("notebook.html.j2").render(shown=shown)


def _build(build: BuildFolder) -> ShownResult:
    report = collect(build)
    document, standing = report.document, standing_of(report)
    return ShownResult(
        title=f"{document.model} on {document.npu}",
        sentences=(f"{standing.title}. {standing.sentence}", *document.warnings[:MOST_ROWS]),
        word=standing.word,
        stamp=standing.stamp,
        facts=key_facts(report),
        tables=tuple(_operators(report)),
        pictures=tuple(_pictures([*cycles.cycles(report), *memory.memory_maps(report)])),
    )


def _operators(report: Report) -> Iterator[ShownTable]:
    costly = sorted((row for row in report.operators if row.cycles), key=lambda row: -(row.cycles or 0))[
        :MOST_ROWS
    ]
    total = sum(row.cycles or 0 for row in report.operators) or 1
    if costly:
        yield ShownTable(
            f"Operators by cycles (estimate), {len(costly)} of {len(report.operators)}",
            ("#", "operator", "output", "#cycles", "#share", "limited by", "output tensor"),
            tuple(
                (
                    str(row.index),
                    row.type,
                    row.shape,
                    number(row.cycles),
                    percent((row.cycles or 0) / total, 1),
                    row.limited_by,
                    row.name,
                )
                for row in costly
            ),
        )
    on_cpu = [row for row in report.operators if row.placement == "CPU"]
    if on_cpu:
        rows = tuple((str(row.index), row.type, row.reason or "-", row.name) for row in on_cpu[:MOST_ROWS])
        yield ShownTable(f"On the CPU: {len(on_cpu)}", ("#", "operator", "reason", "output tensor"), rows)


def _verdict(verdict: Verdict) -> ShownResult:
    word = word_of(verdict)
    outputs = tuple(
        (
            output.name,
            number(output.elements),
            number(output.mismatches),
            "not a number" if output.max_lsb is None else number(output.max_lsb),
            percent(output.top1_agreement),
        )
        for output in verdict.outputs[:MOST_ROWS]
    )
    against = f"{verdict.inputs} inputs against {verdict.reference}"
    tables = [
        ShownTable(against, ("output", "#elements", "#mismatches", "#max LSB", "#top-1 agreement"), outputs)
    ] * bool(outputs)
    if verdict.figures:
        figures = tuple(
            (title_of(figure.name), format_figure(figure), figure.label) for figure in verdict.figures[:MOST_ROWS]
        )
        tables.append(ShownTable("Figures", ("figure", "#value", "label"), figures))
    said = verdict.target_comparison.sentences if verdict.target_comparison else ()
    return ShownResult(
        title=verdict.platform.version if verdict.platform else "Verdict",
        sentences=(verdict.reason, *said[:MOST_ROWS], *verdict.explanations[:MOST_ROWS]),
        word=word,
        stamp=stamp_of(word),
        tables=tuple(tables),
    )


def _run(outputs: Stacked, verdict: Verdict) -> ShownResult:
    view = _verdict(verdict)
    rows = tuple(
        (
            name,
            "x".join(map(str, values.shape)),
            str(values.dtype),
            number(values.min()),
            number(values.max()),
        )
        for name, values in list(outputs.items())[:MOST_ROWS]
        if values.size
    )
    answers = ShownTable("Raw answers", ("output", "shape", "type", "#least", "#largest"), rows)
    return ShownResult(view.title, view.sentences, view.word, view.stamp, tables=(answers, *view.tables))


def _evaluation(document: EvaluationDocument) -> ShownResult:
    rows = tuple(
        (
            output.name,
            _WHO[score.contestant],
            f"{score.correct:,} of {score.count:,}",
            percent(score.accuracy),
            f"{percent(score.low)} to {percent(score.high)}",
        )
        for output in document.outputs[:MOST_ROWS]
        for score in output.scores
    )
    headings = ("output", "who", "#correct", "#accuracy", "#95 % interval")
    word = document.verdict or ""
    return ShownResult(
        title=f"Accuracy over {document.inputs:,} labelled inputs",
        sentences=(document.reason, *document.notes[:MOST_ROWS]),
        word=word,
        stamp=word.upper(),
        tables=(ShownTable(document.data, headings, rows),),
    )


def _comparison(comparison: Comparison) -> ShownResult:
    rows = difference_words.rows_shown(comparison)
    first, *others = comparison.builds
    headings = ["figure", f"#{first.letter}"]
    for build in others:
        headings += [f"#{build.letter}", f"#{build.letter} against {first.letter}"]
    body = []
    for row in rows:
        texts = [title_of(row.name), difference_words.value_words(row, row.cells[0].value)]
        for cell in row.cells[1:]:
            texts += [difference_words.value_words(row, cell.value), difference_words.judged_words(row, cell)]
        body.append(tuple(texts))
    said = [f"{build.letter}: {build.build}, {build.model} on {build.npu}" for build in comparison.builds]
    plain = [
        f"{build.letter} against {first.letter}: {difference_words.plain_words(rows, i)}"
        for i, build in enumerate(others, 1)
    ]
    return ShownResult(
        title=f"{len(comparison.builds)} builds of {first.model}",
        sentences=(*said, *plain, *comparison.notes[:MOST_ROWS]),
        tables=(ShownTable("Figures", tuple(headings), tuple(body)), *map(_changes, others)),
    )


def _changes(build: Any) -> ShownTable:
    rows = tuple(
        (
            change.change,
            change.type,
            number(change.cycles_before),
            number(change.cycles_after),
            number(change.sram_before),
            number(change.sram_after),
            short_name(change.name),
        )
        for change in build.operators[:MOST_ROWS]
    )
    caption = f"Operators of {build.letter} that differ, {len(rows)} of {len(build.operators)}"
    headings = ("what", "operator", "#cycles before", "#after", "#SRAM before", "#after", "output tensor")
    return ShownTable(caption, headings, rows)


def _quantized(quantized: Quantized) -> ShownResult:
    document = quantized.document
    rows = tuple(
        (
            output.name,
            number(output.mae),
            number(output.max_abs),
            number(output.cosine, 6),
            percent(output.top1_agreement, 1),
        )
        for output in document.agreement[:MOST_ROWS]
    )
    caption = f"Float model against quantized model, {document.agreement_samples} samples"
    headings = ("output", "#MAE", "#max abs", "#cosine", "#top-1")
    calibrated = f"{document.precision}, {document.io} inputs and outputs; calibrated on {document.calibration}"
    return ShownResult(
        title=f"{document.model}, quantized",
        sentences=(calibrated, *document.warnings[:MOST_ROWS]),
        tables=(ShownTable(caption, headings, rows),) * bool(rows),
    )


def _pictures(charts: Iterable[Chart]) -> Iterator[tuple[str, str]]:
    """Charts as pictures on white; none where the charting library is not installed."""
    with contextlib.suppress(ImportError):
        for chart in charts:
            spec = {**chart.spec, "width": _WIDTH, "config": {**chart.spec["config"], "background": "#ffffff"}}
            drawn = base64.b64encode(svg(printable_spec(spec)).encode()).decode()
            yield chart.summary, f"data:image/svg+xml;base64,{drawn}"


_VIEWS: dict[type, Callable[[Any], ShownResult]] = {
    BuildFolder: _build,
    Verdict: _verdict,
    EvaluationDocument: _evaluation,
    Comparison: _comparison,
    Quantized: _quantized,
}
