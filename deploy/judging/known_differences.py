"""Known differences: where LiteRT's reference kernels and the NPU's arithmetic part, and why.

Each is one kind of operator on its own, computed from the same inputs (see :mod:`deploy.verifying.layer_walk`),
with the largest difference and share of elements that the cause can bring about. Anything beyond is no known
difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.judging.operator_result import OperatorResult
from deploy.judging.oracles import MakeKernels, OptimisedKernels, TflmKernels, tflm_installed

OPTIMISED = "LiteRT's optimised kernels"
TFLM = "TFLM"


def alternatives() -> dict[str, MakeKernels]:
    """Other kernels to ask about one operator, by name; TFLM only where it is installed."""
    found: dict[str, MakeKernels] = {OPTIMISED: OptimisedKernels}
    if tflm_installed():
        found[TFLM] = TflmKernels
    return found


@dataclass(frozen=True)
class KnownFacts:
    """What is known about an operator that differs.

    Attributes:
        code: TFLite's name of the operator.
        dtype: type of its output.
        agreeing: other kernels that compute exactly what the NPU computes.
        overflow: the largest number that LiteRT's kernel can meet, over what its 32 bits hold.
        saturated: whether every element that differs lies at an end of the range on the NPU.
    """

    code: str
    dtype: str
    agreeing: tuple[str, ...]
    overflow: float
    saturated: bool


def explain(evidence: KnownFacts) -> str | None:
    """The cause of a difference, one sentence, or None when no cause is known.

    An overflow of LiteRT's kernel explains no more than it can do: a result that is too large for 32 bits is far
    beyond the output's range, so what does not overflow lies at an end of it.
    """
    code, dtype = evidence.code, evidence.dtype
    if evidence.agreeing:
        return (
            f"{code} ({dtype}): LiteRT's reference kernel differs from {' and '.join(evidence.agreeing)}, "
            "with which the NPU agrees exactly"
        )
    if evidence.overflow >= 1 and evidence.saturated:
        return f"{code} ({dtype}): LiteRT's kernel overflows, the output's scale is next to nothing"
    return None


def summarise(results: Sequence[OperatorResult]) -> tuple[str, ...]:
    """Why outputs differ: one sentence per known cause, and one for the first operator without any.

    An operator whose scales are not the model's is named as well, whatever it computed.
    """
    sentences: dict[str, int] = {}
    for result in results:
        known = str(result.miscompiled) if result.miscompiled else result.cause if result.mismatches else None
        if known is not None:
            sentences[known] = sentences.get(known, 0) + 1
    found = [f"{cause} ({count} operator{'s' if count > 1 else ''})" for cause, count in sentences.items()]
    wrong = [result for result in results if not result.explained and not result.miscompiled]
    unknown = next((result for result in wrong if result.first is not None and result.cause is None), None)
    if unknown is not None and unknown.first is not None:
        first = unknown.first
        found.append(
            f"no known cause: operator {unknown.index} {unknown.type} ({unknown.name}) differs from the reference "
            f"in {unknown.mismatches} of {unknown.elements} elements by up to {unknown.max_lsb:g} LSB, first at "
            f"{list(first.position)} of input {first.input}: NPU {first.npu:g}, reference {first.reference:g}"
        )
    scaled = next((result for result in wrong if result.scale_difference is not None), None)
    if scaled is not None:
        found.append(f"operator {scaled.index} {scaled.type} ({scaled.name}): {scaled.scale_difference}")
    if not found:
        found.append("every operator computes what the reference computes")
    return tuple(found)
