"""Holds the bias and the scale of every channel that Vela wrote against those that the source model means.

What an operator computes on some inputs hardly tells a multiplier from one that is larger by a ten-thousandth. So
the scale records of convolutions are compared as numbers, all of them. Where Vela made something else of an operator
than one operation of all its channels, nothing is said: what it computes is compared in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.debug_database import DebugDatabase
from deploy.judging.operator_result import ChannelDifference
from deploy.npu.errors import NpuError
from deploy.npu.program import Program
from deploy.npu.regions import CONSTANTS
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.dma import Transfer, origin_of
from deploy.npu.stream.operations import AddressRange
from deploy.npu.weights.unpacked import ChannelScales
from deploy.tflite import Model, Operator
from deploy.tflite.compiled import npu_operators
from deploy.verifying.meant_scales import CONVOLUTIONS, MeantScales, meant_scales


@dataclass(frozen=True)
class ComparedScales:
    """What the comparison found.

    Attributes:
        differing: index of an operator of the source model -> the first of its channels that differs.
        compared: indices of the operators of which every channel was compared.
        left_out: those of convolutions of which it was not.
    """

    differing: Mapping[int, ChannelDifference]
    compared: frozenset[int]
    left_out: frozenset[int]


def compare_scales(
    source: Model, compiled: Model, programs: Sequence[Program], database: DebugDatabase
) -> ComparedScales:
    """Compare the biases and scales of all channels.

    Args:
        source: the model that was compiled.
        compiled: what Vela made of it.
        programs: the decoded command streams of ``compiled``, in its order.
        database: of that compilation.

    Raises:
        BadInputError: a model or the database is damaged.
    """
    differing: dict[int, ChannelDifference] = {}
    compared, left_out = set[int](), set[int]()
    meant: dict[int, MeantScales | None] = {}
    for index, slices in _slices(source, compiled, programs, database):
        if index not in meant:
            meant[index] = meant_scales(source.operators[index], source)
        wanted, written = meant[index], _written(slices, source, source.operators[index])
        if wanted is None or written is None or written.bias.size != wanted.known.size:
            left_out.add(index)
            continue
        compared.add(index)
        found = _difference(written, wanted)
        if found is not None:
            differing.setdefault(index, found)
    return ComparedScales(differing, frozenset(compared - left_out), frozenset(left_out))


@dataclass(frozen=True)
class _Slice:
    """An operation that computes some channels of an operator.

    Attributes:
        records: the bytes of its scale records, of each core.
    """

    operation: ConvolutionOperation
    ranges: tuple[AddressRange, ...]
    constants: NDArray[np.uint8]
    unpack: Any


def _slices(
    source: Model, compiled: Model, programs: Sequence[Program], database: DebugDatabase
) -> Iterator[tuple[int, list[_Slice]]]:
    """For every convolution in Vela's schedule the operator that it is of, and its slices of channels.

    Several stripes of a feature map use the same slice: it counts once, where it is first used.
    """
    found: dict[tuple[int, int], dict[tuple[AddressRange, ...], _Slice]] = {}
    operators: dict[tuple[int, int], int] = {}
    for stream, (program, step) in enumerate(zip(programs, npu_operators(compiled), strict=True)):
        constants = np.zeros(0, np.uint8) if step.constants.data is None else step.constants.data
        moved: list[tuple[AddressRange, AddressRange]] = []
        for operation in program.operations:
            if isinstance(operation, Transfer) and (ends := operation.moved) is not None:
                moved.append(ends)
            if not isinstance(operation, ConvolutionOperation) or not operation.finishes:
                continue
            scheduled = database.commands.get((stream, operation.offset))
            index = None if scheduled is None else scheduled.source
            if scheduled is None or index is None or index >= len(source.operators):
                continue
            if source.operators[index].code in CONVOLUTIONS:
                ranges = tuple(origin_of(part, moved) for part in operation.scales)
                unpack = program.architecture.instruction_set.kind_of(operation).scales
                key = stream, scheduled.number
                operators[key] = index
                found.setdefault(key, {}).setdefault(ranges, _Slice(operation, ranges, constants, unpack))
    for key, slices in found.items():
        yield operators[key], list(slices.values())


def _written(slices: Sequence[_Slice], source: Model, operator: Operator) -> ChannelScales | None:
    """The records of all slices, one behind the other; None where they are not of the whole operator in its order."""
    ends = [source.tensors[index] for index in (*operator.outputs[:1],)]
    sizes = {np.dtype(tensor.dtype).itemsize for tensor in ends}
    if any(each.operation.ofm.dtype.itemsize not in sizes for each in slices):
        return None
    addresses = [part.address for each in slices for part in each.ranges[:1]]
    if any(part.region != CONSTANTS for each in slices for part in each.ranges):
        return None
    if len(addresses) != len(slices) or addresses != sorted(addresses):  # Vela writes them in this order
        return None
    try:
        parts = [
            each.unpack(
                each.operation, [each.constants[part.address : part.address + part.length] for part in each.ranges]
            )
            for each in slices
        ]
    except NpuError:
        return None
    return ChannelScales(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("bias", "multiplier", "shift"))
    )


def _difference(written: ChannelScales, meant: MeantScales) -> ChannelDifference | None:
    pairs = {
        "bias": written.bias != meant.channels.bias,
        "multiplier": (written.multiplier != meant.channels.multiplier) & meant.known,
        "shift": (written.shift != meant.channels.shift) & meant.known,
    }
    anywhere = np.any(list(pairs.values()), axis=0)
    if not anywhere.any():
        return None
    channel = int(anywhere.argmax())
    what = next(name for name, differs in pairs.items() if differs[channel])
    return ChannelDifference(
        channel=channel,
        what=what,
        written=int(getattr(written, what)[channel]),
        meant=int(getattr(meant.channels, what)[channel]),
        channels=int(anywhere.sum()),
    )
