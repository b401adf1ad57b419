"""The few facts of a build that everybody asks for: what runs where, time, memory, accuracy. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.build_folder import Label
from deploy.figures import format_bytes, format_figure, percent
from deploy.reporting.data.build_documents import ACCURACY
from deploy.reporting.data.names import shown
from deploy.reporting.data.report import Report

_FULL = 0.9
"""From this share on, a memory counts as nearly full."""

_MOST_TYPES = 3


@dataclass(frozen=True)
class KeyFact:
    """A fact.

    Attributes:
        title: what it is about.
        value: for people.
        said: what to make of it.
        label: how it was obtained.
        source: what produced it.
        share: of what there is, 0 to 1, drawn as a bar; None for no bar.
        what: the share belongs to, in words: ``of the SRAM``.
        alarming: whether somebody has to look at it.
    """

    title: str
    value: str
    said: str
    label: Label
    source: str
    share: float | None = None
    what: str = ""
    alarming: bool = False


def key_facts(report: Report) -> tuple[KeyFact, ...]:
    """The facts that are known."""
    return tuple(fact for find in (_placement, _time, _sram, _flash, _accuracy) for fact in find(report))


def _placement(report: Report) -> Iterator[KeyFact]:
    document = report.document
    total, on_cpu = len(document.operators), len(document.cpu_operators)
    if not total:
        return
    types = Counter(operator.type for operator in document.cpu_operators)
    named = ", ".join(shown(kind, 40) for kind, _ in types.most_common(_MOST_TYPES))
    more = ", ..." if len(types) > _MOST_TYPES else ""
    yield KeyFact(
        title="Operators on the NPU",
        value=f"{total - on_cpu:,} of {total:,}",
        said=f"on the CPU: {named}{more}" if on_cpu else "none is left to the CPU",
        label=report.from_summary.label,
        source=report.from_summary.source,
        share=(total - on_cpu) / total,
        what="of the operators run on the NPU",
    )


def _time(report: Report) -> Iterator[KeyFact]:
    time, clock = report.document.figure("inference_time"), report.document.figure("core_clock")
    if time is None or time.value <= 0 or time.unit != "ms":
        return
    rate = 1000 / time.value
    said = f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.2g} a second"
    if clock is not None:
        said += f" at {format_figure(clock)}"
    if report.document.cpu_operators:
        said += ", operators on the CPU not counted"
    yield KeyFact("Time per inference", format_figure(time), said, time.label, time.source)


def _sram(report: Report) -> Iterator[KeyFact]:
    peak, limit = report.document.figure("sram_peak"), report.sram_limit
    if peak is None:
        return
    if not limit:
        yield KeyFact("Working memory", format_figure(peak), "of SRAM at the peak", peak.label, peak.source)
        return
    share = peak.value / limit
    fits = "more than the" if share > 1 else "nearly all of the" if share >= _FULL else "of the"
    yield KeyFact(
        title="Working memory",
        value=format_figure(peak),
        said=f"{fits} {format_bytes(limit)} of SRAM that it may take",
        label=peak.label,
        source=peak.source,
        share=min(share, 1.0),
        what="of the SRAM is taken",
        alarming=share > 1,
    )


def _flash(report: Report) -> Iterator[KeyFact]:
    flash, dram = report.document.figure("flash"), report.document.figure("dram_peak")
    if flash is not None and flash.value:
        yield KeyFact(
            "Storage", format_figure(flash), "of flash for weights and commands", flash.label, flash.source
        )
    if dram is not None and dram.value:
        yield KeyFact("DRAM", format_figure(dram), "at the peak", dram.label, dram.source)


def _accuracy(report: Report) -> Iterator[KeyFact]:
    """Of the evaluation's first output; without one, of the verdict on most inputs."""
    if report.evaluation is not None:
        figure = next((figure for figure in report.evaluation.figures if figure.name.startswith(ACCURACY)), None)
        for output in report.evaluation.outputs[:1]:
            target, floating = output.score("target"), output.score("float")
            if target is not None and figure is not None:
                compared = f", float model {percent(floating.accuracy)}" if floating else ""
                said = f"{shown(output.name, 40)}: {target.count:,} labelled inputs{compared}"
                yield KeyFact("Right answers", percent(target.accuracy), said, figure.label, figure.source)
        return
    for verdict in sorted(report.verdicts.values(), key=lambda verdict: -verdict.inputs):
        for figure in verdict.figures:
            if figure.name.startswith(ACCURACY):
                said = f"{shown(figure.name.removeprefix(ACCURACY), 40)}: {shown(figure.source)}"
                yield KeyFact("Right answers", percent(figure.value), said, figure.label, figure.source)
                return
