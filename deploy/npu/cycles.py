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
:class:`deploy.npu.statistics.Statistics` hides DMA behind computing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import inf

import numpy as np

from deploy.npu.architecture import Architecture
from deploy.npu.operations import (
    BlockOperation,
    ConvolutionOperation,
    DmaOperation,
    ElementwiseMode,
    ElementwiseOperation,
    FeatureMap,
    Function,
    Kernel,
    Operation,
    PoolingMode,
    PoolingOperation,
    Upscale,
)

_SUB_KERNEL = 8
"""Kernels are computed in parts of at most 8 x 8 elements."""
_BRICK = 16


@dataclass(frozen=True, slots=True)
class MemoryTiming:
    """One memory as the NPU sees it.

    Attributes:
        bytes_per_cycle: bandwidth, in NPU cycles.
        burst: bytes of the longest burst.
        read_latency: cycles.
        write_latency: cycles.
    """

    bytes_per_cycle: float
    burst: int
    read_latency: int
    write_latency: int


@dataclass(frozen=True, slots=True)
class MemorySystem:
    """Which memory lies behind a region.

    Attributes:
        constants: region 0 (weights, scales, tables).
        arena: region 1, and any other but 0 and 2.
        fast: region 2.
    """

    constants: MemoryTiming
    arena: MemoryTiming
    fast: MemoryTiming

    def of(self, region: int | None) -> MemoryTiming:
        """The memory behind a region; None is the NPU's own SHRAM, which takes no time here."""
        if region is None:
            return _SHRAM
        return self.constants if region == 0 else self.fast if region == 2 else self.arena


_SHRAM = MemoryTiming(inf, 1, 0, 0)
# Source: Vela 5.2.0, config_files/Arm/vela.ini; bytes per cycle are the port's width (8 on U55, 16 on U65) times
# the memory's clock scale.
_U55_SRAM = MemoryTiming(8.0, 32, 32, 32)
_U65_DRAM = MemoryTiming(3.75, 128, 500, 250)

U55_HIGH_END_EMBEDDED = MemorySystem(MemoryTiming(1.0, 128, 64, 0), _U55_SRAM, _U55_SRAM)
"""Ethos_U55_High_End_Embedded with Shared_Sram: arena in SRAM, constants in flash."""
U65_HIGH_END = MemorySystem(_U65_DRAM, _U65_DRAM, MemoryTiming(16.0, 32, 32, 32))
"""Ethos_U65_High_End with Dedicated_Sram: arena and constants in DRAM, the fast region in SRAM."""


def memory_system(architecture: Architecture) -> MemorySystem:
    """The memories that ``deploy compile`` assumes for an NPU unless told otherwise."""
    return U55_HIGH_END_EMBEDDED if architecture.product == "U55" else U65_HIGH_END


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

_Shape = tuple[int, int, int]
_POINT = Kernel(1, 1, 1, 1, 1, 1, False)


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
        return Estimate(0, _dma(operation, memories))
    assert isinstance(operation, BlockOperation)  # noqa: S101 - narrows the type, there is no other kind
    if isinstance(operation, ElementwiseOperation):
        compute = _elementwise(operation, architecture, memories)
    else:
        compute = _blocks(operation, architecture, memories)
    return Estimate(compute, _traffic(operation, architecture, memories))


def _dma(operation: DmaOperation, memories: MemorySystem) -> int:
    source, destination = memories.of(operation.source_region), memories.of(operation.destination_region)
    reading = operation.length / source.bytes_per_cycle + source.read_latency
    return int(max(reading, operation.length / destination.bytes_per_cycle + destination.write_latency))


# Computing


def _elementwise(operation: ElementwiseOperation, architecture: Architecture, memories: MemorySystem) -> int:
    block = operation.block
    rate = _output_rate(operation, architecture)
    moving = _first_and_last(operation, architecture, memories) / (block[0] * block[1] * block[2])
    return int(max(rate, (moving + rate) / 4) * _stored(operation.ofm))


