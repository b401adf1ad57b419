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

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from deploy.npu.architecture import Architecture
from deploy.npu.stream.operations import (
    BlockOperation,
    ConvolutionOperation,
    DmaOperation,
    ElementwiseMode,
    ElementwiseOperation,
    Function,
    Kernel,
    Operation,
    PoolingMode,
    PoolingOperation,
)
from deploy.npu.timing.block_geometry import (
    Shape,
    blocks_along,
    ceil_divide,
    ifm_block_depth,
    kernel_of,
    kernel_parts,
    smaller,
    stored_elements,
)
from deploy.npu.timing.transfers import MemorySystem, busiest_memory, dma_cycles, first_and_last, memory_system


@dataclass(frozen=True, slots=True)
class Estimate:
    """Cycles of one operation.

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


@dataclass(frozen=True, slots=True)
class _Rates:
    """Cycles per OFM element of the output unit.

    Attributes:
        unary32: elementwise on one 32-bit operand.
        binary32: elementwise on two.
        multiply32: multiplication with a 32-bit result.
        multiply: other multiplications, and whatever accumulates in 40 bits.
        add: addition and subtraction with scaling.
        maximum: max pooling.
        other: everything else.
        table: lower bound with a lookup table, tanh or sigmoid.
        clamp: lower bound with a clamp (ReLU).
    """

    unary32: float
    binary32: float
    multiply32: float
    multiply: float
    add: float
    maximum: float
    other: float
    table: float
    clamp: float


_256 = _Rates(0.625, 1.125, 0.5, 0.375, 0.75, 0.125, 0.25, 1.0, 0.25)
# Source: Vela 5.2.0, architecture_features.py, _generate_output_perf_tables.
_RATES = {
    "U55-32": _Rates(2.0, 3.0, 3.0, 3.0, 6.0, 1.0, 2.0, 1.0, 1.0),
    "U55-64": _Rates(1.0, 1.5, 1.5, 1.5, 3.0, 0.5, 1.0, 1.0, 1.0),
    "U55-128": _Rates(0.75, 1.25, 0.75, 0.75, 1.5, 0.25, 0.5, 1.0, 0.5),
    "U55-256": _256,
    "U65-256": _256,
    "U65-512": _Rates(0.3125, 0.5625, 0.25, 0.1875, 0.375, 0.0625, 0.125, 0.5, 0.125),
}


# Firmware runs the same program again and again; the operations of a program stay the same objects.
@lru_cache(maxsize=4096)
def estimate(operation: Operation, architecture: Architecture, memories: MemorySystem | None = None) -> Estimate:
    """Estimate the cycles of an operation that runs alone.

    Args:
        operation: from the decoded command stream.
        architecture: the NPU.
        memories: behind the regions; default :func:`memory_system`.
    """
    memories = memory_system(architecture) if memories is None else memories
    if isinstance(operation, DmaOperation):
        return Estimate(0, dma_cycles(operation, memories))
    assert isinstance(operation, BlockOperation)  # noqa: S101 - narrows the type, there is no other kind
    if isinstance(operation, ElementwiseOperation):
        compute = _elementwise(operation, architecture, memories)
    else:
        compute = _blocks(operation, architecture, memories)
    return Estimate(compute, busiest_memory(operation, architecture, memories))


def _elementwise(operation: ElementwiseOperation, architecture: Architecture, memories: MemorySystem) -> int:
    block = operation.block
    rate = _output_rate(operation, architecture)
    # An operand block is read while a result block is written.
    moving = max(first_and_last(operation, architecture, memories)) / (block[0] * block[1] * block[2])
    return int(max(rate, (moving + rate) / 4) * stored_elements(operation.ofm))


def _blocks(operation: BlockOperation, architecture: Architecture, memories: MemorySystem) -> int:
    kernel = kernel_of(operation)
    ofm = (operation.ofm.height, operation.ofm.width, operation.ofm.depth)
    block = smaller(ofm, operation.block)
    ublock = architecture.ofm_ublock
    row = isinstance(operation, ConvolutionOperation) and ofm[0] == 1 and ofm[1] % 2 == 0 and kernel.height == 1
    if row and ublock[0] == 2:
        # The hardware arranges 2 x 2 as 1 x 4 for a single row of even width.
        ublock, block = (1, 4, ublock[2]), (1, *block[1:])
    bias = 0
    if isinstance(operation, ConvolutionOperation) and operation.scales:
        latency = memories.of(operation.scales[0].region).read_latency
        bias = 10 * block[2] * latency // 256
    rate = _output_rate(operation, architecture)
    macs = _MacCycles(operation, architecture, kernel)
    computing = writing = first_computing = first_writing = 0.0
    # Along each axis there are equal blocks and perhaps a smaller one at the end.
    for (height, rows), (width, columns), (depth, slices) in product(*map(blocks_along, ofm, block)):
        one = macs((ceil_divide(height, ublock[0]), ceil_divide(width, ublock[1]), ceil_divide(depth, ublock[2])))
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
    return int(pipeline) + sum(first_and_last(operation, architecture, memories))


class _MacCycles:
    """Cycles on the MAC units of a block of a number of ublocks."""

    def __init__(self, operation: BlockOperation, architecture: Architecture, kernel: Kernel) -> None:
        bits = operation.ifm.dtype.itemsize * 8
        wide = _accumulates_40_bits(operation)
        self._small = architecture.name == "U55-32"
        self._cores = architecture.cores
        self._weights = 4 * architecture.ofm_ublock[2]
        self._wide = wide
        if self._small:
            self._delay = 7 if wide else 3
        else:
            self._delay = 3 if wide and architecture.macs <= 128 else 2
        parts = [h * w for h in kernel_parts(kernel.height) for w in kernel_parts(kernel.width)]
        self._pooling = isinstance(operation, PoolingOperation) and operation.mode is not PoolingMode.REDUCE_SUM
        self._scale, self._passes, self._repeated = 1, 1, 1
        if self._pooling:
            # Vela's older compiler says 1 for 8 and 2 for 16 bits here.
            self._scale = 1 if self._small else bits // 2
            self._steps = [max(4, part) for part in parts]
        elif isinstance(operation, ConvolutionOperation) and operation.depthwise:
            self._scale = bits // 8
            self._steps = [ceil_divide(part, 4) for part in parts]
        else:
            depth = ifm_block_depth(operation)
            self._repeated = ceil_divide(operation.ifm.depth, depth)
            self._steps = parts
            if kernel.part_kernel_first:
                self._steps = [ceil_divide(part, 2 if bits == 16 else 4) for part in parts]
                self._passes = ceil_divide(min(operation.ifm.depth, depth), 8)

    def __call__(self, ublocks: Shape) -> float:
        across, deep = ublocks[0] * ublocks[1], ublocks[2]
        if self._pooling:
            working = sum(self._steps) * across * deep * self._scale
            steps = [1] * len(self._steps)
        else:
            steps = self._steps
            working = max(self._weights, 4 * across * self._scale) * sum(steps) * deep
        waiting = 0
        if across == 1:
            waiting = self._delay * sum(step if deep == 1 else (step - 1) * deep for step in steps)
        if self._small and self._wide and deep > 1 and 1 in ublocks[:2]:
            waiting += self._delay * deep * len(steps)
        return float((working + waiting) * self._passes * self._repeated // self._cores)


def _output_rate(operation: BlockOperation, architecture: Architecture) -> float:
    """Cycles per element of the output unit."""
    rates = _RATES[architecture.name]
    rate = rates.other
    if isinstance(operation, ElementwiseOperation):
        if operation.ifm.dtype.itemsize == 4:
            rate = rates.unary32 if operation.mode.unary else rates.binary32
        elif operation.mode is ElementwiseMode.MUL:
            rate = rates.multiply32 if operation.ofm.dtype.itemsize == 4 else rates.multiply
        elif operation.mode in (ElementwiseMode.ADD, ElementwiseMode.SUB):
            rate = rates.add
    elif _accumulates_40_bits(operation):
        rate = rates.multiply
    elif isinstance(operation, PoolingOperation) and operation.mode is PoolingMode.MAX:
        rate = rates.maximum
    activation = operation.activation
    if activation.function is not Function.NONE:
        return max(rate, rates.table)
    lowest, highest = _limits(operation.ofm.dtype)
    clamped = activation.minimum > lowest or activation.maximum < highest
    return max(rate, rates.clamp) if clamped else rate


@lru_cache(maxsize=16)
def _limits(dtype: np.dtype[np.generic]) -> tuple[int, int]:
    """The widest clamp of a type; the clamp registers have 16 bits."""
    limits = np.iinfo(dtype if dtype.itemsize < 4 else np.int16)  # type: ignore[type-var]
    return int(limits.min), int(limits.max)


def _accumulates_40_bits(operation: BlockOperation) -> bool:
    """Vela accumulates convolutions of 16-bit IFMs in 40 bits (ACC_FORMAT would say it, but is not decoded)."""
    return isinstance(operation, ConvolutionOperation) and operation.ifm.dtype.itemsize == 2
