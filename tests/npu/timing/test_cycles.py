"""The numbers for the demo network were read from Vela 5.2.0's debug database, the others computed by hand."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.hardware.designs import MemorySystem, MemoryTiming
from deploy.npu import Architecture
from deploy.npu.program import time_of
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import AddressRange, Function
from deploy.npu.stream.pooling import PoolingMode

from ..builders import activation, convolution, elementwise, feature_map, kernel, pooling

U55_128 = Architecture("U55", 128)
MEMBERS = [("U55", 32), ("U55", 64), ("U55", 128), ("U55", 256), ("U65", 256), ("U65", 512)]

# Memory that takes no time, to see computing alone.
_FREE = MemoryTiming("free", float("inf"), 1, 0, 0)
FREE = MemorySystem(_FREE, _FREE, _FREE)


def streams(weights: int, scales: int, region: int = 1) -> dict[str, tuple[AddressRange, ...]]:
    return {"weights": (AddressRange(region, 0, weights),), "scales": (AddressRange(region, weights, scales),)}


def test_a_depth_first_convolution_in_one_block() -> None:
    # 1 x 1, 40 -> 8 channels on 7 x 7: 28 ublocks of 1 x 2 x 8, 4 cycles each, twice 32 input channels: 224 on the
    # MAC units. 392 outputs, two a cycle: 196. Then 32 + 7*7*32/8 to read the IFM block, 32 + 392/8 to write.
    operation = convolution(
        feature_map((7, 7, 40), bricks=True),
        feature_map((7, 7, 8), bricks=True),
        block=(7, 8, 8),
        **streams(400, 80),
    )
    assert time_of(operation, U55_128, FREE).npu == 224 + 196
    assert time_of(operation, U55_128).npu == 224 + 196 + (32 + 196) + (32 + 49) == 729


def test_a_part_kernel_first_convolution_with_a_table_in_many_blocks() -> None:
    # The first layer of the demo network: a table makes the output unit the slower one, one element a cycle.
    operation = convolution(
        feature_map((56, 56, 1)),
        feature_map((28, 28, 16), bricks=True),
        kernel=kernel(3, 3, stride=2, part=True),
        activation=activation(function=Function.LUT),
        block=(4, 16, 16),
        **streams(272, 160),
    )
    # First block on the MAC units: 4 * 8 ublocks across, 2 deep, 4 cycles, ceil(9 / 4) steps: 768.
    # IFM block of 9 x 34 x 1 bytes in bursts of 8 of 32: 1224 / 8; OFM block of 4 x 16 x 16.
    assert time_of(operation, U55_128).npu == 28 * 28 * 16 + 768 + (32 + 153) + (32 + 128) == 13657


def test_a_depthwise_convolution_of_several_blocks() -> None:
    operation = convolution(
        feature_map((28, 28, 16), bricks=True),
        feature_map((14, 14, 16), bricks=True),
        depthwise=True,
        kernel=kernel(3, 3, stride=2),
        block=(8, 8, 16),
        **streams(208, 160),
    )
    # 14 * 7 ublocks across, 2 deep, ceil(9 / 4) steps of 4 cycles; one block of output.
    # IFM block of 17 x 18 x 16, OFM block of 8 x 8 x 16.
    assert time_of(operation, U55_128).npu == 14 * 7 * 2 * 3 * 4 + 512 + (32 + 612) + (32 + 128) == 3668


def test_a_kernel_beyond_8_x_8_is_computed_in_parts() -> None:
    # 14 x 14 to 1 x 1: parts of 64, 48, 48 and 36 elements take 16 + 12 + 12 + 9 steps of at least 32 cycles; one
    # ublock alone waits 2 cycles between steps.
    operation = convolution(
        feature_map((14, 14, 16), bricks=True),
        feature_map((1, 1, 16), "i4", bricks=True),
        depthwise=True,
        kernel=kernel(14, 14),
        block=(1, 2, 16),
        **streams(400, 160),
    )
    assert time_of(operation, U55_128).npu == 4382


def test_pooling_and_elementwise_as_vela_counts_them() -> None:
    quantize = pooling(
        PoolingMode.AVERAGE, feature_map((14, 14, 16)), feature_map((14, 14, 16)), block=(9, 12, 16)
    )
    assert time_of(quantize, U55_128).npu == 4496
    bricks = feature_map((7, 7, 8), bricks=True)
    add = elementwise(ElementwiseMode.ADD, bricks, bricks, bricks, block=(7, 8, 8))
    # 1.5 cycles an element, and bricks of 16 channels are written whole.
    assert time_of(add, U55_128).npu == 7 * 7 * 16 * 3 // 2


def test_a_sum_over_channels_reads_32_of_them_at_a_time() -> None:
    # From a softmax over 100 channels: 4 passes of 32 cycles and 2 of waiting; the one cycle of output hides
    # behind the steering of the block, a quarter of its work. 128 bytes in, 4 out.
    total = pooling(
        PoolingMode.REDUCE_SUM,
        feature_map((1, 1, 100), "i4"),
        feature_map((1, 1, 1), "i4", bricks=True),
        block=(1, 2, 8),
    )
    computing = 4 * (32 + 2)
    assert time_of(total, U55_128).npu == computing + (computing + 1) // 4 + (32 + 16) + 32 == 250


def test_a_small_elementwise_operation_waits_for_its_operands() -> None:
    # One 32-bit number from flash and one from SRAM: 64 cycles of latency and 4 bytes at a quarter of the speed,
    # as bursts are 32 of 128 bytes; a block of 16 elements at 1.25 cycles each; a quarter of the sum.
    flash = feature_map((1, 1, 1), "i4", region=0)
    bricks = feature_map((1, 1, 1), "i4", bricks=True)
    subtract = elementwise(ElementwiseMode.SUB, flash, bricks, bricks, block=(1, 2, 8))
    assert time_of(subtract, U55_128).npu == (64 + 16 + 20) // 4


def test_weights_are_read_from_their_memory_once_per_block_across() -> None:
    ifm, ofm = feature_map((1, 1, 16), bricks=True), feature_map((1, 1, 8), bricks=True)
    in_flash = convolution(ifm, ofm, block=(1, 2, 8), **streams(176, 80, region=0))
    assert time_of(in_flash, U55_128).memory == 176 + 80
    assert time_of(in_flash, U55_128).cycles == 256
    wide = replace(in_flash, ifm=feature_map((4, 8, 16), bricks=True), ofm=feature_map((4, 8, 8), bricks=True))
    assert time_of(wide, U55_128).memory == (176 + 80) * 16


def test_dma_takes_the_slower_of_its_two_memories() -> None:
    dma = DmaOperation(0, "NPU_OP_DMA_START", 0, 0, 0, 1, 0, 432)
    assert time_of(dma, U55_128).cycles == 432 + 64
    inside = DmaOperation(0, "NPU_OP_DMA_START", 0, 1, 0, None, 0, 256)
    assert time_of(inside, U55_128).cycles == 256 // 8 + 32


def test_memories_are_parameters() -> None:
    dma = DmaOperation(0, "NPU_OP_DMA_START", 0, 0, 0, 1, 0, 1000)
    quick = replace(U55_128.design.memories, constants=MemoryTiming("flash", 4.0, 128, 10, 0))
    assert time_of(dma, U55_128, quick).cycles == 1000 // 4 + 10
    assert Architecture("U65", 256).design.memories.arena.bytes_per_cycle == 3.75


def test_40_bit_accumulators_write_slower() -> None:
    narrow = convolution(feature_map((8, 8, 8)), feature_map((8, 8, 8)), block=(8, 8, 8))
    wide = convolution(feature_map((8, 8, 8), "i2"), feature_map((8, 8, 8), "i2"), block=(8, 8, 8))
    assert time_of(wide, U55_128, FREE).npu - time_of(narrow, U55_128, FREE).npu == 512 // 4


@pytest.mark.parametrize("member", MEMBERS)
def test_a_larger_npu_of_a_product_is_not_slower(member: tuple[str, int]) -> None:
    operation = convolution(
        feature_map((16, 16, 32)), feature_map((16, 16, 32)), kernel=kernel(3, 3), block=(8, 8, 16)
    )
    cycles = {other: time_of(operation, Architecture(*other), FREE).cycles for other in MEMBERS}
    assert all(
        cycles[member] <= cycles[other] for other in MEMBERS if other[0] == member[0] and other[1] < member[1]
    )


@settings(deadline=None)
@given(
    # A single row is laid out in another way, which may be slower than two.
    st.integers(2, 40),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(MEMBERS),
    st.booleans(),
    st.integers(0, 2),
    st.integers(1, 3),
)
def test_more_blocks_take_longer(
    height: int, width: int, depth: int, member: tuple[str, int], pools: bool, axis: int, blocks: int
) -> None:
    def cycles(shape: tuple[int, int, int]) -> int:
        ofm = feature_map(shape)
        if pools:
            return time_of(pooling(PoolingMode.MAX, ofm, ofm), Architecture(*member), FREE).cycles
        ifm = feature_map((shape[0], shape[1], 24))
        return time_of(convolution(ifm, ofm), Architecture(*member), FREE).cycles

    larger = [height, width, depth]
    larger[axis] += blocks * (8, 8, 16)[axis]
    # Less than a block more may even be quicker: a block of one ublock waits for its weights.
    assert cycles((larger[0], larger[1], larger[2])) > cycles((height, width, depth))


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 64), st.booleans(), st.sampled_from(MEMBERS))
def test_more_macs_per_output_take_no_less(
    height: int, width: int, depth: int, part: bool, member: tuple[str, int]
) -> None:
    def cycles(height: int, width: int, depth: int) -> int:
        operation = convolution(
            feature_map((20, 20, depth)), feature_map((9, 9, 16)), kernel=kernel(height, width, part=part)
        )
        return time_of(operation, Architecture(*member), FREE).cycles

    assert cycles(height + 1, width, depth) >= cycles(height, width, depth)
    assert cycles(height, width + 1, depth) >= cycles(height, width, depth)
    assert cycles(height, width, depth + 8) >= cycles(height, width, depth)


@settings(deadline=None)
@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 64), st.integers(1, 5), st.sampled_from(MEMBERS))
def test_no_convolution_beats_the_mac_units(
    ifm_depth: int, ofm_depth: int, side: int, size: int, member: tuple[str, int]
) -> None:
    operation = convolution(
        feature_map((side + size - 1, side + size - 1, ifm_depth)),
        feature_map((side, side, ofm_depth)),
        kernel=kernel(size, size),
    )
    architecture = Architecture(*member)
    macs = side * side * ofm_depth * size * size * ifm_depth
    assert time_of(operation, architecture).cycles >= macs // architecture.macs
