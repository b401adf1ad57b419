"""An estimate of the time that transfers of Ethos-U85 take: channels, bursts, blocks.

Several channels share the ports to a memory: one for the IFM, one for weights and so on. What a channel gets is
limited by what may be under way at a time, so latency costs bandwidth. Source of the structure and its constants:
Vela 5.2.0's source package, ``ethosu/regor/architecture/ethosu85/ethos_u85_performance.cpp``; see
:mod:`deploy.npu.timing.u85_cycles`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

from deploy.hardware.designs import Channel, MemorySystem, MemoryTiming, U85Design
from deploy.npu.stream.operations import BRICK, SUB_KERNEL, BlockOperation, FeatureMap
from deploy.npu.stream.u85_operations import (
    RowsDmaOperation,
    U85ConvolutionOperation,
    U85PoolingOperation,
    ifm_block_depth,
)
from deploy.npu.timing.transfers import Shape, ceil_divide, memory_of, smaller

_WORD = 16
"""Bytes of what the buffers of a channel are counted in."""
_USE = 0.8
"""Of what may be under way, and of what then could move, so much does (an assumption of Vela's)."""


def channel_rate(memory: MemoryTiming, channel: Channel, design: U85Design) -> float:
    """Bytes a cycle that a channel gets from a memory."""
    latency, under_way = memory.read_latency, memory.reads
    if channel is Channel.WRITE:
        latency, under_way = memory.write_latency, memory.writes
    if not latency or not under_way:  # nothing is known that would limit it
        return memory.bytes_per_cycle
    transactions = under_way * memory.ports * _USE
    if channel is not Channel.WRITE:
        transactions = min(transactions, design.buffers[channel] / max(memory.burst // _WORD, 1))
    return min(memory.bytes_per_cycle, memory.burst * transactions / latency * _USE)


def dma_cycles(operation: RowsDmaOperation, design: U85Design, memories: MemorySystem) -> int:
    """Cycles of a DMA transfer: the slower of its two memories."""
    source = memory_of(operation.source.region, memories)
    destination = memory_of(operation.destination.region, memories)
    reading = operation.bytes / channel_rate(source, Channel.COPY, design) + source.read_latency
    writing = operation.bytes / channel_rate(destination, Channel.WRITE, design) + destination.write_latency
    return int(max(reading, writing))


def ifm_block(operation: BlockOperation, design: U85Design) -> Shape:
    """IFM block that an OFM block needs (one sub-kernel of it); the stream does not say it."""
    if not isinstance(operation, U85ConvolutionOperation | U85PoolingOperation):
        return operation.block
    kernel, bits = operation.kernel, operation.ifm.dtype.itemsize * 8
    depth, ofm_ublock = operation.block[2], operation.accumulators.ublock
    if not operation.by_channel:
        depth = pass_depth(operation, design)
    unit = design.ifm_unit(ofm_ublock, depth * bits)
    height = (operation.block[0] - 1) * kernel.stride_y + min(SUB_KERNEL, kernel.extent_y)
    width = (operation.block[1] - 1) * kernel.stride_x + min(SUB_KERNEL, kernel.extent_x)
    bricks = unit[2] * 128 // bits
    return (
        ceil_divide(height, unit[0]) * unit[0],
        ceil_divide(width, unit[1]) * unit[1],
        ceil_divide(depth, bricks) * bricks if operation.by_channel else depth,
    )


def pass_depth(operation: U85ConvolutionOperation | U85PoolingOperation, design: U85Design) -> int:
    """Input channels that an operation which sums over them takes in one pass."""
    return ifm_block_depth(
        design.macs,
        operation.accumulators.ublock[2],
        part_kernel_first=operation.kernel.part_kernel_first,
        sparse=isinstance(operation, U85ConvolutionOperation) and operation.sparse,
        ifm_bits=operation.ifm.dtype.itemsize * 8,
    )


def first_block(operation: BlockOperation, design: U85Design, memories: MemorySystem) -> int:
    """Cycles that read the first IFM block."""
    block, reading = ifm_block(operation, design), 0
    for operand in operation.inputs:
        if operand.chain is None:
            memory = memory_of(operand.region, memories)
            size = prod(smaller(operand.extents, block)) * operand.dtype.itemsize
            moved = size * _read_loss(operand, block, memory)
            reading = max(reading, memory.read_latency + int(moved / memory.bytes_per_cycle))
    return reading


def last_block(operation: BlockOperation, block: Shape, memories: MemorySystem) -> int:
    """Cycles that write the last OFM block."""
    ofm = operation.ofm
    if not operation.stores:
        return 0
    memory = memory_of(ofm.region, memories)
    size = prod(smaller(ofm.extents, block)) * ofm.dtype.itemsize
    return memory.write_latency + int(size * _write_loss(ofm, block, memory) / memory.bytes_per_cycle)


class _Moved(NamedTuple):
    """What goes through a channel; bytes as if all bursts were whole."""

    memory: MemoryTiming
    channel: Channel
    size: float


def busiest_memory(chain: Sequence[BlockOperation], design: U85Design, memories: MemorySystem) -> int:
    """Cycles of the memory that has the most to do, or of the busiest channel to it."""
    whole: dict[MemoryTiming, float] = {}
    channels: dict[tuple[MemoryTiming, Channel], float] = {}
    for operation in chain:
        for memory, channel, size in _moved(operation, chain[0], design, memories):
            whole[memory] = whole.get(memory, 0.0) + size / memory.bytes_per_cycle
            cycles = size / channel_rate(memory, channel, design)
            channels[memory, channel] = channels.get((memory, channel), 0.0) + cycles
    return int(max([*whole.values(), *channels.values()], default=0))


def _moved(
    operation: BlockOperation, head: BlockOperation, design: U85Design, memories: MemorySystem
) -> Iterator[_Moved]:
    """What an operation of a chain moves; blocks are those of the first one."""
    ofm = operation.ofm
    if operation.stores:
        memory = memory_of(ofm.region, memories)
        size = stored_elements(ofm) * ofm.dtype.itemsize
        yield _Moved(memory, Channel.WRITE, size * _write_loss(ofm, head.block, memory))
    if not isinstance(operation, U85ConvolutionOperation | U85PoolingOperation):
        for operand in operation.inputs:
            # One number as second operand is kept.
            if operand.chain is None and (operand is operation.ifm or operand.elements > 1):
                yield _read(operand, stored_elements(operand), head.block, memories, Channel.STREAM)
        return
    block = ifm_block(operation, design)
    height, width, depth = smaller(ofm.extents, operation.block)
    across = ceil_divide(ofm.height, height) * ceil_divide(ofm.width, width)
    ifm, kernel = operation.ifm, operation.kernel
    parts = ceil_divide(kernel.height, SUB_KERNEL) * ceil_divide(kernel.width, SUB_KERNEL)
    deep = ceil_divide(ifm.depth, BRICK) * BRICK if ifm.bricks else ifm.depth
    fetched = min(block[0], ifm.height) * min(block[1], ifm.width) * deep * parts * across
    if not operation.by_channel:
        fetched *= ceil_divide(ofm.depth, depth)
    yield _read(ifm, fetched, block, memories, Channel.IFM)
    if isinstance(operation, U85ConvolutionOperation):
        if operation.ifm2 is not None:
            yield _read(operation.ifm2, stored_elements(operation.ifm2), block, memories, Channel.STREAM)
        weights = Channel.FAST_WEIGHTS if operation.fast else Channel.WEIGHTS
        for part in operation.weights:
            yield _Moved(memory_of(part.region, memories), weights, part.length * across)
        for part in operation.scales:
            # As Vela counts them, wherever weights and scales were copied to before.
            yield _Moved(memories.constants, Channel.SCALES, part.length * across)


def _read(fm: FeatureMap, elements: int, block: Shape, memories: MemorySystem, channel: Channel) -> _Moved:
    memory = memory_of(fm.region, memories)
    return _Moved(memory, channel, elements * fm.dtype.itemsize * _read_loss(fm, block, memory))


def stored_elements(fm: FeatureMap) -> int:
    """Elements of a feature map as it is stored, in whole bricks where it has bricks or stays inside the NPU."""
    if fm.bricks or fm.chain is not None:
        return fm.height * fm.width * ceil_divide(fm.depth, BRICK) * BRICK
    return fm.elements


def _read_loss(fm: FeatureMap, block: Shape, memory: MemoryTiming) -> float:
    """How many times the transfer of an input takes longer because its bursts are short."""
    size = fm.dtype.itemsize
    if fm.bricks:
        return _loss(memory, BRICK * size * block[1])
    return _loss(memory, block[2] * size * (block[1] if fm.depth * size == block[2] else 1))


def _write_loss(ofm: FeatureMap, block: Shape, memory: MemoryTiming) -> float:
    """How many times the transfer of the OFM takes longer because its bursts are short."""
    _, width, depth = block
    size = ofm.dtype.itemsize
    if ofm.bricks:
        run = BRICK * size * width
    elif depth <= BRICK and ofm.depth * size == depth:
        run = depth * size * width
    else:
        run = min(64, BRICK * size, depth * size)
    return _loss(memory, run)


def _loss(memory: MemoryTiming, run: int) -> float:
    return memory.burst / min(memory.burst, run)