def _blocks(operation: BlockOperation, architecture: Architecture, memories: MemorySystem) -> int:
    kernel = _kernel(operation)
    ofm = (operation.ofm.height, operation.ofm.width, operation.ofm.depth)
    block = _smaller(ofm, operation.block)
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
    for (height, rows), (width, columns), (depth, slices) in product(*map(_cut, ofm, block)):
        one = macs((_ceil(height, ublock[0]), _ceil(width, ublock[1]), _ceil(depth, ublock[2])))
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
    return int(pipeline + _first_and_last(operation, architecture, memories))


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
        parts = [h * w for h in _parts(kernel.height) for w in _parts(kernel.width)]
        self._pooling = isinstance(operation, PoolingOperation) and operation.mode is not PoolingMode.REDUCE_SUM
        self._scale, self._passes, self._repeated = 1, 1, 1
        if self._pooling:
            # Vela's older compiler says 1 for 8 and 2 for 16 bits here.
            self._scale = 1 if self._small else bits // 2
            self._steps = [max(4, part) for part in parts]
        elif isinstance(operation, ConvolutionOperation) and operation.depthwise:
            self._scale = bits // 8
            self._steps = [_ceil(part, 4) for part in parts]
        else:
            depth = _ifm_block_depth(operation)
            self._repeated = _ceil(operation.ifm.depth, depth)
            self._steps = parts
            if kernel.part_kernel_first:
                self._steps = [_ceil(part, 2 if bits == 16 else 4) for part in parts]
                self._passes = _ceil(min(operation.ifm.depth, depth), 8)

    def __call__(self, ublocks: _Shape) -> float:
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


# Moving


def _traffic(operation: BlockOperation, architecture: Architecture, memories: MemorySystem) -> int:
    """Cycles of the busiest memory: IFM with what blocks read twice, weights once per OFM block, OFM."""
    busy: dict[MemoryTiming, float] = {}

    def move(memory: MemoryTiming, size: float) -> None:
        busy[memory] = busy.get(memory, 0.0) + size / memory.bytes_per_cycle

    ofm, ifm = operation.ofm, operation.ifm
    move(
        memories.of(ofm.region), _stored(ofm) * ofm.dtype.itemsize * _write_loss(operation, architecture, memories)
    )
    if isinstance(operation, ElementwiseOperation):
        for operand in (ifm, operation.ifm2):
            # A broadcast operand is read as often as it is used.
            if operand is not None and (operand is ifm or operand.elements > 1):
                size = _stored(ofm, operand.bricks) * operand.dtype.itemsize
                move(memories.of(operand.region), size * _read_loss(operation, operand, memories))
        return int(max(busy.values()))
    kernel = _kernel(operation)
    height, width, depth = _smaller((ofm.height, ofm.width, ofm.depth), operation.block)
    across = _ceil(ofm.height, height) * _ceil(ofm.width, width)
    by_channel = isinstance(operation, PoolingOperation) and operation.mode is not PoolingMode.REDUCE_SUM
    by_channel = by_channel or (isinstance(operation, ConvolutionOperation) and operation.depthwise)
    blocks = across * (1 if by_channel else _ceil(ofm.depth, depth))
    fetched = _ifm_block(operation, architecture)
    parts = _ceil(kernel.height, _SUB_KERNEL) * _ceil(kernel.width, _SUB_KERNEL)
    deep = _ceil(ifm.depth, _BRICK) * _BRICK if ifm.bricks else ifm.depth
    size = min(fetched[0], ifm.height) * min(fetched[1], ifm.width) * deep * ifm.dtype.itemsize * parts * blocks
    move(memories.of(ifm.region), size * _read_loss(operation, ifm, memories))
    if isinstance(operation, ConvolutionOperation):
        for part in (*operation.weights, *operation.scales):
            move(memories.of(part.region), part.length * across)
    return int(max(busy.values()))


def _first_and_last(operation: BlockOperation, architecture: Architecture, memories: MemorySystem) -> int:
    """Cycles that read the first IFM block and write the last OFM block."""
    block = _ifm_block(operation, architecture)
    reading = 0
    for operand in (operation.ifm, getattr(operation, "ifm2", None)):
        if operand is None:
            continue
        memory = memories.of(operand.region)
        extent = _smaller((operand.height, operand.width, operand.depth), block)
        loss = _read_loss(operation, operand, memories)
        reading = max(reading, memory.read_latency + _transfer(memory, extent, operand, loss))
    ofm = operation.ofm
    memory = memories.of(ofm.region)
    extent = _smaller((ofm.height, ofm.width, ofm.depth), operation.block)
    loss = _write_loss(operation, architecture, memories)
    return reading + memory.write_latency + _transfer(memory, extent, ofm, loss)


