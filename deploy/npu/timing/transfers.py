"""An estimate of the time that an operation's transfers take: block geometry, memories, bursts, what blocks read.

The structure and its constants are those of Vela 5.2.0 (IFM blocks and sub-kernels:
``ethosu/vela/architecture_features.py``), see :mod:`deploy.npu.timing.cycles`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, prod

from deploy.hardware.designs import MemorySystem, MemoryTiming, U55Design
from deploy.npu.regions import CONSTANTS, FAST
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.operations import BRICK, SUB_KERNEL, BlockOperation, FeatureMap, Upscale

Shape = tuple[int, int, int]
"""Height, width, depth."""


def ifm_block_depth(operation: BlockOperation) -> int:
    """Depth of the IFM block; the stream does not say it, Vela derives it from the type and the traversal.

    Source: the column ``ifm_block_c`` in the debug databases of Vela 5.2.0, over a few hundred operations.
    """
    if operation.by_channel:
        return operation.block[2]
    limit = 16 if operation.ifm.dtype.itemsize == 2 else 8 if operation.kernel.part_kernel_first else 32
    return min(limit, ceil_divide(operation.ifm.depth, 8) * 8)


def ifm_block(operation: BlockOperation, design: U55Design) -> Shape:
    """IFM block that an OFM block needs (one sub-kernel of it)."""
    kernel, ublock = operation.kernel, design.ifm_ublock
    factor = 1 if operation.upscale is Upscale.NONE else 2
    height = ceil_divide((operation.block[0] - 1) * kernel.stride_y + min(SUB_KERNEL, kernel.extent_y), factor)
    width = ceil_divide((operation.block[1] - 1) * kernel.stride_x + min(SUB_KERNEL, kernel.extent_x), factor)
    return (
        ceil_divide(height, ublock[0]) * ublock[0],
        ceil_divide(width, ublock[1]) * ublock[1],
        ifm_block_depth(operation),
    )


def stored_elements(fm: FeatureMap, bricks: bool | None = None) -> int:
    """Elements of a feature map as it is stored, or as if with bricks, which hold 16 channels, or without."""
    if fm.bricks if bricks is None else bricks:
        return fm.height * fm.width * ceil_divide(fm.depth, BRICK) * BRICK
    return fm.elements


def blocks_along(extent: int, block: int) -> list[tuple[int, int]]:
    """``(size, count)`` of the blocks along one axis."""
    whole, rest = divmod(extent, block)
    return [(size, count) for size, count in ((block, whole), (rest, 1)) if size and count]


def kernel_parts(extent: int) -> list[int]:
    """Extents of the parts along one axis of a kernel."""
    return [min(SUB_KERNEL, extent - start) for start in range(0, extent, SUB_KERNEL)]


def smaller(a: Shape, b: Shape) -> Shape:
    """The smaller of two shapes, axis by axis."""
    return min(a[0], b[0]), min(a[1], b[1]), min(a[2], b[2])


def ceil_divide(value: int, by: int) -> int:
    """Divide and round up."""
    return -(-value // by)


_SHRAM = MemoryTiming("SHRAM", inf, 1, 0, 0)

Moved = tuple[MemoryTiming, float]
"""A memory, and bytes as if all bursts were whole."""


def memory_of(region: int | None, memories: MemorySystem) -> MemoryTiming:
    """The memory behind a region; None is the NPU's own SHRAM, which takes no time here."""
    if region is None:
        return _SHRAM
    return {CONSTANTS: memories.constants, FAST: memories.fast}.get(region, memories.arena)


def dma_cycles(operation: DmaOperation, memories: MemorySystem) -> int:
    """Cycles of a DMA transfer: the slower of its two memories."""
    source = memory_of(operation.source_region, memories)
    destination = memory_of(operation.destination_region, memories)
    reading = operation.length / source.bytes_per_cycle + source.read_latency
    return int(max(reading, operation.length / destination.bytes_per_cycle + destination.write_latency))


def busiest_memory(moved: Iterator[Moved]) -> int:
    """Cycles of the memory that has the most to do; what lies in one and the same memory adds up."""
    busy: dict[MemoryTiming, float] = {}
    for memory, size in moved:
        busy[memory] = busy.get(memory, 0.0) + size / memory.bytes_per_cycle
    return int(max(busy.values()))


