"""Known miscompilations: operators for which Vela 5.2.0 writes commands that compute something else.

Each was found by running Vela's command streams, and has a test that compiles such an operator and its way around.
They are recognised by what the commands leave out or do beside it, before any number is looked at: a network whose
test inputs happen to agree is miscompiled, too. Where the commands cannot tell for certain, the operator's output
has to differ as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deploy.debug_database import DebugDatabase
from deploy.judging.operator_result import Miscompilation, OperatorResult
from deploy.npu.program import Program
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.elementwise import ElementwiseMode, ElementwiseOperation
from deploy.npu.stream.operations import BlockOperation, Scale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation
from deploy.tflite import Model, Operator
from deploy.tflite.options import options_of
from deploy.tflite.state import READ_VARIABLE
from deploy.verifying import folded_quantize
from deploy.verifying.merged_results import not_compared

if TYPE_CHECKING:
    from deploy.npu.stream.u85_operations import AxisSampling

Operations = Mapping[int, Sequence[BlockOperation]]
"""Index of an operator of the source model -> the NPU operations that Vela made of it, in order."""

_EXTREMES = frozenset(["REDUCE_MAX", "REDUCE_MIN"])
_REDUCTIONS = frozenset(["MEAN", "SUM", *_EXTREMES])
"""Operators whose result depends on every element of their input."""

_COMPARISONS = frozenset(["EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"])

_NO_QUANTIZE_BEHIND_ZERO = (
    "int8 outputs (`--io int8`; the host flips the highest bit of every byte), or an output whose int8 zero "
    "point is not 0"
)

_UNSCALED = Scale(1, 0)
_NO_FACTOR = 0.01
"""A factor that is nearer to 1 than that may as well be a rounding."""


_LARGEST_MULTIPLIER = 2.0**32
"""First that the 32 bits of a scale register do not hold."""


@dataclass(frozen=True)
class Known:
    """A miscompilation of which it is known how to tell it and what to do.

    Attributes:
        name: short, for documents.
        found: what is wrong in the commands of an operator, one clause; None where nothing is.
        way_around: a form of the network that Vela compiles right.
        certain: whether the commands alone tell; else the operator's output has to differ, too.
    """

    name: str
    found: Callable[[Operator, Model, Operations], str | None]
    way_around: str
    certain: bool = True


def miscompilation_of(
    operator: Operator, source: Model, operations: Operations, *, differs: bool
) -> Miscompilation | None:
    """Whether Vela is known to have miscompiled an operator.

    Args:
        operator: of the source model.
        source: that model.
        operations: that Vela made of its operators; see :func:`operations_of`.
        differs: whether the NPU computes something else than all oracles.

    Returns:
        The first of :data:`KNOWN` that applies; None where none does.
    """
    for known in KNOWN:
        if known.certain or differs:
            found = known.found(operator, source, operations)
            if found is not None:
                what = f"{operator.code}: a defect of Vela, {found}"
                return Miscompilation(name=known.name, what=what, way_around=known.way_around)
    return None


def with_miscompilations(
    results: Sequence[OperatorResult], source: Model, operations: Operations
) -> tuple[OperatorResult, ...]:
    """Results of a comparison with what is known of Vela; a miscompiled operator that was not compared gets one.

    Args:
        results: of the comparison, operator by operator.
        source: the model that was compiled.
        operations: that Vela made of its operators; see :func:`operations_of`.
    """
    by_operator: dict[int, list[OperatorResult]] = {}
    for result in results:
        by_operator.setdefault(result.index, []).append(result)
    found: list[OperatorResult] = []
    for operator in source.operators:
        mine = by_operator.get(operator.index, [])
        differs = any(result.mismatches and result.cause is None for result in mine)
        known = miscompilation_of(operator, source, operations, differs=differs)
        if known is None:
            found += mine
        elif mine:
            found += [result.model_copy(update={"miscompiled": known}) for result in mine]
        else:
            found.append(not_compared(operator, source).model_copy(update={"miscompiled": known}))
    return tuple(found)


def operations_of(programs: Sequence[Program], database: DebugDatabase) -> dict[int, list[BlockOperation]]:
    """The NPU operations of every operator of the source model.

    Args:
        programs: decoded command streams of the compiled model, in its order.
        database: of that compilation.
    """
    found: dict[int, list[BlockOperation]] = {}
    for stream, program in enumerate(programs):
        for operation in program.operations:
            scheduled = database.commands.get((stream, operation.offset))
            if isinstance(operation, BlockOperation) and scheduled is not None and scheduled.result is not None:
                found.setdefault(scheduled.result, []).append(operation)
    return found


def unread_elements(operator: Operator, source: Model, operations: Sequence[BlockOperation]) -> tuple[int, int]:
    """Elements of the first input that the operations never read, and how many it has.

    Args:
        operator: of the source model.
        source: that model.
        operations: the NPU operations that compute it; with none, nothing counts as unread.
    """
    elements = source.tensors[operator.inputs[0]].elements
    if not operations:
        return 0, elements
    first = operations[0].ifm
    read = sum(
        operation.ifm.elements
        for operation in operations
        if operation.ifm.region == first.region and operation.ifm.dtype == first.dtype
    )
    return max(elements - read, 0), elements


def _sum_over_one_axis(operator: Operator, source: Model, operations: Operations) -> str | None:
    """Of several axes only one is summed (the last of them); what is written is larger than the output."""
    if operator.code != "SUM":
        return None
    shape = source.tensors[operator.inputs[0]].shape
    axes = [axis for axis in _axes(operator, source) if shape[axis] > 1]
    summed = sum(
        operation.ofm.elements
        for operation in operations.get(operator.index, ())
        if isinstance(operation, ConvolutionOperation)  # with ones: where there is a zero point
        or (isinstance(operation, PoolingOperation) and operation.mode is PoolingMode.REDUCE_SUM)
    )
    if len(axes) < 2 or summed not in {math.prod(shape) // shape[axis] for axis in axes}:
        return None
    return f"of the axes {', '.join(map(str, axes))} its command stream sums only one"


def _padded_extreme(operator: Operator, _source: Model, operations: Operations) -> str | None:
    """The window runs out of the first row instead of down the rows, and is padded to the output's width."""
    if operator.code not in _EXTREMES:
        return None
    for operation in operations.get(operator.index, ()):
        if isinstance(operation, PoolingOperation) and operation.padding.any:
            wanted = operation.ofm.elements * operation.kernel.height * operation.kernel.width
            return f"its command stream never reads {wanted - operation.ifm.elements} of {wanted} elements"
    return None


