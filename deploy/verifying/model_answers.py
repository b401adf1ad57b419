"""What a target must answer: the NPU model's integers for the same inputs, and which of them its CPU may round."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from deploy.errors import BadInputError, DeployError, NotInstalledError, TargetError
from deploy.hardware.npus import Npu
from deploy.judging.float_parts import is_inner
from deploy.judging.oracles import TflmKernels, tflm_installed
from deploy.judging.samples import Sample
from deploy.judging.target_comparison import TargetComparison, compare_with_model
from deploy.tflite import Model, Operator
from deploy.verifying.host_session import HostSession

_MOVES = frozenset(
    (
        *("BATCH_TO_SPACE_ND", "BROADCAST_TO", "DEPTH_TO_SPACE", "EXPAND_DIMS", "FILL", "GATHER", "GATHER_ND"),
        *("PACK", "PAD", "PADV2", "RESHAPE", "REVERSE_V2", "SELECT", "SELECT_V2", "SHAPE", "SLICE"),
        *("SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE"),
        *("TRANSPOSE", "UNPACK", "ZEROS_LIKE"),
    )
)
_CHOOSES = frozenset(["ARG_MAX", "ARG_MIN", "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "MAX_POOL_2D"])
"""Operators that move or choose numbers: there is nothing to round, whoever computes them."""


class ModelAnswers:
    """The NPU model beside a target.

    Args:
        source: the model that was compiled.
        compiled: what runs on the target.
        npu: that it was compiled for.
        sequence: whether the samples are one sequence, in which the model keeps its state.

    Attributes:
        left_out: why the NPU model has nothing to say; empty as long as it has.
    """

    def __init__(self, source: Model, compiled: Model, npu: Npu, *, sequence: bool = False) -> None:
        self._source, self._compiled, self._npu, self._sequence = source, compiled, npu, sequence
        self._samples: list[Sample] = []
        self._expected: list[Sample] = []
        self._session: HostSession | None = None
        self.left_out = ""
        try:
            self._session = HostSession(compiled, npu, sequence=sequence)
        except (BadInputError, NotInstalledError) as error:
            self.left_out = error.message

    @property
    def session(self) -> HostSession | None:
        """What runs the NPU model; None where it cannot run the build."""
        return None if self.left_out else self._session

    @property
    def inner(self) -> tuple[Sample, ...]:
        """Per sample so far, the tensors that decide about outputs computed in floating point, by name."""
        return tuple({name: a for name, a in sample.items() if is_inner(name)} for sample in self._expected)

    def expect(self, samples: Sequence[Sample]) -> None:
        """Run samples, all of a sequence at once; the target's answers to them may come later.

        Raises:
            BadInputError: a sample does not fit the model.
        """
        session = self.session
        if session is None:
            return
        try:
            self._expected += [answer.outputs for answer in session.answers(samples)]
        except TargetError as error:
            self.left_out = error.message
        self._samples += samples

    def compared(self, answers: Sequence[Sample], tolerance: float) -> TargetComparison:
        """Compare a target's answers.

        Operators on the CPU are computed by LiteRT's reference kernels, and where that differs and TFLM is
        installed by its kernels: those of the firmware, for this computer.

        Args:
            answers: one for every sample, outputs by name.
            tolerance: for outputs behind operators that the firmware may round otherwise, in LSB.
        """
        if self.left_out:
            return TargetComparison(left_out=self.left_out)
        rounding = rounded_on_cpu(self._compiled)
        found = compare_with_model(self._source, answers, self._expected, rounding, tolerance)
        if any(output.cpu_operators and output.mismatches for output in found.outputs) and tflm_installed():
            with suppress(DeployError):
                session = HostSession(self._compiled, self._npu, kernels=TflmKernels, sequence=self._sequence)
                expected = [answer.outputs for answer in session.answers(self._samples)]
                other = compare_with_model(self._source, answers, expected, rounding, tolerance)
                pairs = zip(found.outputs, other.outputs, strict=True)
                found = TargetComparison(
                    outputs=tuple(min(pair, key=lambda each: each.mismatches) for pair in pairs)
                )
        return found


def rounded_on_cpu(compiled: Model) -> dict[str, tuple[str, ...]]:
    """Operators in front of each output that the firmware's CPU computes, and may round otherwise than this host.

    Args:
        compiled: that Vela wrote.

    Returns:
        Output name -> operators as ``index type``; none where the NPU and moves of data alone make it.
    """
    behind: dict[int, dict[int, str]] = {}
    for operator in compiled.operators:
        mine: dict[int, str] = {}
        for index in operator.inputs:
            mine |= behind.get(index, {})
        if _rounds(operator, compiled):
            mine[operator.index] = f"{operator.index} {operator.code}"
        for index in operator.outputs:
            behind[index] = mine
    return {
        name: tuple(text for _, text in sorted(behind.get(index, {}).items()))
        for index, name in compiled.output_names().items()
    }


def _rounds(operator: Operator, compiled: Model) -> bool:
    if operator.on_npu or operator.code in _MOVES or operator.code in _CHOOSES:
        return False
    if operator.code == "QUANTIZE":
        # A float divided by the scale and rounded is the same wherever floats are.
        return np.dtype(compiled.tensors[operator.inputs[0]].dtype).kind != "f"
    return operator.code != "DEQUANTIZE"  # a product of floats or doubles: compared to a thousandth of a step
