from deploy.npu import Architecture
from deploy.npu.program import record
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import AddressRange
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.timing.statistics import PortTraffic, Statistics

from ..builders import convolution, elementwise, feature_map, kernel, pooling

U55 = Architecture("U55", 128)


def test_a_convolution_counts_its_macs_and_its_streams() -> None:
    streams = {"weights": (AddressRange(0, 0, 640),), "scales": (AddressRange(0, 640, 160),)}
    operation = convolution(feature_map((9, 9, 32)), feature_map((7, 7, 16)), kernel=kernel(3, 3), **streams)
    found = record(operation, U55)
    assert found.kind == "CONV"
    assert found.macs == 7 * 7 * 16 * 3 * 3 * 32
    # Region 0 holds weights and scales; the builders' feature maps lie in region 1.
    assert found.moved == PortTraffic(read=(9 * 9 * 32, 640 + 160), written=(7 * 7 * 16, 0))
    assert (sum(found.moved.read), sum(found.moved.written)) == (9 * 9 * 32 + 640 + 160, 7 * 7 * 16)
    assert record(operation, U55, 0b0000).moved.read == (9 * 9 * 32 + 640 + 160, 0)
    # At least the time that 128 MAC units need.
    assert found.cycles >= found.macs / 128


def test_a_depthwise_convolution_multiplies_each_channel_alone() -> None:
    operation = convolution(feature_map((9, 9, 16)), feature_map((7, 7, 16)), kernel=kernel(3, 3), depthwise=True)
    assert record(operation, U55).macs == 7 * 7 * 16 * 9


def test_kinds_name_the_mode() -> None:
    fm = feature_map((4, 4, 8))
    assert record(pooling(PoolingMode.MAX, fm, fm), U55).kind == "POOL.MAX"
    add = record(elementwise(ElementwiseMode.ADD, fm, fm, feature_map((1, 4, 8))), U55)
    assert (add.kind, add.macs, sum(add.moved.read)) == ("ELEMENTWISE.ADD", 0, 128 + 32)


def test_totals_are_the_sums_of_the_records() -> None:
    fm = feature_map((4, 4, 8))
    dma = DmaOperation(0, "NPU_OP_DMA_START", 0, 0, 0, 1, 0, 100)
    statistics = Statistics([record(dma, U55), record(pooling(PoolingMode.MAX, fm, fm), U55)])
    assert (statistics.operations, len(statistics.records) - statistics.operations) == (1, 1)
    assert statistics.moved == PortTraffic(read=(128, 100), written=(100 + 128, 0))
    assert sum(statistics.moved.read) == 100 + 128


def test_dma_is_hidden_behind_the_operation_before_it() -> None:
    fm = feature_map((8, 8, 8))
    kernel_record = record(pooling(PoolingMode.MAX, fm, fm), U55)
    short = record(DmaOperation(0, "NPU_OP_DMA_START", 0, 0, 0, 1, 0, 100), U55)
    long = record(DmaOperation(0, "NPU_OP_DMA_START", 0, 0, 0, 1, 0, 100_000), U55)
    alone = kernel_record.cycles
    assert short.cycles < alone < long.cycles
    assert Statistics([short, kernel_record]).cycles == short.cycles + alone
    assert Statistics([kernel_record, short, kernel_record]).cycles == 2 * alone
    # Two transfers share what the operation gives, and what goes beyond it counts.
    assert Statistics([kernel_record, short, long]).cycles == short.cycles + long.cycles
