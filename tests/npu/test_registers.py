import numpy as np
import pytest

from deploy.npu import performance_counters as pmu
from deploy.npu import registers as reg
from deploy.npu.architecture import Architecture
from deploy.npu.registers import RegisterFile

SRAM, DDR = 0x31000000, 0x60000000
# DMA of 32 bytes from region 0 + 0 to region 1 + 16, then stop.
DMA = [0x130, 0x10131, 0x4030, 0, 0x4031, 16, 0x4032, 32, 0x10, 0xFFFF0000]
# Where the performance counters are.
U55_PMU, U85_PMU = 0x180, 0x1180


class Memory:
    """Two memories; counts the commits."""

    def __init__(self):
        self.blocks = {SRAM: np.zeros(4096, np.uint8), DDR: np.arange(4096, dtype=np.uint64).astype(np.uint8)}
        self.commits = 0

    def window(self, address):
        for base, content in self.blocks.items():
            if base <= address < base + content.size:
                return content[address - base :]
        return None

    def commit(self):
        self.commits += 1


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def npu(memory, lines):
    return RegisterFile(Architecture("U55", 128), memory, report=lines.append)


@pytest.fixture
def u85(memory, lines):
    return RegisterFile(Architecture("U85", 256), memory, report=lines.append)


def queue(npu, memory, words, at=SRAM + 0x800, size=None):
    content = np.array(words, "<u4").view(np.uint8)
    if (view := memory.window(at)) is not None:
        view[: content.size] = content
    npu.write(reg.QBASE0, at)
    npu.write(reg.QSIZE, content.size if size is None else size)
    npu.write(reg.BASEP0, DDR)
    npu.write(reg.BASEP0 + 8, SRAM)
    npu.write(reg.REGIONCFG, 3)


def test_the_identification_is_what_arms_driver_expects(npu):
    assert npu.read(reg.ID) == 0x10064001
    assert npu.read(reg.CONFIG) == 0x1807


@pytest.mark.parametrize(
    ("product", "macs", "config"),
    [
        ("U55", 32, 0x00001005),
        ("U55", 64, 0x00001006),
        ("U55", 256, 0x00003008),
        ("U65", 256, 0x10003008),
        ("U65", 512, 0x10006009),
        ("U85", 128, 0x20000117),
        ("U85", 256, 0x20000118),
        ("U85", 512, 0x20001119),
        ("U85", 1024, 0x2000251A),
        ("U85", 2048, 0x2000261B),
    ],
)
def test_config_tells_macs_and_product(product, macs, config, memory):
    assert RegisterFile(Architecture(product, macs), memory).read(reg.CONFIG) == config


def test_a_reset_takes_the_protection_and_is_over_at_once(npu):
    assert npu.read(reg.PROT) == 1
    npu.write(reg.QSIZE, 12)
    npu.write(reg.RESET, 3)
    assert npu.read(reg.PROT) == 3
    assert npu.read(reg.STATUS) & 1 << 3 == 0
    assert npu.read(reg.QSIZE) == 0


def test_a_run_moves_data_raises_the_interrupt_and_can_be_acknowledged(npu, memory):
    queue(npu, memory, DMA)
    npu.write(reg.CMD, reg.CMD_RUN)
    assert npu.irq
    assert npu.read(reg.STATUS) == reg.STATUS_IRQ | reg.STATUS_END
    assert npu.read(reg.QREAD) == 4 * len(DMA)
    assert memory.blocks[SRAM][16:48].tolist() == list(range(32))
    assert memory.commits == 1
    npu.write(reg.CMD, reg.CMD_CLEAR_IRQ)
    assert not npu.irq
    assert npu.read(reg.STATUS) == reg.STATUS_END
    assert [run.error for run in npu.runs] == [None]


