"""An estimate of the cycles that one operation takes, from its block geometry. It is an ESTIMATE, not hardware.

The structure and its constants are those of the performance estimation in Vela 5.2.0 (Apache-2.0:
``ethosu/vela/npu_performance.py``, ``architecture_features.py``, ``config_files/Arm/vela.ini``; for the compiler
that it runs by default ``ethosu/regor/architecture/ethosu55/ethos_u55_performance.cpp``). Where the two differ the
default one decides; how it sums up over blocks was worked out from the tables ``perf_debug_main`` and ``perf`` of
its debug database, which this reproduces to the cycle for most operations (``benchmarks/npu_cycles.py``).

An operation computes its OFM in blocks of OFM_BLK_HEIGHT x WIDTH x DEPTH. A block occupies the MAC units, then the
output unit, while the next one is on the MAC units; both work in units of the OFM ublock. So an operation takes

- the larger of: all blocks on the MAC units and one block of output; all output and one block on the MAC units;
- plus the latency and transfer of the first IFM block and of the last OFM block;
- but no less than any one memory needs to move what is read from it and written to it.

Where this differs from Vela on purpose: it sees the commands, so a layer that is cut into stripes pays for each of
them; and bursts of 16-bit feature maps count their bytes (Vela compares bytes with elements and finds them short).

Known to be left out: contention between the two AXI ports, wait states, the decoding of weights (Vela gives it no
cycles of its own on these NPUs: reading them is what it counts), and overlap between operations, except that
:class:`deploy.npu.timing.statistics.Statistics` hides DMA behind computing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

import numpy as np

from deploy.hardware.designs import MemorySystem, U55Design
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.elementwise import ElementwiseMode, ElementwiseOperation
from deploy.npu.stream.operations import BlockOperation, Function
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation
from deploy.npu.timing.transfers import (
    Shape,
    blocks_along,
    busiest_memory,
    ceil_divide,
    dma_cycles,
    first_and_last,
    ifm_block_depth,
    kernel_parts,
    memory_of,
    moved_by_block,
    moved_by_element,
    smaller,
    stored_elements,
)


@dataclass(frozen=True, slots=True)
class OperationTime:
    """Cycles of one operation that runs alone.

    Attributes:
        npu: computing, with the first block's read and the last block's write (0 for DMA).
        memory: what the busiest memory needs.
    """

    npu: int
    memory: int

    @property
    def cycles(self) -> int:
        """The larger of the two."""
        return max(self.npu, self.memory)


def dma_time(operation: DmaOperation, _design: U55Design, memories: MemorySystem) -> OperationTime:
    """Estimate a transfer."""
    return OperationTime(0, dma_cycles(operation, memories))


def elementwise_time(operation: ElementwiseOperation, design: U55Design, memories: MemorySystem) -> OperationTime:
    """Estimate an elementwise operation."""
    block, rates = operation.block, design.output
    rate = rates.other
    if operation.ifm.dtype.itemsize == 4:
        rate = rates.unary32 if operation.mode.unary else rates.binary32
    elif operation.mode is ElementwiseMode.MUL:
        rate = rates.multiply32 if operation.ofm.dtype.itemsize == 4 else rates.multiply
    elif operation.mode in (ElementwiseMode.ADD, ElementwiseMode.SUB):
        rate = rates.add
    rate = _with_activation(rate, operation, design)
    # An operand block is read while a result block is written.
    moving = max(first_and_last(operation, design, memories)) / prod(block)
    computing = int(max(rate, (moving + rate) / 4) * stored_elements(operation.ofm))
    return OperationTime(computing, busiest_memory(moved_by_element(operation, design, memories)))


def pooling_time(operation: PoolingOperation, design: U55Design, memories: MemorySystem) -> OperationTime:
    """Estimate a pooling."""
    rate = design.output.maximum if operation.mode is PoolingMode.MAX else design.output.other
    work = _pooling_work(operation, design) if operation.by_channel else _dense_work(operation, design)
    return _time(operation, design, memories, work, rate)


def convolution_time(operation: ConvolutionOperation, design: U55Design, memories: MemorySystem) -> OperationTime:
    """Estimate a convolution."""
    # Vela accumulates convolutions of 16-bit IFMs in 40 bits (ACC_FORMAT would say it, but is not decoded).
    wide = operation.ifm.dtype.itemsize == 2
    if operation.depthwise:
        work = _depthwise_work(operation, design, wide=wide)
    else:
        work = _dense_work(operation, design, wide=wide)
    rate = design.output.multiply if wide else design.output.other
    bias = 0
    if operation.scales:
        depth = min(operation.ofm.depth, operation.block[2])
        bias = 10 * depth * memory_of(operation.scales[0].region, memories).read_latency // 256
    row = operation.ofm.height == operation.kernel.height == 1 and operation.ofm.width % 2 == 0
    return _time(operation, design, memories, work, rate, bias=bias, row=row)


def _time(
    operation: BlockOperation,
    design: U55Design,
    memories: MemorySystem,
    work: _MacWork,
    rate: float,
    *,
    bias: int = 0,
    row: bool = False,
) -> OperationTime:
    """Estimate an operation with a kernel.

    Args:
        operation: what is computed.
        design: of the NPU.
        memories: behind the regions.
        work: of the MAC units.
        rate: of the output unit, without activation.
        bias: cycles until the biases of a block have arrived.
        row: its units of work may be arranged along a single row.
    """
    ofm = (operation.ofm.height, operation.ofm.width, operation.ofm.depth)
    block, ublock = smaller(ofm, operation.block), design.ofm_ublock
    if row and ublock[0] == 2:
        # The hardware arranges 2 x 2 as 1 x 4 for a single row of even width.
        ublock, block = (1, 4, ublock[2]), (1, *block[1:])
    rate = _with_activation(rate, operation, design)
    computing = writing = first_computing = first_writing = 0.0
    # Along each axis there are equal blocks and perhaps a smaller one at the end.
    for (height, rows), (width, columns), (depth, slices) in product(*map(blocks_along, ofm, block)):
        ublocks = (ceil_divide(height, ublock[0]), ceil_divide(width, ublock[1]), ceil_divide(depth, ublock[2]))
        one = work.cycles(ublocks, design)
        out = float(int(rate * height * width * depth))
        # What steers the units takes a quarter of the block's work.
        steering = (one + max(out, bias)) // 4
        one, out = max(one, steering), max(out, steering)
        computing += one * rows * columns * slices
        writing += out * rows * columns * slices
        # The first combination is the largest block.
        first_computing = first_computing or one
        first_writing = first_writing or max(out, bias)
    pipeline = max(computing + first_writing, writing + first_computing)
    cycles = int(pipeline) + sum(first_and_last(operation, design, memories))
    return OperationTime(cycles, busiest_memory(moved_by_block(operation, design, memories)))


@dataclass(frozen=True, slots=True)
class _MacWork:
    """What the MAC units do for an output.

    Attributes:
        steps: of each part of the kernel, one after the other.
        waits: how often a part waits between its steps.
        least: cycles of a step that every ublock of depth takes at least: its weights arrive one by one.
        each: cycles of a step by ublock across.
        passes: how often it all is done.
        wide: sums have 40 bits.
    """

    steps: Sequence[int]
    waits: Sequence[int]
    least: int
    each: int
    passes: int
    wide: bool

    def cycles(self, ublocks: Shape, design: U55Design) -> float:
        """Cycles for a block of a number of ublocks."""
        units = design.mac_units
        across, deep = ublocks[0] * ublocks[1], ublocks[2]
        working = max(self.least, self.each * across) * sum(self.steps) * deep
        wait = units.wait_40_bit if self.wide else units.wait
        waiting = 0
        if across == 1:
            waiting = wait * sum(steps if deep == 1 else (steps - 1) * deep for steps in self.waits)
        if units.narrow_wait and self.wide and deep > 1 and 1 in ublocks[:2]:
            waiting += wait * deep * len(self.waits)
        return float((working + waiting) * self.passes // design.cores)


def _parts(operation: BlockOperation) -> list[int]:
    """Elements of each part of the kernel."""
    kernel = operation.kernel
    return [h * w for h in kernel_parts(kernel.height) for w in kernel_parts(kernel.width)]


def _pooling_work(operation: BlockOperation, design: U55Design) -> _MacWork:
    steps = [max(4, part) for part in _parts(operation)]
    each = design.mac_units.pooling[operation.ifm.dtype.itemsize.bit_length() - 1]
    return _MacWork(steps, [1] * len(steps), least=0, each=each, passes=1, wide=False)


def _depthwise_work(operation: BlockOperation, design: U55Design, *, wide: bool) -> _MacWork:
    steps = [ceil_divide(part, 4) for part in _parts(operation)]
    each = 4 * operation.ifm.dtype.itemsize
    return _MacWork(steps, steps, least=_weights(design), each=each, passes=1, wide=wide)


def _dense_work(operation: BlockOperation, design: U55Design, *, wide: bool = False) -> _MacWork:
    """Sums over input channels."""
    depth, ifm_depth = ifm_block_depth(operation), operation.ifm.depth
    steps, passes = _parts(operation), ceil_divide(ifm_depth, depth)
    if operation.kernel.part_kernel_first:
        steps = [ceil_divide(part, 2 if operation.ifm.dtype.itemsize == 2 else 4) for part in steps]
        passes *= ceil_divide(min(ifm_depth, depth), 8)
    return _MacWork(steps, steps, least=_weights(design), each=4, passes=passes, wide=wide)


def _weights(design: U55Design) -> int:
    """Cycles until the weights of a step have arrived."""
    return 4 * design.ofm_ublock[2]


def _with_activation(rate: float, operation: BlockOperation, design: U55Design) -> float:
    """Cycles per element of the output unit, with what the activation makes of them."""
    activation = operation.activation
    if activation.function is not Function.NONE:
        return max(rate, design.output.table)
    lowest, highest = _limits(operation.ofm.dtype)
    clamped = activation.minimum > lowest or activation.maximum < highest
    return max(rate, design.output.clamp) if clamped else rate


@lru_cache(maxsize=16)
def _limits(dtype: np.dtype[np.generic]) -> tuple[int, int]:
    """The widest clamp of a type; the clamp registers have 16 bits."""
    limits = np.iinfo(dtype if dtype.itemsize < 4 else np.int16)  # type: ignore[type-var]
    return int(limits.min), int(limits.max)
