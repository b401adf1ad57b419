"""Numbers marked so were read from Vela 5.2.0's debug database, the others computed by hand."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.hardware.designs import Channel, MemorySystem, MemoryTiming, U85Design
from deploy.npu import Architecture
from deploy.npu.program import record, records, time_of
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import AddressRange
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u85_operations import (
    AxisSampling,
    ResizeMode,
    RowsDmaOperation,
    RowsEnd,
    U85ConvolutionOperation,
)
from deploy.npu.stream.u85_registers import Accumulators, Start
from deploy.npu.timing.statistics import Statistics
from deploy.npu.timing.u85_transfers import channel_rate, ifm_block

from ..builders import feature_map, kernel
from ..u85_builders import convolution, elementwise, pooling, resize

U85_256 = Architecture("U85", 256)
U85_2048 = Architecture("U85", 2048)
MACS = (128, 256, 512, 1024, 2048)
FAST = 2

# Memory that takes no time, to see computing alone.
_FREE = MemoryTiming("free", float("inf"), 1, 0, 0)
FREE = MemorySystem(_FREE, _FREE, _FREE)


def accumulators(ublock: tuple[int, int, int], bits: int = 32) -> Accumulators:
    return Accumulators(bits, Start.ZERO, stored=True, ublock=ublock)


def streams(weights: int, scales: int, region: int = FAST) -> dict[str, tuple[AddressRange, ...]]:
    return {"weights": (AddressRange(region, 0, weights),), "scales": (AddressRange(region, weights, scales),)}


def pointwise(**changes: object) -> U85ConvolutionOperation:
    """Of the keyword spotting network, on U85-256."""
    ifm = feature_map((25, 5, 64), bricks=True, region=FAST)
    values = {"block": (16, 4, 32), "accumulators": accumulators((2, 2, 8)), **streams(4032, 640)}
    return convolution(ifm, ifm, **(values | changes))


def dma(size: int) -> RowsDmaOperation:
    source, destination = RowsEnd(0, 0, 0, 0, indexed=False), RowsEnd(FAST, 0, 0, 0, indexed=False)
    return RowsDmaOperation(0, "NPU_OP_DMA_START", 0, source, destination, size, 1, 1, None, 0, 0)


def test_a_depth_first_convolution_waits_for_its_biases() -> None:
    found = time_of(pointwise(), U85_256)
    # 32 cycles an ublock of depth: 8 eights of channels, 4 x 8 ublocks in the first block of 16 x 4 places.
    assert found.npu == 3264  # Vela
    # Through the channel of scales: 16 words of buffers are 2 bursts of 128 bytes, which take 500 cycles.
    assert found.memory == int(4 * 640 / (128 * 2 / 500 * 0.8)) == 6250  # Vela: 6249


def test_biases_that_are_not_there_cost_nothing() -> None:
    found = time_of(pointwise(weights=(), scales=()), U85_256)
    assert found.npu == 3264
    assert found.memory < 2000


def test_a_depthwise_convolution_of_several_blocks() -> None:
    fm = feature_map((25, 5, 64), bricks=True, region=FAST)
    operation = convolution(
        fm,
        fm,
        depthwise=True,
        kernel=kernel(3, 3),
        block=(25, 6, 16),
        accumulators=accumulators((1, 2, 16)),
        **streams(656, 640),
    )
    assert time_of(operation, U85_256).cycles == 4288  # Vela


def test_a_sum_over_a_whole_map() -> None:
    total = pooling(
        PoolingMode.SUM,
        feature_map((25, 5, 64), bricks=True, region=FAST),
        feature_map((1, 1, 64), bricks=True, region=FAST),
        kernel=kernel(25, 5),
        block=(1, 2, 64),
        accumulators=accumulators((1, 2, 16)),
    )
    assert time_of(total, U85_256).cycles == 2652  # Vela


def test_a_part_kernel_first_convolution_for_the_largest_npu() -> None:
    # The second one of the image classification network.
    fm = feature_map((32, 32, 16), bricks=True, region=FAST)
    operation = convolution(
        fm,
        fm,
        kernel=kernel(3, 3, part=True),
        block=(24, 32, 16),
        accumulators=accumulators((4, 4, 16)),
        weights=tuple(AddressRange(FAST, 0, 628) for _ in range(4)),
        scales=(AddressRange(FAST, 0, 160),),
        cores=4,
    )
    # 6 x 8 ublocks, 4 cycles each, ceil(9 / 4) steps, 2 eights of channels: 1152 a block; there are 4 / 3.
    # 24 * 32 * 16 / 32 = 384 write the results of a block, but steering takes longer: a quarter of both, and of
    # what the first block's read and the last one's write differ by.
    first, last = 32 + 28 * 32 * 16 // 32, 32 + 24 * 32 * 16 // 32
    steering = (1152 + 384 + first - last) // 4
    assert time_of(operation, U85_2048).cycles == 1152 * 4 // 3 + steering + first + last == 2832  # Vela


def test_operations_of_one_chain_share_the_mac_units_time() -> None:
    fm = feature_map((32, 32, 16), bricks=True, region=FAST)
    inside = feature_map((32, 32, 16), chain=0)
    convolved = convolution(
        fm,
        inside,
        kernel=kernel(3, 3, part=True),
        block=(8, 16, 16),
        accumulators=accumulators((1, 4, 8)),
        **streams(2432, 160),
    )
    added = elementwise(ElementwiseMode.ADD, fm, fm, inside, block=(8, 16, 16))
    first, second = records([convolved, added], U85_256)
    assert not first.chained and second.chained
    # 8 blocks of 1536 cycles on the MAC units, then half a cycle an element of the last one, which is written.
    reading, writing = 32 + 10 * 20 * 16 // 32, 32 + 8 * 16 * 16 // 32
    assert first.cycles + second.cycles == 8 * 1536 + 8 * 16 * 16 // 2 + reading + writing
    assert second.cycles < 32 * 32 * 16 // 4
    # Vela 13864: it counts what is kept as if it were written, to DRAM.
    assert first.cycles + second.cycles == 13540


def test_a_chain_of_numbers_takes_the_sum_of_its_rates() -> None:
    one = feature_map((1, 1, 1), "i4", bricks=True, region=FAST)
    inside = feature_map((1, 1, 1), "i4", chain=0)
    subtracted = elementwise(ElementwiseMode.SUB, one, inside, scalar=1, block=(1, 32, 16))
    shifted = elementwise(ElementwiseMode.SHL, one, one, inside, block=(1, 32, 16))
    # A brick of 16 numbers at half a cycle, twice; Vela has 16 of the output unit.
    assert [each.cycles for each in records([subtracted, shifted], U85_256)] == [8, 8]


def test_what_is_chained_to_nothing_is_timed_alone() -> None:
    fm, inside = feature_map((8, 8, 16)), feature_map((8, 8, 16), chain=0)
    added = elementwise(ElementwiseMode.ADD, fm, fm, inside)
    assert records([added], U85_256) == [record(added, U85_256)]


def test_an_endless_chain_takes_no_longer_to_time_than_it_is_long() -> None:
    inside = feature_map((1, 1, 16), chain=0)
    found = records([elementwise(ElementwiseMode.ADD, inside, inside, inside)] * 2000, U85_256)
    assert len(found) == 2000 and all(each.cycles >= 0 for each in found)


def test_dma_hides_behind_all_of_a_chain() -> None:
    fm, inside = feature_map((32, 32, 16), region=FAST), feature_map((32, 32, 16), chain=0)
    convolved = convolution(fm, inside, kernel=kernel(3, 3), accumulators=accumulators((2, 2, 8)))
    added = elementwise(ElementwiseMode.ADD, fm, fm, inside)
    chain = records([convolved, added], U85_256)
    alone = record(dma(1), U85_256)
    together = sum(each.cycles for each in chain)
    hidden = replace(alone, cycles=together)
    assert Statistics([*chain, hidden]).cycles == together
    assert Statistics([*chain, replace(alone, cycles=together + 5)]).visible_cycles[-1] == 5


def test_dma_moves_what_its_channel_can_have_under_way() -> None:
    # 104 words are 13 bursts of 128 bytes from DRAM, in 500 cycles, and of that 80 %.
    assert channel_rate(U85_256.design.memories.constants, Channel.COPY, design(256)) == 128 * 13 / 500 * 0.8
    assert time_of(dma(4672), U85_256).cycles == int(4672 / 2.6624 + 500)


def test_a_channel_gets_no_more_than_the_memory_gives() -> None:
    memory = MemoryTiming("SRAM", 8.0, 64, 1, 1, ports=2, reads=8, writes=8)
    assert channel_rate(memory, Channel.IFM, design(256)) == 8.0
    assert channel_rate(memory, Channel.WRITE, design(256)) == 8.0


def design(macs: int) -> U85Design:
    found = Architecture("U85", macs).design
    assert isinstance(found, U85Design)
    return found


def test_the_ifm_block_is_whole_units_of_reading() -> None:
    # From the debug database: 3 x 3 with a stride of 2, part kernel first, on U85-256.
    operation = convolution(
        feature_map((16, 16, 32), bricks=True),
        feature_map((8, 8, 64), bricks=True),
        kernel=kernel(3, 3, stride=2, part=True),
        block=(8, 8, 32),
        accumulators=accumulators((1, 4, 8)),
    )
    assert ifm_block(operation, design(256)) == (17, 20, 16)


def test_resizing_on_a_large_npu_is_faster_where_it_enlarges_much() -> None:
    sampling = AxisSampling(2, 1, 0)

    def cycles(factor: int) -> int:
        ifm, ofm = feature_map((4, 4, 16)), feature_map((4 * factor, 4 * factor, 16))
        operation = replace(resize(ResizeMode.NEAREST, ifm, ofm, sampling, sampling), block=(1, 16, 16))
        return time_of(operation, U85_2048, FREE).npu

    assert cycles(2) == 8 * 8 * 16 // 16
    assert cycles(4) == 16 * 16 * 16 // 32


@pytest.mark.parametrize(("axes", "slower"), [((0, 2, 1), 1), ((1, 0, 2), 2)])
def test_exchanging_rows_and_columns_halves_the_output_unit(axes: tuple[int, int, int], slower: int) -> None:
    ofm = feature_map((32, 32, 16), axes=axes)
    operation = elementwise(ElementwiseMode.ADD, feature_map((32, 32, 16)), ofm, feature_map((32, 32, 16)))
    assert time_of(operation, U85_256, FREE).npu == 32 * 32 * 16 // 4 * slower


def test_division_takes_33_cycles_an_element() -> None:
    fm = feature_map((2, 2, 16), "i4")
    assert time_of(elementwise(ElementwiseMode.DIV, fm, fm, fm), U85_256, FREE).npu == 33 * 64


def test_sparse_weights_halve_the_work() -> None:
    dense = replace(pointwise(), ifm=feature_map((25, 5, 512), region=FAST))
    units = time_of(dense, U85_256, FREE).npu, time_of(replace(dense, sparse=True), U85_256, FREE).npu
    assert units[1] < 0.6 * units[0]


@settings(deadline=None)
@given(
    st.integers(1, 64),
    st.integers(1, 64),
    st.integers(1, 40),
    st.integers(1, 5),
    st.sampled_from(MACS),
    st.integers(0, 2),
)
def test_no_convolution_beats_the_mac_units(
    ifm_depth: int, ofm_depth: int, side: int, size: int, macs: int, ublock: int
) -> None:
    ublocks = design(macs).ofm_ublocks
    operation = convolution(
        feature_map((side + size - 1, side + size - 1, 8 * ifm_depth)),
        feature_map((side, side, ofm_depth)),
        kernel=kernel(size, size),
        accumulators=accumulators(ublocks[ublock % len(ublocks)]),
    )
    needed = side * side * ofm_depth * size * size * 8 * ifm_depth // macs
    # Within what the fraction of a block at the edge rounds away.
    assert time_of(operation, Architecture("U85", macs)).cycles >= needed - 1
