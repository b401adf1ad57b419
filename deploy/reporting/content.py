"""The data model of the HTML report: plain immutable values, every number with its label and source.

Names in here come from model files. They are shortened and freed of control characters (:func:`shown`) where they
enter the model, so everything downstream is bounded; escaping is the page's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.build_folder import CompileDocument, Label
from deploy.printable import printable

if TYPE_CHECKING:
    from deploy.advising.documents import AdviceDocument
    from deploy.evaluating.document import EvaluationDocument
    from deploy.judging.verdict import Verdict
    from deploy.quantizing.quantization import QuantizationDocument

NAME_LENGTH = 80
"""Longest name shown; converters join the names of everything they fused."""


@dataclass(frozen=True)
class Provenance:
    """How numbers were obtained, and what produced them."""

    label: Label
    source: str


@dataclass(frozen=True)
class OperatorRow:
    """An operator of the source model.

    Attributes:
        index: position in the source model.
        type: TFLite's name.
        name: of its output tensor, shortened.
        shape: of its output, ``1x56x56x24``.
        placement: NPU or CPU.
        reason: why it stays on the CPU; None on the NPU.
        cycles: Vela's estimate; None where it gives none.
        macs: multiply-accumulates; None where Vela gives none.
        needs: resource -> cycles that it alone would take; empty where unknown.
        limit: the resource that needs most cycles; None where unknown.
        traffic: memory -> bytes read and written.
        utilization: share of the NPU's MAC units that do work, 0 to 1; None without cycles.
    """

    index: int
    type: str
    name: str
    shape: str
    placement: str
    reason: str | None
    cycles: int | None
    macs: int | None
    needs: dict[str, int]
    limit: str | None
    traffic: dict[str, int]
    utilization: float | None


@dataclass(frozen=True)
class LiveTensor:
    """A tensor while it occupies memory.

    Attributes:
        name: shortened.
        kind: ``feature map`` or ``weight buffer``.
        start: first step of Vela's schedule in which it is live.
        end: last such step.
        address: first byte, an offset into the arena.
        size: bytes.
    """

    name: str
    kind: str
    start: int
    end: int
    address: int
    size: int


@dataclass(frozen=True)
class MemoryMap:
    """One memory over the time of an inference.

    Attributes:
        memory: ``SRAM`` or ``DRAM``.
        tensors: in the order in which they become live.
        clock: NPU cycle in which each step of the schedule begins, and after the last one its end. Vela gives no
            cycles for operators on the CPU: they stand with ``cpu_cycles``.
        peak: highest address in use, bytes.
        peak_step: the first step that uses it and takes time.
        limit: bytes that the model may take; None where that is unknown.
        operators: step -> the operator that runs in it.
        cpu_steps: the steps of operators on the CPU.
        cpu_cycles: what each of them is given, for something to be seen.
    """

    memory: str
    tensors: tuple[LiveTensor, ...]
    clock: tuple[int, ...]
    peak: int
    peak_step: int
    limit: int | None
    operators: dict[int, str]
    cpu_steps: tuple[int, ...] = ()
    cpu_cycles: int = 0

    @property
    def steps(self) -> int:
        """How many steps the schedule has."""
        return len(self.clock) - 1

    @property
    def at_peak(self) -> tuple[LiveTensor, ...]:
        """The tensors that are live in the peak step, largest first."""
        live = [tensor for tensor in self.tensors if tensor.start <= self.peak_step <= tensor.end]
        return tuple(sorted(live, key=lambda tensor: -tensor.size))


@dataclass(frozen=True)
class FlashPart:
    """A part of the compiled model file, in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class CompressedWeights:
    """The weights of an operator before and after Vela's encoding, in bytes.

    Attributes:
        index: of the operator in the source model.
        type: TFLite's name.
        name: of its output tensor, shortened.
        original: one byte an 8-bit weight.
        encoded: as stored in flash.
    """

    index: int
    type: str
    name: str
    original: int
    encoded: int


@dataclass(frozen=True)
class Flash:
    """What the compiled model holds.

    Attributes:
        parts: of the file; they add up to its size.
        weights: per operator; empty where Vela's database does not say.
    """

    parts: tuple[FlashPart, ...]
    weights: tuple[CompressedWeights, ...]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(part.size for part in self.parts)