def _broadcast_minimum(operator: Operator, _source: Model, operations: Operations) -> str | None:
    """The maximum of the negated input is negated again in the shape of the RESHAPE that follows."""
    if operator.code != "REDUCE_MIN":
        return None
    for operation in operations.get(operator.index, ()):
        if isinstance(operation, ElementwiseOperation) and operation.ifm2 is not None:
            read, wanted = operation.ifm2.elements, operation.ofm.elements
            if read < wanted:
                return f"its command stream repeats {read} of the {wanted} elements that it computed"
    return None


def _nearest_of_centres(operator: Operator, source: Model, operations: Operations) -> str | None:
    """On U85 other rows and columns are repeated than TFLite does: those of half-pixel centres."""
    if operator.code != "RESIZE_NEAREST_NEIGHBOR":
        return None
    from deploy.npu.stream.u85_operations import ResizeMode, ResizeOperation  # few networks have one

    made = operations.get(operator.index, ())
    if len(made) != 1 or not isinstance(made[0], ResizeOperation) or made[0].mode is not ResizeMode.NEAREST:
        return None
    ifm, ofm = (source.tensors[index].shape for index in (operator.inputs[0], operator.outputs[0]))
    found = []
    for axis, sampling, name in ((1, made[0].vertical, "rows"), (2, made[0].horizontal, "columns")):
        others = _other_neighbours(sampling, ifm[axis], ofm[axis], options_of(source, operator))
        if others:
            found.append(f"{others} of {ofm[axis]} {name}")
    return f"its command stream takes {' and '.join(found)} from half-pixel centres" if found else None


