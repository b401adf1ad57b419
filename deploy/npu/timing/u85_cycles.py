"""An estimate of the cycles that operations of Ethos-U85 take, from their block geometry. It is an ESTIMATE.

Structure and constants are those of the performance model in Vela 5.2.0 (Apache-2.0, in its source package:
``ethosu/regor/architecture/ethosu85/ethos_u85_performance.cpp``): an estimate as well, which nobody compared with
hardware here. ``benchmarks/npu_cycles.py`` compares the two.

An OFM is computed in blocks. A block occupies the MAC units, then the output unit, while the next one is on the
MAC units. So an operation takes

- the slower of the two for all blocks, and the other one for one block;
- plus the latency and transfer of the first IFM block and of the last OFM block;
- but no less than any one memory, or any one channel to it, needs for what is read and written.

Elementwise operations and resizings have the output unit alone. Operations that are chained to another one work on
its blocks while they are in the NPU: the output unit takes the sum of all of them, the MAC units nothing more.

Where this differs from Vela on purpose: it sees the commands, so a layer that is cut into stripes pays for each of
them; and what stays in the NPU is written nowhere (Vela counts a block of it as written to the arena).

Left out: contention, wait states, the decoding of weights (Vela's total of an operation leaves it out, too), and
overlap between operations, except that :class:`deploy.npu.timing.statistics.Statistics` hides DMA.
"""

from __future__ import annotations

from math import ceil, prod

from deploy.hardware.designs import MemorySystem, U85Design
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import BlockOperation
from deploy.npu.stream.u85_operations import (
    ResizeOperation,
    RowsDmaOperation,
    U85ConvolutionOperation,
    U85ElementwiseOperation,
    U85PoolingOperation,
)
from deploy.npu.timing.cycles import OperationTime
from deploy.npu.timing.transfers import Shape, ceil_divide, kernel_parts, memory_of, smaller
from deploy.npu.timing.u85_transfers import (
    busiest_memory,
    dma_cycles,
    first_block,
    last_block,
    pass_depth,
    stored_elements,
)

_DIVISION = 33.0
"""Cycles of an element of a quotient."""
_ROWS_TURNED = ((1, 0, 2), (1, 2, 0), (2, 1, 0))
"""Transpositions after which rows of the OFM are columns of what is computed."""


def dma_time(operation: RowsDmaOperation, design: U85Design, memories: MemorySystem) -> OperationTime:
    """Estimate a transfer."""
    return OperationTime(0, dma_cycles(operation, design, memories))


def output_time(
    operation: U85ElementwiseOperation | ResizeOperation,
    design: U85Design,
    memories: MemorySystem,
    *chained: BlockOperation,
) -> OperationTime:
    """Estimate an elementwise operation or a resizing, with what is chained to it."""
    elements, rate = stored_elements(operation.ofm), _rates((operation, *chained), design)
    # An operand block is read while a result block is written; what steers the unit takes a quarter of it all.
    last = (operation, *chained)[-1]
    moving = max(first_block(operation, design, memories), last_block(last, operation.block, memories))
    steering = (moving / prod(operation.block) + rate) / 4
    computing = max(ceil(rate * elements), ceil(steering * elements))
    return OperationTime(computing, busiest_memory((operation, *chained), design, memories))


def mac_time(
    operation: U85ConvolutionOperation | U85PoolingOperation,
    design: U85Design,
    memories: MemorySystem,
    *chained: BlockOperation,
) -> OperationTime:
    """Estimate a convolution or a pooling, with what is chained to it."""
    ublock, ofm = operation.accumulators.ublock, operation.ofm.extents
    block = smaller(ofm, operation.block)
    blocks = prod(_ublocks(ofm, ublock)) / prod(_ublocks(block, ublock))
    working = float(_mac_cycles(operation, _ublocks(block, ublock), design))
    writing = float(ceil(_rates((operation, *chained), design) * prod(block)))
    if isinstance(operation, U85ConvolutionOperation) and operation.scales:
        # Cycles until the biases of a block have arrived.
        latency = memory_of(operation.scales[0].region, memories).read_latency
        writing = max(writing, 10 * block[2] * latency / 256)
    first = first_block(operation, design, memories)
    last = last_block((operation, *chained)[-1], operation.block, memories)
    # What steers the units takes a quarter of the block's work.
    steering = ((abs(last - first) if blocks > 1 else 0) + working + writing) / 4
    working, writing = max(working, steering), max(writing, steering)
    pipeline = int(working * blocks) + int(writing) if working > writing else int(writing * blocks + working)
    return OperationTime(pipeline + first + last, busiest_memory((operation, *chained), design, memories))


