"""What the compiled model file is made of, and how far Vela compressed each operator's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.reporting.data.names import short_name, shown
from deploy.reporting.data.operators import NamedOperator, OperatorSchedule
from deploy.tflite import Model
from deploy.tflite.compiled import npu_operators

_WEIGHTS_INPUT = 1
"""The input of TFLite's convolutions and fully connected layers that holds the weights."""
_WEIGHTED = frozenset(["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"])


@dataclass(frozen=True)
class FlashPart:
    """A part of the compiled model file, in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class CompressedWeights(NamedOperator):
    """The weights of an operator before and after Vela's encoding, in bytes.

    Attributes:
        original: one byte an 8-bit weight.
        encoded: as stored in flash.
    """

    original: int
    encoded: int


@dataclass(frozen=True)
class Flash:
    """What the compiled model holds."""

    parts: tuple[FlashPart, ...]
    weights: tuple[CompressedWeights, ...]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(part.size for part in self.parts)


def flash_of(source: Model, compiled: Model, schedule: Mapping[int, OperatorSchedule]) -> Flash:
    """Take the compiled model apart; without a schedule weights and other constants are one part."""
    on_npu = npu_operators(compiled)
    streams = {operator.payload.index for operator in on_npu}
    constants = {operator.constants.index for operator in on_npu}
    commands, read_only, others = 0, 0, 0
    counted: set[int] = set()
    for tensor in compiled.tensors:
        if tensor.data is None or tensor.buffer in counted:
            continue
        counted.add(tensor.buffer)
        if tensor.index in streams:
            commands += tensor.data.size
        elif tensor.index in constants:
            read_only += tensor.data.size
        else:
            others += tensor.data.size
    weights = sum(scheduled.weights for scheduled in schedule.values())
    parts = [("command stream", commands)]
    if 0 < weights <= read_only:
        parts += [("weights", weights), ("biases, scales, tables", read_only - weights)]
    else:
        parts.append(("weights, biases, scales, tables", read_only))
    parts.append(("constants of CPU operators", others))
    parts.append(("TFLite file format", len(compiled.content) - commands - read_only - others))
    parts.sort(key=lambda part: -part[1])
    return Flash(tuple(FlashPart(name, size) for name, size in parts if size > 0), _compressed(source, schedule))


def _compressed(source: Model, schedule: Mapping[int, OperatorSchedule]) -> tuple[CompressedWeights, ...]:
    found = []
    for index, scheduled in sorted(schedule.items()):
        if not scheduled.weights or index >= len(source.operators):
            continue
        operator = source.operators[index]
        if operator.code not in _WEIGHTED or len(operator.inputs) <= _WEIGHTS_INPUT:
            continue
        position = operator.inputs[_WEIGHTS_INPUT]
        tensor = source.tensors[position]
        if position < 0 or tensor.data is None:
            continue
        name = source.name_of(operator)
        found.append(
            CompressedWeights(index, shown(operator.code, 40), short_name(name), tensor.nbytes, scheduled.weights)
        )
    return tuple(found)
