"""The ``ethos-u`` operators of a model that Vela compiled, and the tensors that each works on."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.errors import BadInputError
from deploy.tflite.model import NPU_OPERATOR, Model, Tensor


@dataclass(frozen=True)
class NpuOperator:
    """An ``ethos-u`` operator (source: Vela 5.2.0's output, TFLM's kernel of that name).

    Attributes:
        index: position in the file.
        payload: driver actions around the command stream, constant.
        constants: weights, biases and tables; without data where there are none.
        scratch: the arena.
        fast: the SRAM that the memory mode dedicates to the NPU; the scratch itself where it dedicates none.
    """

    index: int
    payload: Tensor
    constants: Tensor
    scratch: Tensor
    fast: Tensor

    @property
    def payload_bytes(self) -> bytes:
        """The content of the payload; empty where the file has none."""
        return b"" if self.payload.data is None else self.payload.data.tobytes()

    @property
    def has_fast_memory(self) -> bool:
        """Whether an SRAM is dedicated to the NPU."""
        return self.fast.index != self.scratch.index


def npu_operators(model: Model) -> tuple[NpuOperator, ...]:
    """The ``ethos-u`` operators of a model, in the order of the file.

    Raises:
        BadInputError: one has fewer than four inputs.
    """
    found = []
    for operator in model.operators:
        if not operator.on_npu:
            continue
        if len(operator.inputs) < 4 or min(operator.inputs[:4]) < 0:
            raise BadInputError(
                f"operator {operator.index} ({NPU_OPERATOR}) has fewer than four inputs",
                hints=["run `deploy compile` again"],
            )
        found.append(NpuOperator(operator.index, *(model.tensors[index] for index in operator.inputs[:4])))
    return tuple(found)