def moved_by_element(operation: BlockOperation, design: U55Design, memories: MemorySystem) -> Iterator[Moved]:
    """What an elementwise operation moves: its OFM, and each operand as often as it is used."""
    ofm = operation.ofm
    yield _written(operation, design, memories)
    for operand in operation.inputs:
        # One number as second operand is kept.
        if operand is operation.ifm or operand.elements > 1:
            size = stored_elements(ofm, operand.bricks) * operand.dtype.itemsize
            yield memory_of(operand.region, memories), size * _read_loss(operation, operand, memories)


def moved_by_block(operation: BlockOperation, design: U55Design, memories: MemorySystem) -> Iterator[Moved]:
    """What an operation with a kernel moves: OFM, IFM with what blocks read twice, streams once per OFM block."""
    ofm, ifm, kernel = operation.ofm, operation.ifm, operation.kernel
    yield _written(operation, design, memories)
    height, width, depth = smaller((ofm.height, ofm.width, ofm.depth), operation.block)
    across = ceil_divide(ofm.height, height) * ceil_divide(ofm.width, width)
    blocks = across * (1 if operation.by_channel else ceil_divide(ofm.depth, depth))
    fetched = ifm_block(operation, design)
    parts = ceil_divide(kernel.height, SUB_KERNEL) * ceil_divide(kernel.width, SUB_KERNEL)
    deep = ceil_divide(ifm.depth, BRICK) * BRICK if ifm.bricks else ifm.depth
    size = min(fetched[0], ifm.height) * min(fetched[1], ifm.width) * deep * ifm.dtype.itemsize * parts * blocks
    yield memory_of(ifm.region, memories), size * _read_loss(operation, ifm, memories)
    for part in operation.streams:
        yield memory_of(part.region, memories), part.length * across


def first_and_last(operation: BlockOperation, design: U55Design, memories: MemorySystem) -> tuple[int, int]:
    """Cycles that read the first IFM block, and cycles that write the last OFM block."""
    block = ifm_block(operation, design)
    reading = 0
    for operand in operation.inputs:
        memory = memory_of(operand.region, memories)
        extent = smaller((operand.height, operand.width, operand.depth), block)
        loss = _read_loss(operation, operand, memories)
        reading = max(reading, memory.read_latency + _transfer(memory, extent, operand, loss))
    ofm = operation.ofm
    memory = memory_of(ofm.region, memories)
    extent = smaller((ofm.height, ofm.width, ofm.depth), operation.block)
    loss = _write_loss(operation, design, memories)
    return reading, memory.write_latency + _transfer(memory, extent, ofm, loss)


def _written(operation: BlockOperation, design: U55Design, memories: MemorySystem) -> Moved:
    ofm = operation.ofm
    size = stored_elements(ofm) * ofm.dtype.itemsize
    return memory_of(ofm.region, memories), size * _write_loss(operation, design, memories)


def _transfer(memory: MemoryTiming, extent: Shape, feature_map: FeatureMap, loss: float) -> int:
    size = prod(extent) * feature_map.dtype.itemsize
    return int(size * loss / memory.bytes_per_cycle)


def _read_loss(operation: BlockOperation, fm: FeatureMap, memories: MemorySystem) -> float:
    """How many times the transfer of an input takes longer because its bursts are short."""
    size, width = fm.dtype.itemsize, operation.block[1]
    memory = memory_of(fm.region, memories)
    if fm.bricks:
        return _loss(memory, BRICK * size * width)
    depth = ifm_block_depth(operation)
    dense = fm.stride_x == depth * size
    return _loss(memory, depth * size * (width if dense else 1))


def _write_loss(operation: BlockOperation, design: U55Design, memories: MemorySystem) -> float:
    """How many times the transfer of the OFM takes longer because its bursts are short."""
    ofm, (_, width, depth) = operation.ofm, operation.block
    size = ofm.dtype.itemsize
    if ofm.bricks:
        run = BRICK * size * width * design.cores
    elif depth <= BRICK and ofm.stride_x == depth * size:
        run = depth * size * width
    else:
        run = min(64, BRICK * size * design.cores, depth * size)
    return _loss(memory_of(ofm.region, memories), run)


def _loss(memory: MemoryTiming, run: int) -> float:
    return memory.burst / min(memory.burst, run)
