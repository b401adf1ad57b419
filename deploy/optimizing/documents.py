"""What ``deploy optimize --json`` writes."""

from __future__ import annotations

from typing import Literal

from deploy.build_folder import Answer, Document, Figure
from deploy.judging.comparison import OutputComparison

OPTIMIZE_SCHEMA_VERSION = 1


class Estimate(Document):
    """What Vela estimates of operators: cycles on the NPU, and how many are left on the CPU."""

    cycles: int
    cpu_operators: int


class RewriteRecord(Document):
    """All places of one kind that were written in the same other form.

    Attributes:
        rule: what kind of place it is.
        form: how it is written now.
        exact: whether that computes the same integers by construction; False where a rounding differs.
        sites: how many places.
        operators: that stood at the first of them.
        names: of the tensors that the places compute.
        before: of all of them in the network, as they were.
        after: as they are now.
    """

    rule: str
    form: str
    exact: bool
    sites: int
    operators: tuple[str, ...]
    names: tuple[str, ...]
    before: Estimate
    after: Estimate


class LeftOut(Document):
    """A form that was not used, because outputs would have left the tolerance.

    Attributes:
        rule: what kind of place it is.
        form: how it would have been written.
        max_lsb: largest difference of an output with everything that was still in use, this form included.
    """

    rule: str
    form: str
    max_lsb: float


class OptimizeDocument(Answer):
    """The document.

    Attributes:
        schema_version: of this document.
        verdict: ``pass`` when the outputs are within the tolerance and the NPU computes what the kernels do;
            ``unchanged`` when no rewrite pays.
        reason: one sentence that says why.
        model: as the user named it.
        npu: what Vela estimated for.
        system_config: section of ``Arm/vela.ini``.
        memory_mode: section of ``Arm/vela.ini``.
        optimise: Vela's strategy.
        rewrites: what was changed, most cycles first.
        left_out: what was given up to stay within the tolerance, in that order.
        before: figures of the model as it was.
        after: figures of the rewritten model.
        tolerance: largest difference of an output that was allowed, in LSB.
        inputs: how many inputs were compared.
        input_source: where they come from.
        input_sha256: over all of them.
        kernels: what both models ran on for ``outputs``.
        outputs: rewritten model against original.
        npu_reference: kernels that the NPU model is held to; empty where there is no model of the NPU.
        npu_outputs: compiled rewritten model on the NPU model against those.
        source_sha256: of the model.
        sha256: of the rewritten model.
        versions: tool name -> version.
    """

    schema_version: int = OPTIMIZE_SCHEMA_VERSION
    verdict: Literal["pass", "fail", "unchanged"]
    reason: str
    model: str
    npu: str
    system_config: str
    memory_mode: str
    optimise: str
    rewrites: tuple[RewriteRecord, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    before: tuple[Figure, ...]
    after: tuple[Figure, ...]
    tolerance: float
    inputs: int
    input_source: str
    input_sha256: str
    kernels: str
    outputs: tuple[OutputComparison, ...] = ()
    npu_reference: str = ""
    npu_outputs: tuple[OutputComparison, ...] = ()
    source_sha256: str
    sha256: str
    versions: dict[str, str]