def _other_neighbours(sampling: AxisSampling, ifm: int, ofm: int, options: object) -> int:
    """How many elements along an axis are taken from others than TFLite's kernel takes."""
    from deploy.npu.execution.resize import nearest

    aligned, centred = (bool(getattr(options, name, False)) for name in ("alignCorners", "halfPixelCenters"))
    one = np.float32
    scale = one(ifm - 1) / one(ofm - 1) if aligned and ofm > 1 else one(ifm) / one(ofm)
    places = (np.arange(ofm, dtype=np.float32) + one(0.5 if centred else 0)) * scale
    wanted = np.floor(places + one(0.5)) if aligned else np.floor(places)
    return int(np.count_nonzero(nearest(sampling, ofm, ifm) != np.clip(wanted, 0, ifm - 1)))


def _unscaled_quotient(operator: Operator, source: Model, operations: Operations) -> str | None:
    """On U85 integers are divided, and the scales of the numbers that they stand for are not."""
    if operator.code != "DIV":
        return None
    made = [each for each in operations.get(operator.index, ()) if isinstance(each, ElementwiseOperation)]
    divisions = [each for each in made if each.mode is ElementwiseMode.DIV]
    tensors = [source.tensors[index] for index in (*operator.inputs[:2], operator.outputs[0])]
    scales = [tensor.quantization.scales[0] for tensor in tensors if tensor.quantization is not None]
    if not divisions or len(scales) != 3:
        return None
    left_out = scales[0] / (scales[1] * scales[2])
    if abs(left_out - 1) < _NO_FACTOR or any(each.scale != _UNSCALED for each in divisions):
        return None
    return f"its command stream divides integers and leaves out the factor {left_out:.4g}"


def _multiplier_beyond_the_register(operator: Operator, source: Model, operations: Operations) -> str | None:
    """A product's multiplier of 2**32 and more does not fit the register: the shift wraps around, or it is 1."""
    scales = [source.tensors[index].quantization for index in (*operator.inputs, *operator.outputs) if index >= 0]
    if operator.code != "MUL" or len(scales) != 3 or None in scales:
        return None
    first, second, output = (scale.scales[0] for scale in scales if scale is not None)
    wanted = first * second / output if output > 0 else 0.0
    for operation in operations.get(operator.index, ()):
        if (
            not isinstance(operation, ElementwiseOperation)
            or operation.scale is None
            or wanted < _LARGEST_MULTIPLIER
        ):
            continue
        written = operation.scale.multiplier / 2.0**operation.scale.shift
        # From the range of the output's type on, both make every product but 0 as large as it can be.
        if written < 2.0 ** (8 * operation.ofm.dtype.itemsize):
            return f"its command stream multiplies with {written:.3g}, where the scales make it {wanted:.3g}"
    return None


def _widened_halves(operator: Operator, source: Model, operations: Operations) -> str | None:
    """On U85 the two halves of 32-bit integers become 32 bits each, instead of the integer 64."""
    if operator.code != "CAST":
        return None
    if [source.tensors[index].dtype for index in (operator.inputs[0], operator.outputs[0])] != ["int32", "int64"]:
        return None
    made = operations.get(operator.index, ())
    halved = any(each.ifm.dtype == np.int16 and each.ofm.dtype == np.int32 for each in made)
    return "its command stream widens halves of integers, right between -32768 and 32767 alone" if halved else None


