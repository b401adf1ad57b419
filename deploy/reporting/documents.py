"""What ``deploy report`` writes of several builds: the comparison, as a versioned document."""

from __future__ import annotations

from typing import Literal

from deploy.build_folder import Answer, Document, Label
from deploy.judging.standing_word import Word

COMPARISON_SCHEMA_VERSION = 1

Direction = Literal["lower", "higher", "neither"]
Judgement = Literal["better", "worse", "same", "changed"]
Change = Literal["appeared", "disappeared", "moved to the CPU", "moved to the NPU", "cycles", "memory", "outputs"]


class Cell(Document):
    """A figure in one build, against the first build.

    Attributes:
        value: None where this build does not have it.
        label: how it was obtained.
        source: what produced it.
        difference: to the first build, in the figure's unit; None where either has no value.
        percent: the same in percent of the first build's value; None where that is zero, too.
        judgement: None for the first build, and where there is no difference to judge.
    """

    value: float | None = None
    label: Label | None = None
    source: str = ""
    difference: float | None = None
    percent: float | None = None
    judgement: Judgement | None = None


class FigureRow(Document):
    """A figure in all builds.

    Attributes:
        name: as in the documents: ``total_cycles``.
        unit: of its values; ``1`` is a share of one.
    """

    name: str
    unit: str
    better: Direction
    cells: tuple[Cell, ...]


class OperatorChange(Document):
    """One operator that differs.

    Attributes:
        change: how: ``memory`` where only the SRAM in use while it runs is another, ``outputs`` where only its
            difference from the reference is.
        type: TFLite's name.
        name: of its output tensor, in the build that has it.
        before: its index in the first build; None where it appeared.
        after: its index in the other build; None where it disappeared.
        cycles_before: Vela's estimate in the first build; None where it gives none.
        cycles_after: the same in the other build.
        sram_before: bytes of SRAM in use while it runs, Vela's estimate in the first build; None where unknown.
        sram_after: the same in the other build.
        lsb_before: largest difference from the reference kernels in the first build, in steps of the output's
            integers; None where nobody compared it.
        lsb_after: the same in the other build.
        reason: why it is on the CPU, where it moved there or appeared there.
    """

    change: Change
    type: str
    name: str
    before: int | None = None
    after: int | None = None
    cycles_before: int | None = None
    cycles_after: int | None = None
    sram_before: int | None = None
    sram_after: int | None = None
    lsb_before: float | None = None
    lsb_after: float | None = None
    reason: str | None = None

    @property
    def cycles(self) -> int:
        """Cycles that it costs more than before."""
        return (self.cycles_after or 0) - (self.cycles_before or 0)

    @property
    def sram(self) -> int | None:
        """Bytes of SRAM more than before; None where either is unknown."""
        known = self.sram_before is not None and self.sram_after is not None
        return (self.sram_after or 0) - (self.sram_before or 0) if known else None

    @property
    def lsb(self) -> float | None:
        """How much farther from the reference than before; None where it was not compared in both builds."""
        known = self.lsb_before is not None and self.lsb_after is not None
        return (self.lsb_after or 0.0) - (self.lsb_before or 0.0) if known else None


class ComparedBuild(Document):
    """A build that is compared.

    Attributes:
        letter: what tables call it: A is the one that all others are compared with.
        verdict: what its last verdicts amount to; ``weak`` is a pass on weak evidence, ``none`` no verdict.
        operators: what became of the first build's operators; empty for the first one.
    """

    letter: str
    build: str
    model: str
    npu: str
    system_config: str
    memory_mode: str
    optimise: str
    verdict: Word = "none"
    operators: tuple[OperatorChange, ...] = ()

    @property
    def structural(self) -> tuple[OperatorChange, ...]:
        """Operators that appeared, disappeared or moved."""
        return tuple(change for change in self.operators if change.change not in ("cycles", "memory", "outputs"))

    @property
    def slower(self) -> tuple[OperatorChange, ...]:
        """Operators whose cycles changed, in either direction."""
        return tuple(change for change in self.operators if change.change == "cycles")

    @property
    def larger(self) -> tuple[OperatorChange, ...]:
        """Operators while which more or less SRAM is in use, the largest difference first."""
        return tuple(sorted((one for one in self.operators if one.sram), key=lambda one: -abs(one.sram or 0)))

    @property
    def farther(self) -> tuple[OperatorChange, ...]:
        """Operators that differ from the reference by more or less than before, the largest difference first."""
        return tuple(sorted((one for one in self.operators if one.lsb), key=lambda one: -abs(one.lsb or 0)))


class RuleOutcome(Document):
    """A rule applied to one figure of one build.

    Attributes:
        limit: what the value must not exceed, or not fall below.
        sentence: the same in words.
    """

    rule: str
    figure: str
    build: str
    base: float
    limit: float
    value: float
    holds: bool
    sentence: str


class Comparison(Answer):
    """What ``deploy report A B --format json`` prints.

    Attributes:
        figures: every figure that any of them has.
        notes: what does not compare, one sentence each.
        rules: the outcome of ``--fail-on``; empty without rules.
    """

    schema_version: int = COMPARISON_SCHEMA_VERSION
    builds: tuple[ComparedBuild, ...]
    figures: tuple[FigureRow, ...]
    notes: tuple[str, ...]
    rules: tuple[RuleOutcome, ...] = ()

    def row(self, name: str) -> FigureRow | None:
        """The figure of that name."""
        return next((row for row in self.figures if row.name == name), None)
