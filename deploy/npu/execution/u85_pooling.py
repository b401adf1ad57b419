"""NPU_OP_POOL of Ethos-U85: maximum, minimum and the place of it, average, sums; and scaling of accumulators."""

from __future__ import annotations

import numpy as np

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution import pooling
from deploy.npu.execution.activation import finish
from deploy.npu.execution.feature_maps import operand, read, write
from deploy.npu.execution.memory import ACCUMULATORS, Memory
from deploy.npu.execution.windows import taps
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import Rounding, Scale, Upscale
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u85_operations import U85PoolingOperation

ARGMAX = (PoolingMode.ARGMAX_X, PoolingMode.ARGMAX_Y)


def pool(operation: U85PoolingOperation, workspace: Workspace) -> None:
    """Execute a pooling operation.

    Average: the sum divided by the number of elements inside the IFM. SUM and REDUCE_SUM: sum times OFM_SCALE.
    NONE: elements times OFM_SCALE, or sums for the next operation to go on with.
    (Source: measured against LiteRT's reference kernels.)

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    if operation.mode in ARGMAX:
        _argmax(operation, workspace.memory)
        return
    check_scale(operation)
    if operation.mode is PoolingMode.NONE and operation.ifm.dtype.itemsize == 8:
        _check_range(operation, workspace.memory)
    if operation.accumulators.stored:
        pooling.pool(operation, workspace, reciprocal_of(operation))
    else:
        workspace.memory.chain(ACCUMULATORS, operand(workspace.memory, operation.ifm))


def check_scale(operation: U85PoolingOperation) -> None:
    """Refuse what is not modelled of poolings that give no place.

    Raises:
        UnsupportedError: says what.
    """
    mode, kernel, scale = operation.mode, operation.kernel, operation.scale
    if scale is None:
        raise UnsupportedError("a pooling with one scale per channel")
    if mode is PoolingMode.NONE and (kernel.height, kernel.width) != (1, 1):
        raise UnsupportedError("NONE pooling with a kernel", parameters={"kernel": kernel})
    if mode is PoolingMode.AVERAGE and scale.multiplier != 1 << scale.shift:
        raise UnsupportedError("an average with a scale", parameters={"OFM_SCALE": scale})


def _check_range(operation: U85PoolingOperation, memory: Memory) -> None:
    """What becomes of a number that the accumulators have no room for, no source says."""
    values, limit = read(memory, operation.ifm), 1 << (operation.accumulators.bits - 1)
    if int(values.max()) >= limit or int(values.min()) < -limit:
        raise UnsupportedError(f"numbers of more than {operation.accumulators.bits} bits")


def reciprocal_of(operation: U85PoolingOperation) -> pooling.Reciprocal | None:
    """How an average is divided by how many kernel elements lie inside the IFM; None where nothing is divided."""
    single = (operation.kernel.height, operation.kernel.width) == (1, 1) and not operation.padding.any
    return pooling.Reciprocal(30, up=True) if operation.mode is PoolingMode.AVERAGE and not single else None


def check_argmax(operation: U85PoolingOperation) -> None:
    """Refuse what is not modelled of the place of a maximum.

    Raises:
        UnsupportedError: says what.
    """
    kernel = operation.kernel
    extent = kernel.width if operation.mode is PoolingMode.ARGMAX_X else kernel.height
    plain = operation.upscale is Upscale.NONE and not operation.padding.any
    if extent != kernel.height * kernel.width or not plain or operation.ifm.dtype.itemsize > 2:
        raise UnsupportedError("the place of a maximum in this window", parameters={"kernel": kernel})
    if operation.scale != Scale(1, 16) or operation.rounding is not Rounding.DOWN:
        raise UnsupportedError("the place of a maximum with a scale", parameters={"OFM_SCALE": operation.scale})


def _argmax(operation: U85PoolingOperation, memory: Memory) -> None:
    """Where in a row of a window its maximum is, the first one.

    The accumulator holds the place above 16 bits of the value, which OFM_SCALE shifts out.
    """
    check_argmax(operation)
    pooling.check(operation)
    found = (tap for _, _, tap in taps(operation, operand(memory, operation.ifm)))
    largest = next(found)
    places = np.zeros(largest.shape, np.int64)
    for place, tap in enumerate(found, 1):
        places[tap > largest] = place
        largest = np.maximum(largest, tap)
    write(memory, operation.ofm, finish(places, operation, memory))