def _mac_cycles(
    operation: U85ConvolutionOperation | U85PoolingOperation, ublocks: Shape, design: U85Design
) -> int:
    """Cycles of the MAC units for a block of so many units of work."""
    kernel, size, bits = operation.kernel, operation.ifm.dtype.itemsize, operation.accumulators.bits
    across, deep = ublocks[0] * ublocks[1], ublocks[2]
    # The weights of a step arrive one after the other.
    weights = 32 * operation.accumulators.ublock[2] // (8 * design.cores)
    depth = min(operation.ifm.depth, pass_depth(operation, design))
    passes = 1 if operation.by_channel else ceil_divide(operation.ifm.depth, depth)
    sparse = 2 if isinstance(operation, U85ConvolutionOperation) and operation.sparse else 1
    total = 0
    for part in (h * w for h in kernel_parts(kernel.height) for w in kernel_parts(kernel.width)):
        if operation.by_channel and isinstance(operation, U85PoolingOperation):
            steps, working = 1, max(4, part) * across * 4 * size
        elif operation.by_channel:
            steps = ceil_divide(part, 4)
            working = max(weights, 4 * across * size) * steps
        elif kernel.part_kernel_first:
            steps, eights = ceil_divide(part, 2 if size == 2 else 4), ceil_divide(depth, 8)
            working = max(weights, 4 * across) * steps * eights
            total += (eights - 1) * _waiting(steps, across, deep, design, bits)
        else:
            steps, working = part, max(weights, depth // 8 * across) * part * size
        total += working * deep // sparse + _waiting(steps, across, deep, design, bits)
    return total * passes


def _waiting(steps: int, across: int, deep: int, design: U85Design, bits: int) -> int:
    """Cycles that a block of one unit of work across waits between its steps."""
    if across > 1:
        return 0
    wait = 3 if bits > 32 and design.macs <= 128 else 2
    return wait * (steps if deep == 1 else (steps - 1) * deep)


def _rates(chain: tuple[BlockOperation, ...], design: U85Design) -> float:
    """Cycles that the output unit takes for an element, by all operations of a chain."""
    return sum(_rate(operation, design) for operation in chain)


def _rate(operation: BlockOperation, design: U85Design) -> float:
    rates, ofm = design.output, operation.ofm
    # With a table it is what the table is made for.
    read, made = operation.ifm.dtype.itemsize, operation.activation.index_dtype.itemsize
    binary = isinstance(operation, U85ElementwiseOperation) and not operation.mode.unary
    if isinstance(operation, ResizeOperation):
        factor = min(
            (new + old // 2) // old for new, old in zip(ofm.extents[:2], operation.ifm.extents[:2], strict=True)
        )
        return (rates.enlarge if factor >= design.macs // 512 else rates.resize)[read > 1]
    if isinstance(operation, U85ElementwiseOperation) and operation.mode is ElementwiseMode.DIV:
        return _DIVISION
    if made == 8:
        rate = rates.bits64
    elif ofm.chain is not None and 4 in (read, made):
        rate = rates.kept
    elif binary and read == 4:
        rate = rates.binary32 if made == 4 else rates.kept
    else:
        rate = {1: rates.bits8, 2: rates.bits16}.get(made, rates.bits32)
    turned = ofm.axes in _ROWS_TURNED or ofm.reversed_axis == 1
    return max(rate, rates.turned) if turned else rate


def _ublocks(shape: Shape, ublock: Shape) -> Shape:
    return ceil_divide(shape[0], ublock[0]), ceil_divide(shape[1], ublock[1]), ceil_divide(shape[2], ublock[2])