def _kept_in_the_arena(operator: Operator, _source: Model, operations: Operations) -> str | None:
    """On U85 the NPU reads a variable itself, in the memory of tensors that live for one inference."""
    if operator.code != READ_VARIABLE or not operations.get(operator.index):
        return None
    return "the variable becomes a part of the arena, where nothing initialises it and nothing keeps it"


def _compared_in_steps(operator: Operator, source: Model, operations: Operations) -> str | None:
    """On U85 operands are scaled to 1/256 before they are compared, whatever a step of theirs is worth."""
    if operator.code not in _COMPARISONS or source.tensors[operator.inputs[0]].dtype != "int16":
        return None
    from deploy.npu.stream.u85_operations import U85ElementwiseOperation  # few networks have one

    for operation in operations.get(operator.index, ()):
        if isinstance(operation, U85ElementwiseOperation) and operation.mode.name.startswith("CMP_"):
            factor = operation.ifm_scale.multiplier / 2.0**operation.ifm_scale.shift
            if factor < 1:
                return (
                    f"its command stream takes numbers for equal that are less than {1 / factor:.3g} steps apart"
                )
    return None


def _unread_reduction(operator: Operator, source: Model, operations: Operations) -> str | None:
    if operator.code not in _REDUCTIONS:
        return None
    unread, elements = unread_elements(operator, source, operations.get(operator.index, ()))
    return f"its command stream never reads {unread} of the input's {elements} elements" if unread else None


def _axes(operator: Operator, source: Model) -> list[int]:
    """The axes of a reduction, each once, from 0; none where they are no constant."""
    axes, rank = source.tensors[operator.inputs[1]].data, len(source.tensors[operator.inputs[0]].shape)
    return [] if axes is None else sorted({int(axis) % rank for axis in axes.view(np.int32)})


KNOWN = (
    Known(
        "sum-over-several-axes",
        _sum_over_one_axis,
        "sum over one axis after another, with keepdims",
    ),
    Known(
        "extreme-over-width",
        _padded_extreme,
        "reduce with keepdims=True and reshape behind it (REDUCE_MAX), or transpose so that the height is reduced",
    ),
    Known(
        "reshaped-minimum",
        _broadcast_minimum,
        "transpose so that the height is reduced, without keepdims and without a RESHAPE behind it",
    ),
    Known("quantize-with-half-the-range", folded_quantize.clamped_too_far, _NO_QUANTIZE_BEHIND_ZERO),
    Known("quantize-left-out", folded_quantize.left_out, _NO_QUANTIZE_BEHIND_ZERO, certain=False),
    Known(
        "quantize-beyond-its-input",
        folded_quantize.not_clamped,
        "one quantization for both tensors, or a zero point other than 0 in front of the QUANTIZE",
        certain=False,
    ),
    Known(
        "nearest-of-half-pixel-centres",
        _nearest_of_centres,
        "half_pixel_centers=True, or a whole factor",
    ),
    Known(
        "division-without-scales",
        _unscaled_quotient,
        "multiply by the reciprocal (RSQRT of the square), or divide on the host",
    ),
    Known(
        "multiplier-beyond-the-register",
        _multiplier_beyond_the_register,
        "a larger scale of the product: next to nothing, it says that calibration saw nothing but zeros there; "
        "calibrate with data that makes it something else",
    ),
    Known(
        "cast-of-halves",
        _widened_halves,
        "int32, which is wide enough for indices and counts, or the cast on the host",
    ),
    Known(
        "comparison-in-256ths",
        _compared_in_steps,
        "a comparison in int8, or of the difference (SUB) with zero, whose scale can be larger",
    ),
    Known(
        "variable-in-the-arena",
        _kept_in_the_arena,
        "U55 or U65; or the state among the inputs and outputs, and `--state`",
    ),
    Known(
        "unread-input",
        _unread_reduction,
        "another form of the reduction: a pooling over the whole map, or one axis after another",
        certain=False,
    ),
)
"""All that are known, the most telling first."""
