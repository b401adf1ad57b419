"""The verdict of a run, as ``--json`` writes it: a versioned document with the evidence that it rests on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deploy.build_folder import Answer, Document, Figure
from deploy.judging.comparison import FLOAT_TOLERANCE, OutputComparison
from deploy.judging.evidence import Evidence
from deploy.judging.first_able import OracleLeftOut
from deploy.judging.limit_outcome import LimitOutcome
from deploy.judging.located import Located
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import OperatorResult
from deploy.judging.origin import FirmwareRecord, Platform
from deploy.judging.target_comparison import TargetComparison

VERDICT_SCHEMA_VERSION = 1

DEFAULT_TOLERANCE_LSB = 1.0
"""Largest difference that passes where nothing else is asked for: a rounding of the last place."""


class Prediction(Document):
    """What one output says about one input: labels by arg max, probability by softmax on the host.

    Attributes:
        input: index of the input.
        output: name of the output.
        target: label (or class number) that the target computed.
        reference: label that the reference kernels computed.
        probability: softmax of the target's dequantized logits at that label; None where the output holds
            probabilities or no logits.
        true: the true label, where labels were given.
        float_model: label that the float model computed, where it is known.
    """

    input: int
    output: str
    target: str
    reference: str
    probability: float | None = None
    true: str | None = None
    float_model: str | None = None


class ReferenceOpinion(Document):
    """The comparison with a reference that the verdict does not rest on, shown because it differs."""

    reference: str
    outputs: tuple[OutputComparison, ...]


class Verdict(Answer):
    """The verdict document.

    Attributes:
        schema_version: of this document.
        verdict: ``pass``, ``fail``, ``error`` when there was no complete answer to judge, or ``no_reference`` when
            nothing failed and nobody knows what was compiled.
        exit_status: of the command that wrote this document.
        reason: one sentence that says why.
        inputs: how many inputs were answered and compared.
        inputs_requested: how many were to be fed.
        input_source: where the inputs come from.
        input_sha256: over all inputs.
        sequence: whether the inputs were one sequence, in which the model kept its state; else each started from
            the model's initial state.
        fed_back: state that the model hands out and takes in again: input -> output of the inference before it.
        input_notes: what a reader should know of the inputs: values that saturate, labels that are not used.
        evidence: how much the verdict rests on; None where nothing was compared.
        reference: the kernels that the verdict rests on: LiteRT's reference kernels, or TFLM's where the target
            equals those and LiteRT's round otherwise.
        tolerance: largest difference of quantized outputs from the reference that passes, end to end, in LSB.
        build: the build folder.
        model_sha256: of the compiled model that ran.
        platform: what ran it; None when no simulator could be found.
        firmware: what was booted; None when there was none.
        outputs: the comparison with ``reference``, per output.
        other_references: comparisons with other references, where the first one differs beyond the tolerance.
        left_out_references: oracles that cannot run the model, or ended their process with it, or are not
            installed, as far as they were asked, and why.
        target_comparison: the target against the NPU model; None where the NPU model itself answered, and where
            there was no complete answer.
        accepted: differences that an option let pass, one sentence each.
        operator_check: what was compared operator by operator, where, and what was left out.
        operators: the operators that differ, of the first inputs with differing outputs where there are any; all
            where it was asked for. Each is compared on the NPU's own inputs.
        located: where the target first computed something else than the NPU model; None where that was not asked
            for, or the two agree.
        explanations: why outputs differ, one sentence per cause.
        runner_lacks: operators that Arm's prebuilt runner cannot compute, as ``compile`` found, one sentence each.
        predictions: per input and output with classes.
        figures: every number, each labelled.
        limits: what ``check`` held figures to, and what came out.
        log: last lines of the target when there was no complete answer.
        versions: tool name -> version; ``npu-model``: whether its compiled core computed, or NumPy.
    """

    schema_version: int = VERDICT_SCHEMA_VERSION
    verdict: Literal["pass", "fail", "error", "no_reference"]
    exit_status: int
    reason: str
    inputs: int
    inputs_requested: int = 0
    input_source: str = ""
    input_sha256: str = ""
    sequence: bool = False
    fed_back: dict[str, str] = Field(default_factory=dict)
    input_notes: tuple[str, ...] = ()
    evidence: Evidence | None = None
    reference: str
    tolerance: float
    build: str
    model_sha256: str = ""
    platform: Platform | None
    firmware: FirmwareRecord | None
    outputs: tuple[OutputComparison, ...] = ()
    other_references: tuple[ReferenceOpinion, ...] = ()
    left_out_references: tuple[OracleLeftOut, ...] = ()
    target_comparison: TargetComparison | None = None
    accepted: tuple[str, ...] = ()
    operator_check: OperatorCheck = Field(default_factory=OperatorCheck)
    operators: tuple[OperatorResult, ...] = ()
    located: Located | None = None
    explanations: tuple[str, ...] = ()
    runner_lacks: tuple[str, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    figures: tuple[Figure, ...] = ()
    limits: tuple[LimitOutcome, ...] = ()
    log: tuple[str, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The verdict as people read it: ``PASS``, or ``PASS, weak: ...`` where what a pass rests on is weak."""
        weak = "; ".join(self.evidence.weak) if self.evidence and self.verdict == "pass" else ""
        word = self.verdict.upper().replace("_", " ")
        return f"{word}, weak: {weak}" if weak else word


def judge(outputs: tuple[OutputComparison, ...], tolerance: float) -> tuple[bool, str]:
    """Whether all outputs are within tolerance, and one sentence that says why.

    No outputs, or outputs without elements, are no evidence and never pass.
    """
    if not outputs or any(output.elements == 0 for output in outputs):
        return False, "nothing was compared"
    outside = [output for output in outputs if not output.within(tolerance)]
    if outside:
        named = ", ".join(
            f"{output.name} differs by {output.largest} in {output.mismatches} of {output.elements}"
            for output in outside
        )
        return False, f"beyond the tolerance of {tolerance:g} LSB: {named}"
    mismatches = sum(output.mismatches for output in outputs)
    elements = sum(output.elements for output in outputs)
    if mismatches == 0:
        return True, f"all {elements} output elements equal the reference"
    said = [f"{mismatches} of {elements} output elements differ"]
    steps = [output for output in outputs if output.mismatches and output.float_tolerance is None]
    if steps:
        worst = max(output.max_lsb or 0.0 for output in steps)
        said.append(f"by at most {worst:g} LSB (end-to-end tolerance {tolerance:g} LSB)")
    floats = [output for output in outputs if output.mismatches and output.float_tolerance is not None]
    if floats and not any(output.decided_inside for output in floats):
        said.append(f"floats by at most {FLOAT_TOLERANCE:g} of their largest value")
    elif floats:
        named = ", ".join(output.name for output in floats)
        said.append(f"{named} behind float operators, where what these start from decides")
    return True, ", ".join(said)


def reason_of_second(first: ReferenceOpinion, second: ReferenceOpinion) -> str:
    """Why a verdict passes on ``second`` though ``first`` differs beyond the tolerance."""
    differing = ", ".join(
        f"{output.name} by up to {output.largest} in {output.mismatches} of {output.elements}"
        for output in first.outputs
        if output.mismatches
    )
    same = "equals" if not any(output.mismatches for output in second.outputs) else "is within tolerance of"
    return (
        f"the target {same} {second.reference}, the microcontroller's own kernels; "
        f"{first.reference} rounds otherwise: {differing}"
    )
