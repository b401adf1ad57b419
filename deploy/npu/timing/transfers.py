"""An estimate of the time that an operation's transfers take: memories, bursts, and what blocks read.

The structure and its constants are those of Vela 5.2.0, see :mod:`deploy.npu.timing.cycles`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from deploy.npu.architecture import Architecture
from deploy.npu.stream.operations import (
    BlockOperation,
    ConvolutionOperation,
    DmaOperation,
    ElementwiseOperation,
    FeatureMap,
    PoolingMode,
    PoolingOperation,
)
from deploy.npu.timing.block_geometry import (
    BRICK,
    SUB_KERNEL,
    Shape,
    ceil_divide,
    ifm_block,
    ifm_block_depth,
    kernel_of,
    smaller,
    stored_elements,
)


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
    """Which memory lies behind a region; those with equal timing are taken for one and the same memory.

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


def dma_cycles(operation: DmaOperation, memories: MemorySystem) -> int:
    """Cycles of a DMA transfer: the slower of its two memories."""
    source, destination = memories.of(operation.source_region), memories.of(operation.destination_region)
    reading = operation.length / source.bytes_per_cycle + source.read_latency
    return int(max(reading, operation.length / destination.bytes_per_cycle + destination.write_latency))


def busiest_memory(operation: BlockOperation, architecture: Architecture, memories: MemorySystem) -> int:
    """Cycles of the busiest memory: IFM with what blocks read twice, weights once per OFM block, OFM."""
    busy: dict[MemoryTiming, float] = {}

    def move(memory: MemoryTiming, size: float) -> None:
        busy[memory] = busy.get(memory, 0.0) + size / memory.bytes_per_cycle

    ofm, ifm = operation.ofm, operation.ifm
    move(
        memories.of(ofm.region),
        stored_elements(ofm) * ofm.dtype.itemsize * _write_loss(operation, architecture, memories),
    )
    if isinstance(operation, ElementwiseOperation):
        for operand in (ifm, operation.ifm2):
            # A broadcast operand is read as often as it is used.
            if operand is not None and (operand is ifm or operand.elements > 1):
                size = stored_elements(ofm, operand.bricks) * operand.dtype.itemsize
                move(memories.of(operand.region), size * _read_loss(operation, operand, memories))
        return int(max(busy.values()))
    kernel = kernel_of(operation)
    height, width, depth = smaller((ofm.height, ofm.width, ofm.depth), operation.block)
    across = ceil_divide(ofm.height, height) * ceil_divide(ofm.width, width)
    by_channel = isinstance(operation, PoolingOperation) and operation.mode is not PoolingMode.REDUCE_SUM
    by_channel = by_channel or (isinstance(operation, ConvolutionOperation) and operation.depthwise)
    blocks = across * (1 if by_channel else ceil_divide(ofm.depth, depth))
    fetched = ifm_block(operation, architecture)
    parts = ceil_divide(kernel.height, SUB_KERNEL) * ceil_divide(kernel.width, SUB_KERNEL)
    deep = ceil_divide(ifm.depth, BRICK) * BRICK if ifm.bricks else ifm.depth
    size = min(fetched[0], ifm.height) * min(fetched[1], ifm.width) * deep * ifm.dtype.itemsize * parts * blocks
    move(memories.of(ifm.region), size * _read_loss(operation, ifm, memories))
    if isinstance(operation, ConvolutionOperation):
        for part in (*operation.weights, *operation.scales):
            move(memories.of(part.region), part.length * across)
    return int(max(busy.values()))


def first_and_last(
    operation: BlockOperation, architecture: Architecture, memories: MemorySystem
) -> tuple[int, int]:
    """Cycles that read the first IFM block, and cycles that write the last OFM block."""
    block = ifm_block(operation, architecture)
    reading = 0
    for operand in (operation.ifm, getattr(operation, "ifm2", None)):
        if operand is None:
            continue
        memory = memories.of(operand.region)
        extent = smaller((operand.height, operand.width, operand.depth), block)
        loss = _read_loss(operation, operand, memories)
        reading = max(reading, memory.read_latency + _transfer(memory, extent, operand, loss))
    ofm = operation.ofm
    memory = memories.of(ofm.region)
    extent = smaller((ofm.height, ofm.width, ofm.depth), operation.block)
    loss = _write_loss(operation, architecture, memories)
    return reading, memory.write_latency + _transfer(memory, extent, ofm, loss)


def _transfer(memory: MemoryTiming, extent: Shape, feature_map: FeatureMap, loss: float) -> int:
    size = extent[0] * extent[1] * extent[2] * feature_map.dtype.itemsize
    return int(size * loss / memory.bytes_per_cycle)


def _read_loss(operation: BlockOperation, ifm: FeatureMap, memories: MemorySystem) -> float:
    """How many times the transfer of an IFM takes longer because its bursts are short."""
    size, width = ifm.dtype.itemsize, operation.block[1]
    if ifm.bricks:
        return _loss(memories.of(ifm.region), BRICK * size * width)
    depth = operation.block[2] if isinstance(operation, ElementwiseOperation) else ifm_block_depth(operation)
    dense = ifm.stride_x == depth * size
    return _loss(memories.of(ifm.region), depth * size * (width if dense else 1))


def _write_loss(operation: BlockOperation, architecture: Architecture, memories: MemorySystem) -> float:
    """How many times the transfer of the OFM takes longer because its bursts are short."""
    ofm, (_, width, depth) = operation.ofm, operation.block
    size = ofm.dtype.itemsize
    if ofm.bricks:
        run = BRICK * size * width * architecture.cores
    elif depth <= BRICK and ofm.stride_x == depth * size:
        run = depth * size * width
    else:
        run = min(64, BRICK * size * architecture.cores, depth * size)
    return _loss(memories.of(ofm.region), run)


def _loss(memory: MemoryTiming, run: int) -> float:
    return memory.burst / min(memory.burst, run)
