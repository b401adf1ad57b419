"""The reference kernels: what a model computes according to LiteRT's plain C++ kernels (BUILTIN_REF).

They are the oracle of every verdict: no delegate, no optimised kernel, one thread, so the same integers on
every machine (XNNPACK and the optimised kernels round differently and refuse some networks; measured). A few
operators have no such kernel (in LiteRT 2.3.0 ELU and TILE, among others): a model with one of them is run on the
optimised kernels, without delegates, and what is reported says so.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.judging.interpreters import OPTIMISED, REFERENCE, Order
from deploy.judging.kernel_process import KernelProcess, KernelsError, PreparedModel
from deploy.judging.kernels import Kernels, sentence
from deploy.tflite import NPU_OPERATOR, Model, Operator

_NO_KERNEL = re.compile(r"Didn't find op for builtin opcode '(\w+)'")


class ReferenceKernels(Kernels):
    """Runs a model with LiteRT's reference kernels.

    Attributes:
        name: ``LiteRT BUILTIN_REF``, for reports, or what took its place.
    """

    library = "LiteRT"
    name = "LiteRT BUILTIN_REF"
    resolver = REFERENCE
    """Member of LiteRT's ``OpResolverType``."""
    keeps_tensors = False
    """Whether inner tensors stay to be read after an inference."""

    def _prepare(self, model: Model, process: KernelProcess) -> PreparedModel:
        if any(operator.on_npu for operator in model.operators):
            raise BadInputError(
                f"the reference kernels cannot run the custom operator {NPU_OPERATOR}",
                hints=["pass the model before Vela compiled it"],
            )
        if any(_writes_beyond(operator, model) for operator in model.operators):
            raise BadInputError(
                "LiteRT cannot run the model: its SVDF kernel takes states and time weights of int8 for int16, "
                "and writes beyond them"
            )
        try:
            return super()._prepare(model, process)
        except KernelsError as error:
            missing = _NO_KERNEL.search(error.reason)
            if missing is None or self.resolver == OPTIMISED:
                raise
            order = dataclasses.replace(self.order(model), resolver=OPTIMISED)
            prepared = PreparedModel(model, order, process)
            self.name = f"LiteRT's optimised kernels (BUILTIN_REF has none for {missing[1]})"
            return prepared

    def order(self, model: Model) -> Order:
        """What is asked of the interpreter."""
        order = super().order(model)
        return dataclasses.replace(order, resolver=self.resolver, keeps_tensors=self.keeps_tensors)

    def _unprepared(self, error: KernelsError) -> BadInputError:
        if error.ended == "SIGABRT":
            return BadInputError(
                f"LiteRT's kernels abort on the model ({error.ended}): a quantization scale is out of their range",
                hints=["the network may be untrained, or calibrated with data that leaves its outputs at zero"],
            )
        return super()._unprepared(error)


def _writes_beyond(operator: Operator, model: Model) -> bool:
    """Whether LiteRT's kernel writes where other tensors lie: often without a crash, and with wrong answers.

    ``EvalIntegerSVDF`` of LiteRT 2.3.0 checks neither type; TFLM has kernels for both.
    """
    if operator.code != "SVDF" or len(operator.inputs) < 5:
        return False
    fed, time_weights, state = (model.tensors[operator.inputs[place]] for place in (0, 2, 4))
    return fed.dtype == "int8" and "int8" in (time_weights.dtype, state.dtype)


class InnerTensors(ReferenceKernels):
    """The reference kernels, with every tensor of the model to be read after an inference."""

    keeps_tensors = True

    @property
    def are_reference(self) -> bool:
        """Whether no other kernels took the reference kernels' place."""
        return self.name == ReferenceKernels.name

    def tensors(self, indices: Iterable[int]) -> dict[int, NDArray[Any]]:
        """Copies of what the last inference left in tensors; without those of which LiteRT keeps nothing.

        Raises:
            BadInputError: LiteRT has ended the process that it runs in.
        """
        try:
            return self._prepared.tensors(indices)
        except KernelsError as error:
            raise BadInputError(sentence(self.library, "run", error)) from error
