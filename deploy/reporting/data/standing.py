"""How a build stands, in plain words: what its verdicts amount to, and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.judging.standing_word import Word, decisive, stamp_of, word_of
from deploy.judging.verdict import Verdict
from deploy.reporting.data.advice_rows import hint_row
from deploy.reporting.data.build_documents import ACCURACY
from deploy.reporting.data.names import shown
from deploy.reporting.data.report import Report

_TITLES: dict[Word, str] = {
    "pass": "The compiled model computes what the original computes",
    "weak": "Nothing wrong was found, but the test was weak",
    "fail": "Do not ship this: the compiled model computes something else",
    "error": "No verdict: the target gave no complete answer",
    "no_reference": "No verdict: there is no original to compare with",
    "none": "Compiled, but not tested yet",
}

_NOT_KEPT = "Do not ship this: it does not keep what was asked of it"
"""Of a failure that is none of arithmetic: a limit is broken, or the evidence was to be strong."""

_WHERE = {
    "host": "on this computer's model of the NPU",
    "open": "on a simulated board",
    "arm": "on Arm's simulated board",
    "board": "on the board",
}

_MOST_STEPS = 4


@dataclass(frozen=True)
class Step:
    """One thing to do next.

    Attributes:
        what: one sentence, without its full stop.
        commands: that do it; empty where none does.
    """

    what: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standing:
    """What somebody learns who reads one paragraph.

    Attributes:
        word: what the verdicts amount to; ``none`` where there are none.
        title: the same as a headline.
        sentence: why.
        steps: what to do next, the most urgent first.
    """

    word: Word
    title: str
    sentence: str
    steps: tuple[Step, ...]

    @property
    def stamp(self) -> str:
        """The word as it stands before the headline."""
        return stamp_of(self.word)


def standing_of(report: Report) -> Standing:
    """What the verdicts and the check of ``compile`` amount to.

    A failure anywhere is a failure; a command that got no answer leaves the question open.
    """
    faults = report.checked.faults if report.checked else ()
    command, verdict = decisive(report.verdicts)
    word = word_of(verdict)
    otherwise = bool(faults) or (verdict is not None and _computes_otherwise(verdict))
    if faults and word != "fail":
        word, sentence = "fail", f"The check after compiling found: {shown(faults[0], 300)}"
    elif verdict is None:
        sentence = _checked(report)
    else:
        sentence = _sentence(verdict, word)
    title = _NOT_KEPT if word == "fail" and not otherwise else _TITLES[word]
    steps = tuple(_steps(report, word, command, otherwise=otherwise))
    return Standing(word, title, sentence, steps[:_MOST_STEPS])


def _computes_otherwise(verdict: Verdict) -> bool:
    """Whether outputs or operators differ from what they are held to, by more than is allowed."""
    outputs = any(not output.within(verdict.tolerance) for output in verdict.outputs)
    target = verdict.target_comparison is not None and bool(verdict.target_comparison.differing)
    return outputs or target or bool(verdict.operator_check.unexplained)


def _checked(report: Report) -> str:
    """What is known of a build without a verdict."""
    check = report.checked.check if report.checked else None
    if check is None or not check.operators:
        return "Nobody knows yet whether it computes what the original computes."
    return (
        f"While compiling, {check.operators:,} operators were compared with the original one by one, without a "
        "fault; no inputs have run through the whole model."
    )


def _sentence(verdict: Verdict, word: Word) -> str:
    if word in ("fail", "error", "no_reference"):
        return _full_stop(shown(verdict.reason, 400))
    where = _WHERE[verdict.platform.kind] if verdict.platform else "on the target"
    elements = sum(output.elements for output in verdict.outputs)
    differ = sum(output.mismatches for output in verdict.outputs)
    inputs = f"{verdict.inputs:,} input{'s' if verdict.inputs != 1 else ''}"
    if not differ:
        said = f"All {elements:,} numbers that it gave for {inputs} {where} are exactly those of the original."
    else:
        said = (
            f"Of the {elements:,} numbers that it gave for {inputs} {where}, {differ:,} differ from the "
            f"original's, none by more than is allowed."
        )
    weak = verdict.evidence.weak if verdict.evidence and word == "weak" else ()
    return " ".join([said, *(_full_stop(shown(f"{why[:1].upper()}{why[1:]}", 300)) for why in weak[:1])])


def _full_stop(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _steps(report: Report, word: Word, command: str, *, otherwise: bool) -> Iterator[Step]:
    document = report.document
    if word == "fail" and otherwise:
        yield Step("Find the first operator that differs", ("deploy verify BUILD --layers",))
        yield Step("Where it only differs on the target, find where", ("deploy run-fvp BUILD --locate",))
    elif word == "error":
        yield Step("See what is missing here, then run it again", ("deploy doctor", f"deploy {command} BUILD"))
    elif word == "none":
        yield Step("Test it on this computer, with inputs of yours", ("deploy verify BUILD --data DATA",))
        yield Step("Boot it on a simulated board", ("deploy run-fvp BUILD",))
    elif word == "weak":
        yield Step("Test it with inputs of yours", (f"deploy {command} BUILD --data DATA",))
    elif word == "no_reference":
        yield Step(
            "Name the model that it was compiled from", (f"deploy {command} FILE.tflite --source MODEL.tflite",)
        )
    elif word == "pass" and command in ("check", "verify"):
        yield Step("Boot it on a simulated board", ("deploy run-fvp BUILD",))
    if report.sram_limit and (peak := document.figure("sram_peak")) and peak.value > report.sram_limit:
        yield Step("Make it smaller: it takes more SRAM than there is", ("deploy report BUILD --advice full",))
    if document.cpu_operators:
        several = len(document.cpu_operators)
        what = "1 operator" if several == 1 else f"{several:,} operators"
        yield Step(
            f"See why {what} stay{'s' if several == 1 else ''} on the CPU (Placement), and whether another form "
            "runs on the NPU",
            (f"deploy optimize MODEL --npu {document.npu}",),
        )
    if report.advice is None:
        yield Step("Look for what would make it cheaper", ("deploy report BUILD --advice full",))
    elif report.advice.hints:
        row = hint_row(report.advice.hints[0])
        yield Step(f"What would save most (Advice): {shown(row.title, 160)}: {shown(row.action, 200)}")
    if word == "pass":
        figures = (figure for verdict in report.verdicts.values() for figure in verdict.figures)
        if report.evaluation is None and not any(figure.name.startswith(ACCURACY) for figure in figures):
            yield Step("Count its right answers on labelled data", ("deploy evaluate BUILD --data DATA",))
        yield Step("Take it into firmware of yours", ("deploy firmware BUILD",))
