"""The NPU model with each set of kernels that may stand for the firmware's, and which answers are not its own."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.errors import DeployError
from deploy.hardware.npus import Npu
from deploy.judging.oracles import MakeKernels, TflmKernels, tflm_installed
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample, stacked
from deploy.tflite import Model
from deploy.verifying.host_session import HostSession
from deploy.verifying.steps import InferenceSteps


@dataclass(frozen=True)
class ModelWithKernels:
    """The NPU model with kernels for the operators on the CPU.

    Attributes:
        kernels: whose they are: ``TFLM`` or ``LiteRT``.
        different: the inputs whose answers are not the model's.
    """

    kernels: str
    different: tuple[int, ...]
    _model: Model
    _npu: Npu
    _make: MakeKernels

    def steps(self, sample: Sample) -> InferenceSteps:
        """One inference, step by step."""
        return InferenceSteps(self._model, self._npu, sample, self._make)


def models_of(
    model: Model, npu: Npu, samples: Sequence[Sample], answers: Sequence[Sample]
) -> tuple[ModelWithKernels, ...]:
    """With TFLM's kernels first, which the firmware has, where an operator is on the CPU; and with LiteRT's.

    Args:
        model: that Vela wrote.
        npu: that it was compiled for.
        samples: inputs.
        answers: a target's, one an input, outputs by name.

    Raises:
        BadInputError: the NPU model cannot run it.
        NotInstalledError: LiteRT is missing.
        TargetError: the NPU model refused the command stream, or a CPU operator failed.
    """

    def with_kernels(name: str, make: MakeKernels) -> ModelWithKernels:
        expected = HostSession(model, npu, kernels=make).outputs(stacked(samples))
        different = (
            number
            for number, answer in enumerate(answers)
            # As bytes: a number that is none equals itself.
            if any(array.tobytes() != expected[output][number].tobytes() for output, array in answer.items())
        )
        return ModelWithKernels(name, tuple(different), model, npu, make)

    found = []
    if any(not operator.on_npu for operator in model.operators) and tflm_installed():
        with contextlib.suppress(DeployError):  # it need not know every operator
            found.append(with_kernels("TFLM", TflmKernels))
    return (*found, with_kernels("LiteRT", ReferenceKernels))