@pytest.mark.parametrize(
    ("change", "bit", "reason"),
    [
        ({"at": 0x20000000}, reg.STATUS_BUS_ERROR, "does not reach its command stream"),
        ({"size": 0}, reg.STATUS_BUS_ERROR, "0 bytes"),
        ({"size": 6}, reg.STATUS_BUS_ERROR, "6 bytes"),
        ({"size": 1 << 20}, reg.STATUS_BUS_ERROR, "does not fit"),
        ({"words": [0x3F, 0xFFFF0000]}, reg.STATUS_PARSE_ERROR, "unknown command"),
        ({"words": [*DMA[:5], 0x7FFFFFFF, *DMA[6:]]}, reg.STATUS_BUS_ERROR, "outside the region"),
        ({"words": [0x20130, *DMA[1:]]}, reg.STATUS_BUS_ERROR, "region"),
    ],
)
def test_a_failed_run_sets_its_bit_and_tells_why(npu, memory, lines, change, bit, reason):
    queue(npu, memory, **{"words": DMA, **change})
    npu.write(reg.CMD, reg.CMD_RUN)
    assert npu.irq
    status = npu.read(reg.STATUS)
    assert status & bit
    assert not status & reg.STATUS_END
    assert len(lines) == 1
    assert reason in lines[0]
    assert npu.runs[0].error == lines[0]


def test_a_run_after_a_failed_one_starts_clean(npu, memory):
    queue(npu, memory, [0x3F])
    npu.write(reg.CMD, reg.CMD_RUN)
    queue(npu, memory, DMA)
    npu.write(reg.CMD, reg.CMD_RUN)
    assert npu.read(reg.STATUS) == reg.STATUS_IRQ | reg.STATUS_END


def test_a_stream_that_overwrites_itself_is_read_first(npu, memory):
    words = [*DMA[:5], 0x800, *DMA[6:]]
    queue(npu, memory, words)
    npu.write(reg.CMD, reg.CMD_RUN)
    assert npu.read(reg.STATUS) & reg.STATUS_END


def test_counters_count_only_what_was_selected_and_enabled(npu, memory):
    npu.write(U55_PMU + pmu.PMCR, 1)
    npu.write(U55_PMU + pmu.PMCNTENSET, 0x80000003)
    npu.write(U55_PMU + pmu.PMEVTYPER0, 0x182)
    npu.write(U55_PMU + pmu.PMEVTYPER0 + 4, 0x87)
    npu.write(U55_PMU + pmu.PMEVTYPER0 + 8, 0x23)
    queue(npu, memory, DMA)
    npu.write(reg.CMD, reg.CMD_RUN)
    # 32 bytes in beats of 8: region 0 is read through port 1, region 1 written through port 0.
    assert [npu.read(U55_PMU + pmu.PMEVCNTR0 + 4 * n) for n in range(4)] == [4, 4, 0, 0]
    cycles = npu.read(U55_PMU + pmu.PMCCNTR_LO)
    assert cycles == npu.runs[0].statistics.cycles > 0
    npu.write(U55_PMU + pmu.PMCNTENCLR, 0x80000000)
    npu.write(reg.CMD, reg.CMD_RUN)
    assert npu.read(U55_PMU + pmu.PMCCNTR_LO) == cycles
    assert npu.read(U55_PMU + pmu.PMEVCNTR0) == 8
    npu.write(U55_PMU + pmu.PMCR, 0b110)
    assert npu.read(U55_PMU + pmu.PMCCNTR_LO) == 0
    assert npu.read(U55_PMU + pmu.PMEVCNTR0) == 0
    npu.write(reg.CMD, reg.CMD_RUN)
    assert npu.read(U55_PMU + pmu.PMEVCNTR0) == 0


def test_the_number_of_counters_is_told(npu):
    assert npu.read(U55_PMU + pmu.PMCR) >> 11 & 31 == 4


def test_clock_and_power_requests_are_read_back_and_stand_after_a_reset(npu):
    assert npu.read(reg.CMD) == reg.CMD_CLOCK_Q | reg.CMD_POWER_Q
    npu.write(reg.CMD, reg.CMD_POWER_Q | reg.CMD_CLEAR_IRQ)
    assert npu.read(reg.CMD) == reg.CMD_POWER_Q
    npu.write(reg.RESET, 0)
    assert npu.read(reg.CMD) == reg.CMD_CLOCK_Q | reg.CMD_POWER_Q


