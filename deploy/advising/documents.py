"""``advice.json``: hints with their figures, as the build folder keeps them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deploy.build_folder import Document, Label

ADVICE_SCHEMA_VERSION = 1

Level = Literal["quick", "full"]

Kind = Literal[
    "rewrite",
    "cheaper operator",
    "on the host",
    "input and output types",
    "channels",
    "memory",
    "whole network",
    "input size",
]

Outputs = Literal["exact", "within rounding", "interface changes", "needs retraining"]
"""What becomes of the network's outputs."""

_NAME_LENGTH = 200

_Count = Annotated[int, Field(ge=0, lt=1 << 62)]


class Costs(Document):
    """What Vela estimates of some operators or of a network; None where that does not apply.

    Attributes:
        cpu_operators: left on the CPU, whose time Vela does not know.
        cycles: of the NPU.
        sram_bytes: peak.
        dram_bytes: peak.
        flash_bytes: weights and commands.
    """

    cpu_operators: _Count | None = None
    cycles: _Count | None = None
    sram_bytes: _Count | None = None
    dram_bytes: _Count | None = None
    flash_bytes: _Count | None = None


class Hint(Document):
    """One thing to change.

    Attributes:
        kind: of the change.
        title: what it is about, one phrase.
        operators: types of the operators concerned, each once; empty for the whole network.
        places: how many places of the network it is about.
        names: output tensors of the first few, as the model has them.
        present: what they cost as the model is.
        changed: what they cost after the change.
        label: of these figures.
        source: what produced them.
        action: what to do, one phrase.
        outputs: what becomes of the network's outputs.
        value: for ``input size``: the present size and the changed one.
    """

    kind: Kind
    title: str
    operators: tuple[str, ...] = ()
    places: _Count = 1
    names: tuple[Annotated[str, Field(max_length=_NAME_LENGTH)], ...] = ()
    present: Costs
    changed: Costs
    label: Label = "estimate"
    source: str
    action: str
    outputs: Outputs
    value: tuple[_Count, _Count] | None = None

    def saved(self, figure: str) -> int:
        """How much smaller a figure gets; 0 where it does not apply."""
        present, changed = getattr(self.present, figure), getattr(self.changed, figure)
        return 0 if present is None or changed is None else int(present - changed)

    @property
    def rank(self) -> tuple[int, int, int]:
        """Sorts hints: operators on the CPU first, then cycles, then SRAM; what saves most is smallest."""
        return -self.saved("cpu_operators"), -self.saved("cycles"), -self.saved("sram_bytes")

    @property
    def worthwhile(self) -> bool:
        """Whether it wins anything: fewer operators on the CPU, cycles or bytes, or a larger input."""
        if self.value is not None:
            return self.value[1] > self.value[0]
        if self.saved("cpu_operators"):
            return self.saved("cpu_operators") > 0
        return any(self.saved(figure) > 0 for figure in self.counted)

    @property
    def counted(self) -> tuple[str, ...]:
        """Figures that are worth saving; another memory mode only moves what lies in flash."""
        return ("cycles", "sram_bytes") if self.kind == "memory" else ("cycles", "sram_bytes", "flash_bytes")


class AdviceDocument(Document):
    """``advice.json``.

    Attributes:
        schema_version: of this document.
        level: ``quick``: operators alone; ``full``: whole networks, too.
        compiled_sha256: of the compiled model that it is about.
        hints: by what they save.
        notes: what was not tried, and why, one sentence each.
    """

    schema_version: int = ADVICE_SCHEMA_VERSION
    level: Level
    compiled_sha256: str
    hints: tuple[Hint, ...]
    notes: tuple[str, ...] = ()


def short(name: str) -> str:
    """A tensor's name as a hint keeps it."""
    return name[:_NAME_LENGTH]


def ordered(hints: list[Hint]) -> tuple[Hint, ...]:
    """The hints that win anything, by what they save."""
    return tuple(sorted((hint for hint in hints if hint.worthwhile), key=lambda hint: hint.rank))
