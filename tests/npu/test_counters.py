import numpy as np

from deploy.npu.architecture import Architecture
from deploy.npu.stream.decoder import decode
from deploy.npu.timing.counters import (
    AXI0_READ_BEATS,
    AXI0_WRITE_BEATS,
    AXI1_READ_BEATS,
    NPU_ACTIVE,
    Traffic,
    event_counts,
    traffic,
)

# DMA from region 0 to region 1, then from region 1 into the SHRAM (an internal destination).
TWO_DMAS = [0x130, 0x10131, 0x4030, 0, 0x4031, 16, 0x4032, 32, 0x10]
TWO_DMAS += [0x10130, 0x1030131, 0x4030, 0, 0x4031, 0x1000, 0x4032, 256, 0x10, 0xFFFF0000]


def test_bytes_are_counted_at_the_port_that_regioncfg_gives_each_region():
    program = decode(np.array(TWO_DMAS, np.uint32), Architecture("U55", 128))
    copy, table = program.operations
    assert traffic(copy, 0b0011) == Traffic(read=(0, 32), written=(32, 0))
    assert traffic(copy, 0b1100) == Traffic(read=(32, 0), written=(0, 32))
    assert traffic(table, 0b0011) == Traffic(read=(256, 0))
    assert traffic(copy) + traffic(table) == Traffic(read=(256, 32), written=(32, 0))


def test_beats_have_the_width_of_the_products_port_and_are_rounded_up():
    moved = Traffic(read=(33, 8), written=(1, 0))
    u55, u65 = event_counts("U55", 7, moved), event_counts("U65", 7, moved)
    assert (u55[AXI0_READ_BEATS], u55[AXI1_READ_BEATS], u55[AXI0_WRITE_BEATS]) == (5, 1, 1)
    assert (u65[AXI0_READ_BEATS], u65[AXI1_READ_BEATS], u65[AXI0_WRITE_BEATS]) == (3, 1, 1)
    assert u55[NPU_ACTIVE] == 7