def test_what_only_the_other_family_has_is_reserved(npu, u85):
    for offset in (0x038, 0x050, 0x1180, 0x1300):
        npu.write(offset, 0x5A)
        assert npu.read(offset) == 0
    for offset in (0x02C, 0x180, 0x1A0, 0x300, 0x380):
        u85.write(offset, 0x5A)
        assert u85.read(offset) == 0


def test_reserved_and_read_only_registers_ignore_writes(npu):
    for offset in (reg.ID, reg.CONFIG, reg.STATUS, reg.QREAD, 0x700, 0xFFC):
        before = npu.read(offset)
        npu.write(offset, 0xFFFFFFFF)
        assert npu.read(offset) == before


@pytest.mark.parametrize(
    ("product", "macs", "bit"),
    [
        ("U55", 128, reg.STATUS_END),
        ("U65", 256, reg.STATUS_BUS_ERROR),
        ("U85", 256, reg.STATUS_BUS_ERROR),
    ],
)
def test_only_u55_has_no_addresses_above_4_gb(product, macs, bit, memory):
    npu = RegisterFile(Architecture(product, macs), memory)
    queue(npu, memory, DMA)
    npu.write(reg.QBASE1, 1)
    npu.write(reg.CMD, reg.CMD_RUN)
    assert npu.read(reg.STATUS) & bit


def test_a_u85_identifies_itself_and_has_a_window_of_8_kb_with_8_counters(npu, u85):
    assert u85.read(reg.ID) == 0x20007000
    assert (u85.layout.window, npu.layout.window) == (0x2000, 0x1000)
    assert u85.read(U85_PMU + pmu.PMCR) >> 11 & 31 == 8
    for offset in (0x038, 0x040, 0x044, 0x048, 0x04C, 0x050, 0x054, *range(0x080, 0x0C0, 4)):
        u85.write(offset, 0x10000 + offset)
    for offset in (0x038, 0x040, 0x044, 0x048, 0x04C, 0x050, 0x054, *range(0x080, 0x0C0, 4)):
        assert u85.read(offset) == 0x10000 + offset
    u85.write(reg.RESET, 1)
    assert not any(u85.read(offset) for offset in (0x038, 0x040, 0x050, 0x080))


def u85_with_counters(u85, memory, attributes):
    """Each AXI port's beats selected; 32 bytes move from region 0 (REGIONCFG 3) to region 1 (0)."""
    for number, event in enumerate((130, 135, 386, 391)):
        u85.write(U85_PMU + pmu.PMEVTYPER0 + 4 * (number + 4), event)
    u85.write(U85_PMU + pmu.PMCNTENSET, 0x800000F0)
    u85.write(U85_PMU + pmu.PMCR, 1)
    for number, word in enumerate(attributes):
        u85.write(0x040 + 4 * number, word)
    queue(u85, memory, DMA)
    u85.write(reg.CMD, reg.CMD_RUN)
    assert u85.read(reg.STATUS) & reg.STATUS_END
    assert memory.blocks[SRAM][16:48].tolist() == list(range(32))
    assert [u85.read(U85_PMU + pmu.PMEVCNTR0 + 4 * number) for number in range(4)] == [0] * 4
    return [u85.read(U85_PMU + pmu.PMEVCNTR0 + 4 * number) for number in range(4, 8)]


@pytest.mark.parametrize(
    ("attributes", "beats"),
    [((0, 0, 4, 4), [0, 2, 2, 0]), ((0, 0, 4, 0), [2, 2, 0, 0]), ((4, 0, 0, 0xF7), [0, 0, 2, 2])],
)
def test_a_u85_counts_at_the_port_of_the_attributes_that_regioncfg_chooses(u85, memory, attributes, beats):
    # Beats of 16 bytes: SRAM read and written, EXT read and written.
    assert u85_with_counters(u85, memory, attributes) == beats
