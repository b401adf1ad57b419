"""What firmware must say about itself and its work before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deploy.errors import TargetError
from deploy.judging.inputs import named_inputs
from deploy.targets.target_text import shown
from deploy.tflite import Model, Tensor
from deploy.tflite.state import is_stateful

if TYPE_CHECKING:
    from deploy.targets.protocol import Hello, Result, TensorEntry


@dataclass(frozen=True)
class Expectations:
    """What the firmware must say about itself before it is trusted with inputs.

    Attributes:
        model_sha256: of the compiled model, in hex.
        inputs: the compiled model's input tensors by name.
        outputs: the compiled model's output tensors by name.
        npu_expected: whether the model has operators on the NPU.
        stateful: whether the model keeps anything from one inference to the next.
    """

    model_sha256: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    npu_expected: bool
    stateful: bool = False

    @classmethod
    def of(cls, compiled: Model) -> Expectations:
        """What is expected of firmware that holds a compiled model."""
        return cls(
            compiled.sha256,
            named_inputs(compiled),
            {name: compiled.tensors[index] for index, name in compiled.output_names().items()},
            any(operator.on_npu for operator in compiled.operators),
            is_stateful(compiled),
        )

    def check_hello(self, hello: Hello) -> None:
        """Compare the firmware's tables with the model's.

        Raises:
            TargetError: it holds another model, or describes it differently.
        """
        if hello.model_sha256 != self.model_sha256:
            raise TargetError(
                f"the firmware holds another model: SHA-256 {hello.model_sha256[:16]}..., "
                f"this build is {self.model_sha256[:16]}...",
                hints=["`deploy firmware BUILD --build` renders and builds it for this model"],
            )
        for what, ours, theirs in (
            ("input", self.inputs, hello.inputs),
            ("output", self.outputs, hello.outputs),
        ):
            if sorted(ours) != sorted(tensor.name for tensor in theirs):
                raise TargetError(
                    f"the firmware's {what}s are {_names(theirs)}, the model's {', '.join(ours) or 'none'}"
                )
            for tensor in theirs:
                _check_tensor(what, tensor, ours[tensor.name])

    def check_result(self, result: Result) -> None:
        """Check that the NPU did something.

        Raises:
            TargetError: it did not, although the model has operators for it.
        """
        if self.npu_expected and (result.streams == 0 or not (result.cycles or any(result.counters.values()))):
            raise TargetError("the NPU did nothing: the firmware reports no command stream and no active cycles")


def _names(tensors: tuple[TensorEntry, ...]) -> str:
    return ", ".join(shown(tensor.name, 40) for tensor in tensors[:8]) or "none"


def _check_tensor(what: str, theirs: TensorEntry, ours: Tensor) -> None:
    described = f"{theirs.dtype}{list(theirs.shape)}"
    if (theirs.shape, theirs.dtype) != (ours.shape, ours.dtype):
        raise TargetError(
            f"the firmware's {what} {theirs.name} is {described}, the model's {ours.dtype}{list(ours.shape)}"
        )
    quantization = ours.quantization
    scale = np.float32(quantization.scales[0]) if quantization else np.float32(0)
    zero_point = quantization.zero_points[0] if quantization else 0
    if np.float32(theirs.scale) != scale or theirs.zero_point != zero_point:
        raise TargetError(
            f"the firmware's {what} {theirs.name} has scale {theirs.scale:.9g} and zero point "
            f"{theirs.zero_point}, the model's {scale:.9g} and {zero_point}"
        )
