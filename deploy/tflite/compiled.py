"""What Vela leaves in a model: its ``ethos-u`` operators, and where tensors lie in the arena."""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from deploy.errors import BadInputError
from deploy.tflite.model import NPU_OPERATOR, Model, Tensor


@dataclass(frozen=True)
class NpuOperator:
    """An ``ethos-u`` operator (source: Vela 5.2.0's output, TFLM's kernel of that name).

    Attributes:
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


ARENA_METADATA = "OfflineMemoryAllocation"
_HEADER = struct.Struct("<3i")


def arena_offsets(model: Model) -> tuple[int, ...]:
    """Offset of every tensor in the arena, in bytes; -1 where Vela placed none.

    The metadata holds int32: a version, how many subgraphs, how many tensors these have together, and an offset
    for each of them, one subgraph after the other (source: Vela 5.2.0's output). TFLM refuses a model whose number
    of offsets is not that of its tensors, and so does this.

    Raises:
        BadInputError: the model has no such metadata, or it is not of this model.
    """
    data = model.metadata.get(ARENA_METADATA)
    if data is None:
        raise BadInputError(f"the model has no {ARENA_METADATA} metadata", hints=["compile it with Vela first"])
    tensors = sum(model.tensor_counts)
    count = _HEADER.unpack_from(data)[2] if len(data) >= _HEADER.size else -1
    if count != tensors or len(data) != _HEADER.size + 4 * count:
        raise BadInputError(
            f"the {ARENA_METADATA} metadata does not match the model's {tensors} tensors "
            f"({len(data)} bytes, for {count} tensors)",
            hints=["run `deploy compile` again"],
        )
    offsets = struct.unpack_from(f"<{len(model.tensors)}i", data, _HEADER.size)
    if min(offsets, default=-1) < -1:
        raise BadInputError(f"the {ARENA_METADATA} metadata places a tensor at {min(offsets)}")
    return offsets


def arena_end(model: Model, offsets: Sequence[int], *, leave_out: Collection[int] = ()) -> int:
    """Where the last tensor in the arena ends, in bytes; those in a memory of their own are left out."""
    return max(
        (
            offsets[tensor.index] + tensor.nbytes
            for tensor in model.tensors
            if offsets[tensor.index] >= 0 and tensor.index not in leave_out
        ),
        default=0,
    )
