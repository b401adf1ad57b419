import numpy as np
import pytest

from deploy.npu import registers as reg
from deploy.npu.architecture import Architecture
from deploy.npu.registers import RegisterFile

SRAM, DDR = 0x31000000, 0x60000000
# DMA of 32 bytes from region 0 + 0 to region 1 + 16, then stop.
DMA = [0x130, 0x10131, 0x4030, 0, 0x4031, 16, 0x4032, 32, 0x10, 0xFFFF0000]


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
    ],
)
def test_config_tells_macs_shram_and_product(product, macs, config, memory):
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
    npu.write(reg.PMCR, 1)
    npu.write(reg.PMCNTENSET, 0x80000003)
    npu.write(reg.PMEVTYPER0, 0x182)
    npu.write(reg.PMEVTYPER0 + 4, 0x87)
    npu.write(reg.PMEVTYPER0 + 8, 0x23)
    queue(npu, memory, DMA)
    npu.write(reg.CMD, reg.CMD_RUN)
    # 32 bytes in beats of 8: region 0 is read through port 1, region 1 written through port 0.
    assert [npu.read(reg.PMEVCNTR0 + 4 * n) for n in range(4)] == [4, 4, 0, 0]
    cycles = npu.read(reg.PMCCNTR_LO)
    assert cycles == npu.runs[0].statistics.cycles > 0
    npu.write(reg.PMCNTENCLR, 0x80000000)
    npu.write(reg.CMD, reg.CMD_RUN)
    assert npu.read(reg.PMCCNTR_LO) == cycles
    assert npu.read(reg.PMEVCNTR0) == 8
    npu.write(reg.PMCR, 0b110)
    assert npu.read(reg.PMCCNTR_LO) == 0
    assert npu.read(reg.PMEVCNTR0) == 0
    npu.write(reg.CMD, reg.CMD_RUN)
    assert npu.read(reg.PMEVCNTR0) == 0


def test_the_number_of_counters_is_told(npu):
    assert npu.read(reg.PMCR) >> 11 & 31 == 4


def test_reserved_and_read_only_registers_ignore_writes(npu):
    for offset in (reg.ID, reg.CONFIG, reg.STATUS, reg.QREAD, 0x700, 0xFFC):
        before = npu.read(offset)
        npu.write(offset, 0xFFFFFFFF)
        assert npu.read(offset) == before


def test_only_u65_has_addresses_above_4_gb(memory):
    for product, macs, bit in (("U55", 128, reg.STATUS_END), ("U65", 256, reg.STATUS_BUS_ERROR)):
        npu = RegisterFile(Architecture(product, macs), memory)
        queue(npu, memory, DMA)
        npu.write(reg.QBASE1, 1)
        npu.write(reg.CMD, reg.CMD_RUN)
        assert npu.read(reg.STATUS) & bit
