"""Catches what the NPU computed for every operator of the source model, while its command stream runs.

Vela splits operators into stripes, several NPU operations and cascades, fuses others, and drops those that only
move data. A tensor of the source model is taken from where it lies in memory after the last operation that belongs
to its operator; where only a window of it is ever in memory (cascades), from the stripes as they pass. Other
values can be put in its place then.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.debug_database import Allocation, DebugDatabase, Scheduled
from deploy.npu.errors import MemoryAccessError
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import BRICK, BlockOperation, FeatureMap, Operation
from deploy.tflite import Model, Tensor

KEEPING_ORDER = frozenset(["RESHAPE", "SQUEEZE", "EXPAND_DIMS"])
"""Operators that only shape elements anew: they become no commands."""
_PREPARED = "/Transpose"
"""What Vela adds to the name of a product's second operand where it has to transpose it."""

Replace = Callable[[Tensor, NDArray[Any]], NDArray[Any] | None]


@dataclass
class LayerCapture:
    """An observer for :meth:`deploy.verifying.npu_inference.NpuInference.run_batch`.

    Args:
        source: the model that was compiled.
        database: Vela's debug database of that compilation.

        replace: gives other values ``(batch, *shape)`` for a tensor that was just computed, or None to leave it.
            They take its place in memory, so that later operators start from them. Tensors of which only a window
            is ever in memory, or that are read before they are whole, keep what was computed.

    Attributes:
        tensors: tensor index in the source model -> ``(batch, *shape)`` as the NPU computed it.
        replaced: tensor index -> what took its place.
        operations: operator index in the source model -> the NPU operations that belong to it, in order.
    """

    source: Model
    database: DebugDatabase
    replace: Replace | None = None
    tensors: dict[int, NDArray[Any]] = field(default_factory=dict)
    replaced: dict[int, NDArray[Any]] = field(default_factory=dict)
    operations: dict[int, list[BlockOperation]] = field(default_factory=dict)
    _streams: list[int] = field(default_factory=list)
    _of_stream: dict[int, list[BlockOperation]] = field(default_factory=dict)
    _stripes: dict[int, dict[int, list[NDArray[Any]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the last command of every source operator, and where its tensors lie."""
        self._located = self.database.located(self.source)
        last: dict[tuple[int, int], int] = {}
        for (stream, offset), scheduled in self.database.commands.items():
            if scheduled.result is not None:
                key = stream, scheduled.result
                last[key] = max(last.get(key, -1), offset)
        self._last = {(stream, offset) for (stream, _), offset in last.items()}
        # Of an operator that several streams compute, only the last of them leaves the whole.
        ends = {result: stream for stream, result in sorted(last)}
        unfinished = {key for key in last if ends[key[1]] != key[0]}
        self._partial = {*_interleaved(self.database), *unfinished}
        # What has commands of its own all the same only prepares: it transposes an input.
        self._fused = {
            each.source for each in self.database.commands.values() if each.source not in (None, each.result)
        }

    def __call__(self, operator: int, operation: Operation, memory: Memory) -> None:
        """Take what ``operation`` of the ``ethos-u`` operator number ``operator`` in the file has computed."""
        if not isinstance(operation, BlockOperation):
            return
        if operator not in self._streams:
            self._streams.append(operator)
        command = self._streams.index(operator), operation.offset
        scheduled = self.database.commands.get(command)
        if scheduled is None or scheduled.result is None or scheduled.result >= len(self.source.operators):
            return
        self.operations.setdefault(scheduled.result, []).append(operation)
        # What an earlier stream wrote was taken at its end: its place may be another tensor's by now.
        self._of_stream.setdefault(scheduled.result, []).append(operation)
        stripes = self._stripes.setdefault(scheduled.result, {}).setdefault(scheduled.number, [])
        if command in self._last:  # its stripe is still there, if it is needed
            self._take(command[0], scheduled, operation.ofm.region, memory)
            del self._stripes[scheduled.result], self._of_stream[scheduled.result]
        elif operation.finishes:
            stripes.append(_stripe(operation, memory))

    def _take(self, stream: int, scheduled: Scheduled, region: int, memory: Memory) -> None:
        operator = self.source.operators[scheduled.result or 0]
        computed = self.operations[scheduled.result or 0][-1].ofm.dtype
        for index in operator.outputs:
            tensor = self.source.tensors[index]
            if {computed.name, tensor.dtype} == {"int8", "uint8"}:  # a QUANTIZE behind it is part of it
                continue
            place = self._place(tensor, scheduled, region)
            taken = _read(place, memory)
            if place is not None and taken is not None:
                self.tensors[index] = taken.reshape(-1, *tensor.shape)
                if (stream, scheduled.result) not in self._partial:
                    self._put(index, place, memory)
            elif len(operator.outputs) == 1 and self._is_own(scheduled, tensor):
                passed = self._from_stripes(tensor, scheduled, memory)
                if passed is not None:
                    self.tensors[index] = passed

    def _is_own(self, scheduled: Scheduled, tensor: Tensor) -> bool:
        """Whether what an operation computes may be a tensor that nobody knows the place of: it is no other one.

        Vela names operations after what they compute: of two TRANSPOSE in a row it makes one, for the second's. A
        second operand of a product that it transposes has the operand's name and a suffix; where a TRANSPOSE made
        the operand, both are one operation, which counts as that TRANSPOSE's.
        Behind a RESHAPE a tensor has another name, and the same elements.
        """
        same = {tensor.index}
        for operator in self.source.operators:
            if operator.code in KEEPING_ORDER and not same.isdisjoint(operator.inputs[:1]):
                same.update(operator.outputs)
        named = {other.index for other in self.source.tensors if other.name == scheduled.name}
        if not named and scheduled.name == f"{tensor.name}{_PREPARED}":
            return False
        return scheduled.result not in self._fused and (not named or not same.isdisjoint(named))

    def _put(self, index: int, place: FeatureMap, memory: Memory) -> None:
        """Put other values in place of what was computed, where they are wanted, before any operator reads it."""
        values = None if self.replace is None else self.replace(self.source.tensors[index], self.tensors[index])
        if values is not None:
            write(memory, place, values.reshape(-1, place.height, place.width, place.depth))
            self.replaced[index] = values

    def _place(self, tensor: Tensor, scheduled: Scheduled, region: int) -> FeatureMap | None:
        """Where a tensor lies as a whole; None where it does not, or that is not known."""
        allocation = self._located.get(tensor.index)
        if allocation is None or not self._was_written(allocation, scheduled.result or 0, region):
            return None
        place = _whole(allocation, region, _image_shape(tensor, scheduled), np.dtype(tensor.dtype))
        return place if allocation.size >= place.height * place.stride_y else None

    def _was_written(self, allocation: Allocation, source: int, region: int) -> bool:
        end = allocation.address + allocation.size
        return any(
            operation.stores
            and operation.ofm.region == region
            and allocation.address <= operation.ofm.bases[0] < end
            for operation in self._of_stream[source]
        )

    def _from_stripes(self, tensor: Tensor, scheduled: Scheduled, memory: Memory) -> NDArray[Any] | None:
        """Stripes follow each other downwards; within one, slices of the depth follow each other."""
        shape = scheduled.ofm_shape
        operation = self.operations[scheduled.result or 0][-1]
        if shape is None or prod(shape) != tensor.elements or not _in_order(operation.ofm):
            return None
        height, width, depth = shape
        last = [_stripe(operation, memory)] if operation.finishes else []
        stripes = [*self._stripes[scheduled.result or 0][scheduled.number], *last]
        whole = np.zeros((len(stripes[0]), height, width, depth), stripes[0].dtype)
        if whole.dtype.itemsize != np.dtype(tensor.dtype).itemsize:
            return None
        y = z = 0
        for stripe in stripes:
            _, rows, columns, channels = stripe.shape
            if y + rows > height or z + channels > depth or columns != width:
                return None
            whole[:, y : y + rows, :, z : z + channels] = stripe
            z += channels
            if z == depth:
                y, z = y + rows, 0
        if y != height:
            return None
        return whole.view(tensor.dtype).reshape(-1, *tensor.shape)


def joined(captures: Sequence[LayerCapture]) -> LayerCapture:
    """What was caught of inferences one after the other, as if they had run side by side; nothing was replaced."""
    if len(captures) == 1:
        return captures[0]
    common = [index for index in captures[0].tensors if all(index in each.tensors for each in captures)]
    return LayerCapture(
        captures[0].source,
        captures[0].database,
        tensors={index: np.concatenate([each.tensors[index] for each in captures]) for index in common},
        operations=captures[0].operations,
    )


def _stripe(operation: BlockOperation, memory: Memory) -> NDArray[Any]:
    """What an operation has just computed, ``(batch, height, width, depth)``."""
    return _batched(read(memory, operation.ofm.as_stored), memory)


def _batched(values: NDArray[Any], memory: Memory) -> NDArray[Any]:
    """What is read, for each item of the batch also where they share it."""
    return values if len(values) == memory.batch else np.repeat(values, memory.batch, axis=0)


def _interleaved(database: DebugDatabase) -> set[tuple[int, int | None]]:
    """(Number of the ``ethos-u`` operator, source operator) between whose operations those of others run."""
    runs = itertools.groupby(sorted((*key, each.result) for key, each in database.commands.items()), _owner)
    owners = [owner for owner, _ in runs]
    return {owner for owner, count in Counter(owners).items() if count > 1}


def _owner(command: tuple[int, int, int | None]) -> tuple[int, int | None]:
    return command[0], command[2]


def _whole(allocation: Allocation, region: int, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> FeatureMap:
    """A tensor as one feature map: nothing lies between its rows, columns and bricks."""
    height, width, depth = shape
    size = dtype.itemsize
    stride_x = (BRICK if allocation.bricks else depth) * size
    stride_c = width * stride_x if allocation.bricks else size
    bricks = -(-depth // BRICK) if allocation.bricks else 1
    return FeatureMap(
        region=region,
        bases=(allocation.address, 0, 0, 0),
        height0=height,
        height1=height,
        width0=width,
        height=height,
        width=width,
        depth=depth,
        stride_y=width * stride_x * bricks,
        stride_x=stride_x,
        stride_c=stride_c,
        zero_point=0,
        dtype=dtype,
        bricks=allocation.bricks,
    )


def _read(place: FeatureMap | None, memory: Memory) -> NDArray[Any] | None:
    """A copy of a tensor, ``(batch, height, width, depth)``; None where it is not in memory."""
    try:
        return None if place is None else _batched(read(memory, place), memory)
    except MemoryAccessError:
        return None


def _image_shape(tensor: Tensor, scheduled: Scheduled) -> tuple[int, int, int]:
    """Height, width and depth in which Vela sees a tensor: those of the operation where they fit."""
    if scheduled.ofm_shape is not None and prod(scheduled.ofm_shape) == tensor.elements:
        return scheduled.ofm_shape
    padded = (1, 1, 1, *tensor.shape)
    return prod(padded[:-2]), padded[-2], padded[-1]


def _in_order(fm: FeatureMap) -> bool:
    """Whether rows, columns and channels lie in memory in that order (a transposing OFM does not)."""
    return fm.bricks or fm.height == 1 or fm.width == 1 or fm.stride_y >= fm.stride_x > 0
