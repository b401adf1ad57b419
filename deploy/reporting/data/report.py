"""Everything that the page of a build shows: plain immutable values, every number with its label and source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.build_folder import CompileDocument, Label

if TYPE_CHECKING:
    from deploy.advising.documents import AdviceDocument
    from deploy.evaluating.documents import EvaluationDocument
    from deploy.judging.verdict import Verdict
    from deploy.quantizing.quantization import QuantizationDocument
    from deploy.reporting.data.confusions import Confusion
    from deploy.reporting.data.environment import EnvironmentRow
    from deploy.reporting.data.flash import Flash
    from deploy.reporting.data.memory_map import MemoryMap
    from deploy.reporting.data.operator_graph import OperatorGraph
    from deploy.reporting.data.operators import OperatorRow
    from deploy.reporting.data.roofs import Roof
    from deploy.reporting.data.traffic import MovedBytes


@dataclass(frozen=True)
class Provenance:
    """How numbers were obtained, and what produced them."""

    label: Label
    source: str


@dataclass(frozen=True)
class Report:
    """Everything the page shows.

    Attributes:
        document: ``compile.json``.
        quantization: ``quantize.json``; None where the model came quantized.
        operators: of the source model.
        from_schedule: provenance of what Vela's debug database and reports say.
        from_summary: provenance of what Vela's summary says.
        from_file: provenance of what the compiled file itself says.
        memories: with something in them.
        flash: what the compiled model holds.
        traffic: per memory and purpose.
        roofs: per memory.
        graph: of the operators.
        missing: why a part is not there, one sentence each.
        verdicts: command -> its last verdict on this build.
        confusions: command -> per output.
        evaluation: the last one of this build; None where there is none.
        environment: versions and hashes.
        created: when the report was written, in UTC.
        advice: what would make the model cheaper; None where nobody asked.
    """

    document: CompileDocument
    quantization: QuantizationDocument | None
    operators: tuple[OperatorRow, ...]
    from_schedule: Provenance
    from_summary: Provenance
    from_file: Provenance
    memories: tuple[MemoryMap, ...]
    flash: Flash
    traffic: tuple[MovedBytes, ...]
    roofs: tuple[Roof, ...]
    graph: OperatorGraph
    missing: tuple[str, ...]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    confusions: dict[str, tuple[Confusion, ...]] = field(default_factory=dict)
    evaluation: EvaluationDocument | None = None
    environment: tuple[EnvironmentRow, ...] = ()
    created: str = ""
    advice: AdviceDocument | None = None
