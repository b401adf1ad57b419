"""Holds the bias and the scale of every channel that Vela wrote against those that the source model means.

What an operator computes on some inputs hardly tells a multiplier from one that is larger by a ten-thousandth. So
the scale records of convolutions are compared as numbers, all of them. Where Vela made something else of an
operator than operations of all its channels, nothing is said: what it computes is compared in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.debug_database import DebugDatabase
from deploy.judging.operator_result import ChannelDifference, OperatorResult
from deploy.npu.errors import NpuError
from deploy.npu.program import Program
from deploy.npu.regions import CONSTANTS
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.operations import AddressRange
from deploy.npu.stream.origins import with_origins
from deploy.npu.weights.unpacked import ChannelScales, Streams
from deploy.tflite import Model, Operator
from deploy.tflite.compiled import npu_operators
from deploy.verifying.meant_scales import CONVOLUTIONS, MeantScales, meant_scales
from deploy.verifying.merged_results import not_compared

_BRANCHES = frozenset(["CALL", "IF", "WHILE"])
"""Operators whose subgraphs compute: Vela's database counts what is in these as operators of the first subgraph.
(That of CALL_ONCE sets variables.)"""


@dataclass(frozen=True)
class ComparedScales:
    """What the comparison found, by indices of operators in the source model.

    Attributes:
        differing: operator -> the first of its channels that differs.
        compared: those of which every channel was compared.
        left_out: convolutions of which it was not.
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
    for operator, slices in _scheduled(source, compiled, programs, database):
        meant = meant_scales(operator, source)
        written = None if meant is None else _joined(slices, source.tensors[operator.outputs[0]].dtype)
        if meant is None or written is None or written.bias.size != meant.known.size:
            left_out.add(operator.index)
            continue
        compared.add(operator.index)
        found = _first_difference(written, meant)
        if found is not None:
            differing.setdefault(operator.index, found)
    return ComparedScales(differing, frozenset(compared - left_out), frozenset(left_out))


def with_scale_differences(
    results: Sequence[OperatorResult], source: Model, scales: ComparedScales
) -> tuple[OperatorResult, ...]:
    """Results of a comparison with what :func:`compare_scales` found; an operator without a result gets one.

    Args:
        results: operator by operator, in the model's order.
        source: the model that was compiled.
        scales: what was found.
    """
    missing = scales.differing.keys() - {each.index for each in results}
    added = [not_compared(source.operators[index], source) for index in missing]
    found = sorted((*results, *added), key=lambda each: each.index)
    return tuple(
        each.model_copy(update={"scale_difference": scales.differing[each.index]})
        if each.index in scales.differing
        else each
        for each in found
    )


class _Slice(NamedTuple):
    """Some channels of an operator: the operation that first computes them, and its scale records.

    Attributes:
        ranges: where the records of each core come from.
        constants: what region 0 holds.
        unpack: reads them.
    """

    operation: ConvolutionOperation
    ranges: tuple[AddressRange, ...]
    constants: NDArray[np.uint8]
    unpack: Callable[[Any, Streams], ChannelScales] | None


def _scheduled(
    source: Model, compiled: Model, programs: Sequence[Program], database: DebugDatabase
) -> Iterator[tuple[Operator, list[_Slice]]]:
    """Every convolution in Vela's schedule: the operator that it stems from, and its slices in their order.

    Stripes of a feature map use a slice again, which counts once.
    """
    if any(operator.code in _BRANCHES for operator in source.operators):
        return
    found: dict[tuple[int, int], tuple[Operator, dict[tuple[AddressRange, ...], _Slice]]] = {}
    for stream, (program, step) in enumerate(zip(programs, npu_operators(compiled), strict=True)):
        constants = np.zeros(0, np.uint8) if step.constants.data is None else step.constants.data
        for operation, streams in with_origins(program.operations):
            if not operation.finishes:
                continue
            scheduled = database.commands.get((stream, operation.offset))
            if scheduled is None or scheduled.source is None or scheduled.source >= len(source.operators):
                continue
            operator = source.operators[scheduled.source]
            if operator.code in CONVOLUTIONS:
                ranges = streams[len(operation.weights) :]
                unpack = program.architecture.instruction_set.kind_of(operation).scales
                slices = found.setdefault((stream, scheduled.number), (operator, {}))[1]
                slices.setdefault(ranges, _Slice(operation, ranges, constants, unpack))
    for operator, slices in found.values():
        yield operator, list(slices.values())


def _joined(slices: Sequence[_Slice], dtype: str) -> ChannelScales | None:
    """The records of slices one behind the other; None where they are not those of one operation after another.

    Args:
        slices: of an operation in Vela's schedule.
        dtype: of what the operator computes; with another size of elements something else is computed.
    """
    parts: list[ChannelScales] = []
    before = -1
    for operation, ranges, constants, unpack in slices:
        inside = ranges and all(each.region == CONSTANTS for each in ranges)
        same = operation.ofm.dtype.itemsize == np.dtype(dtype).itemsize
        # Vela writes the slices in the order of the channels, and computes them so.
        if unpack is None or not inside or not same or ranges[0].address < before:
            return None
        before = ranges[0].address
        try:
            parts.append(unpack(operation, [constants[at : at + length] for _, at, length in ranges]))
        except NpuError:
            return None
    return ChannelScales(
        np.concatenate([part.bias for part in parts]),
        np.concatenate([part.multiplier for part in parts]),
        np.concatenate([part.shift for part in parts]),
    )


def _first_difference(written: ChannelScales, meant: MeantScales) -> ChannelDifference | None:
    numbers = {
        "bias": (written.bias, meant.channels.bias, True),
        "multiplier": (written.multiplier, meant.channels.multiplier, meant.known),
        "shift": (written.shift, meant.channels.shift, meant.known),
    }
    differs = {name: (ours != theirs) & known for name, (ours, theirs, known) in numbers.items()}
    channels = np.logical_or.reduce([*differs.values()])
    if not channels.any():
        return None
    first = int(channels.argmax())
    what = next(name for name, each in differs.items() if each[first])
    ours, theirs, _ = numbers[what]
    return ChannelDifference(
        channel=first, what=what, written=int(ours[first]), meant=int(theirs[first]), channels=int(channels.sum())
    )
