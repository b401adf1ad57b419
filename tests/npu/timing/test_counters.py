import numpy as np

from deploy.hardware.npu_events import NpuEvent
from deploy.npu.architecture import Architecture
from deploy.npu.program import decode
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import AddressRange
from deploy.npu.timing.statistics import PortTraffic, event_counts, traffic

from ..builders import feature_map
from ..u85_builders import convolution, elementwise

READ_0, READ_1 = NpuEvent.AXI0_RD_DATA_BEAT_RECEIVED, NpuEvent.AXI1_RD_DATA_BEAT_RECEIVED
WRITTEN_0 = NpuEvent.AXI0_WR_DATA_BEAT_WRITTEN
# DMA from region 0 to region 1, then from region 1 into the SHRAM (an internal destination).
TWO_DMAS = [0x130, 0x10131, 0x4030, 0, 0x4031, 16, 0x4032, 32, 0x10]
TWO_DMAS += [0x10130, 0x1030131, 0x4030, 0, 0x4031, 0x1000, 0x4032, 256, 0x10, 0xFFFF0000]


def test_bytes_are_counted_at_the_port_that_regioncfg_gives_each_region():
    program = decode(np.array(TWO_DMAS, np.uint32), Architecture("U55", 128))
    copy, table = program.operations
    assert traffic(copy, 0b0011) == PortTraffic(read=(0, 32), written=(32, 0))
    assert traffic(copy, 0b1100) == PortTraffic(read=(32, 0), written=(0, 32))
    assert traffic(table, 0b0011) == PortTraffic(read=(256, 0))
    assert traffic(copy) + traffic(table) == PortTraffic(read=(256, 32), written=(32, 0))


def test_beats_have_the_width_of_the_products_port_and_are_rounded_up():
    moved = PortTraffic(read=(33, 8), written=(1, 0))
    u55, u65 = (
        event_counts(Architecture(*npu).design.port_bytes, 7, moved) for npu in (("U55", 64), ("U65", 256))
    )
    assert (u55[READ_0], u55[READ_1], u55[WRITTEN_0]) == (5, 1, 1)
    assert (u65[READ_0], u65[READ_1], u65[WRITTEN_0]) == (3, 1, 1)
    assert u55[NpuEvent.NPU_ACTIVE] == 7


def test_u85_counts_beats_of_16_bytes_by_the_numbers_of_its_own_events():
    fm, inside = feature_map((4, 4, 16)), feature_map((4, 4, 16), chain=0)
    weights = {"weights": (AddressRange(0, 0, 640),), "scales": (AddressRange(0, 640, 160),)}
    convolved = convolution(feature_map((4, 4, 32)), inside, **weights)
    added = elementwise(ElementwiseMode.ADD, fm, fm, inside)
    # What is kept in the NPU passes no port: region 0 is at EXT, region 1 at the SRAM.
    moved = traffic(convolved) + traffic(added)
    assert moved == PortTraffic(read=(512 + 256, 800), written=(256, 0))
    counts = event_counts(Architecture("U85", 256).design.port_bytes, 9, moved)
    sram_read, sram_written, ext_read, ext_written, active = 130, 135, 386, 391, 35
    assert [counts[number] for number in (sram_read, sram_written, ext_read, ext_written)] == [48, 16, 50, 0]
    assert counts[active] == 9