def _transfer(memory: MemoryTiming, extent: _Shape, feature_map: FeatureMap, loss: float) -> int:
    size = extent[0] * extent[1] * extent[2] * feature_map.dtype.itemsize
    return int(size * loss / memory.bytes_per_cycle)


def _read_loss(operation: BlockOperation, ifm: FeatureMap, memories: MemorySystem) -> float:
    """How many times the transfer of an IFM takes longer because its bursts are short."""
    size, width = ifm.dtype.itemsize, operation.block[1]
    if ifm.bricks:
        return _loss(memories.of(ifm.region), _BRICK * size * width)
    depth = operation.block[2] if isinstance(operation, ElementwiseOperation) else _ifm_block_depth(operation)
    dense = ifm.stride_x == depth * size
    return _loss(memories.of(ifm.region), depth * size * (width if dense else 1))


def _write_loss(operation: BlockOperation, architecture: Architecture, memories: MemorySystem) -> float:
    """How many times the transfer of the OFM takes longer because its bursts are short."""
    ofm, (_, width, depth) = operation.ofm, operation.block
    size = ofm.dtype.itemsize
    if ofm.bricks:
        run = _BRICK * size * width * architecture.cores
    elif depth <= _BRICK and ofm.stride_x == depth * size:
        run = depth * size * width
    else:
        run = min(64, _BRICK * size * architecture.cores, depth * size)
    return _loss(memories.of(ofm.region), run)


def _loss(memory: MemoryTiming, run: int) -> float:
    return memory.burst / min(memory.burst, run)


# Geometry


def _kernel(operation: BlockOperation) -> Kernel:
    return operation.kernel if isinstance(operation, ConvolutionOperation | PoolingOperation) else _POINT


def _ifm_block_depth(operation: BlockOperation) -> int:
    """Depth of the IFM block; the stream does not say it, Vela derives it from the type and the traversal."""
    size = operation.ifm.dtype.itemsize
    if isinstance(operation, ConvolutionOperation) and operation.depthwise:
        return operation.block[2]
    if isinstance(operation, PoolingOperation) and operation.mode is not PoolingMode.REDUCE_SUM:
        return operation.block[2]
    limit = 16 if _kernel(operation).part_kernel_first else 32 // size
    return min(limit, _ceil(operation.ifm.depth, 8) * 8)


def _ifm_block(operation: BlockOperation, architecture: Architecture) -> _Shape:
    """IFM block that an OFM block needs (one sub-kernel of it)."""
    if isinstance(operation, ElementwiseOperation):
        return operation.block
    kernel, ublock = _kernel(operation), architecture.ifm_ublock
    upscaled = isinstance(operation, ConvolutionOperation | PoolingOperation) and operation.upscale
    factor = 1 if upscaled in (False, Upscale.NONE) else 2
    height = _ceil((operation.block[0] - 1) * kernel.stride_y + min(_SUB_KERNEL, kernel.extent_y), factor)
    width = _ceil((operation.block[1] - 1) * kernel.stride_x + min(_SUB_KERNEL, kernel.extent_x), factor)
    return (
        _ceil(height, ublock[0]) * ublock[0],
        _ceil(width, ublock[1]) * ublock[1],
        _ifm_block_depth(operation),
    )


def _stored(ofm: FeatureMap, bricks: bool | None = None) -> int:
    """Elements of the OFM as they are stored: bricks hold 16 channels."""
    if ofm.bricks if bricks is None else bricks:
        return ofm.height * ofm.width * _ceil(ofm.depth, _BRICK) * _BRICK
    return ofm.elements


def _cut(extent: int, block: int) -> list[tuple[int, int]]:
    """``(size, count)`` of the blocks along one axis."""
    whole, rest = divmod(extent, block)
    return [(size, count) for size, count in ((block, whole), (rest, 1)) if size and count]


def _parts(extent: int) -> list[int]:
    return [min(_SUB_KERNEL, extent - start) for start in range(0, extent, _SUB_KERNEL)]


def _smaller(a: _Shape, b: _Shape) -> _Shape:
    return min(a[0], b[0]), min(a[1], b[1]), min(a[2], b[2])


def _ceil(value: int, by: int) -> int:
    return -(-value // by)