@dataclass(frozen=True)
class Traffic:
    """Bytes that one inference moves: one memory, one purpose, one direction."""

    memory: str
    purpose: str
    size: int


@dataclass(frozen=True)
class Roof:
    """The roofline of one memory.

    Attributes:
        memory: ``SRAM``, ``flash`` or ``DRAM``.
        bytes_per_cycle: its bandwidth in NPU cycles.
        peak: MAC per cycle of the NPU.
        points: one per operator with MACs that moves bytes there.
    """

    memory: str
    bytes_per_cycle: float
    peak: int
    points: tuple[RooflinePoint, ...]

    @property
    def ridge(self) -> float:
        """MAC per byte from which on the MAC units, not the memory, set the pace."""
        return self.peak / self.bytes_per_cycle


@dataclass(frozen=True)
class RooflinePoint:
    """An operator in a roofline chart: MAC per byte and MAC per cycle."""

    index: int
    type: str
    name: str
    intensity: float
    performance: float
    limit: str


@dataclass(frozen=True)
class Edge:
    """A tensor from one row of the operator graph to another; ``lane`` 0 is the straight way down."""

    source: int
    target: int
    lane: int
    name: str


@dataclass(frozen=True)
class Node:
    """A row of the operator graph: an input, an operator in execution order, or an output."""

    row: int
    kind: str
    text: str
    name: str


@dataclass(frozen=True)
class OperatorGraph:
    """The graph, one row an operator.

    Attributes:
        nodes: by row.
        edges: between rows.
        left_out: operators beyond the most that are drawn.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: int


@dataclass(frozen=True)
class Confusion:
    """How often two sources of labels say what about the same inputs.

    Attributes:
        output: its name.
        against: what the rows are: ``true label``, ``float model`` or ``quantized reference``.
        labels: rows and columns.
        counts: (row label, label on target) -> inputs.
        left_out: inputs whose labels are beyond the most that are shown.
    """

    output: str
    against: str
    labels: tuple[str, ...]
    counts: dict[tuple[str, str], int]
    left_out: int

    @property
    def agreement(self) -> float:
        """Share of the counted inputs on the diagonal."""
        total = sum(self.counts.values())
        return sum(count for (row, column), count in self.counts.items() if row == column) / max(total, 1)


@dataclass(frozen=True)
class EnvironmentRow:
    """What was used, and by which commands."""

    name: str
    value: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """Everything the page shows.

    Attributes:
        document: ``compile.json``.
        quantization: ``quantize.json``; None where the model came quantized.
        verdicts: command -> its last verdict on this build.
        evaluation: the last one of this build; None where there is none.
        operators: of the source model.
        from_schedule: provenance of what Vela's debug database and reports say.
        from_summary: provenance of what Vela's summary says.
        from_file: provenance of what the compiled file itself says.
        memories: with something in them.
        flash: what the compiled model holds.
        traffic: per memory and purpose.
        roofs: per memory.
        graph: of the operators.
        confusions: command -> per output.
        environment: versions and hashes.
        missing: why a part is not there, one sentence each.
        created: when the report was written, in UTC.
        advice: what would make the model cheaper; None where nobody asked.
    """

    document: CompileDocument
    quantization: QuantizationDocument | None
    verdicts: dict[str, Verdict]
    evaluation: EvaluationDocument | None
    operators: tuple[OperatorRow, ...]
    from_schedule: Provenance
    from_summary: Provenance
    from_file: Provenance
    memories: tuple[MemoryMap, ...]
    flash: Flash
    traffic: tuple[Traffic, ...]
    roofs: tuple[Roof, ...]
    graph: OperatorGraph
    confusions: dict[str, tuple[Confusion, ...]]
    environment: tuple[EnvironmentRow, ...]
    missing: tuple[str, ...]
    created: str
    advice: AdviceDocument | None = None


def shown(name: str, length: int = NAME_LENGTH) -> str:
    """A name from a model file as it is shown: without control characters, cut in the middle."""
    clean = printable(name[:4096], keep="")
    if len(clean) <= length:
        return clean
    head = length * 2 // 3
    return f"{clean[:head]}...{clean[len(clean) - (length - head - 3) :]}"


def short_name(name: str, length: int = NAME_LENGTH) -> str:
    """The first of the names that the converter joins with ``;``, without the model's own name before it."""
    return shown(name.split(";", maxsplit=1)[0].split("/", maxsplit=1)[-1] or name, length)
