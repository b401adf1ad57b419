"""How the NPUs are built that the NPU model executes, and the memories behind their ports; from ``npus.toml``."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any

from deploy.hardware.npus import Npu, npu_tables


@dataclass(frozen=True, slots=True)
class MemoryTiming:
    """One memory as the NPU sees it; two of equal timing and name are taken for one and the same.

    Attributes:
        name: ``SRAM``, ``DRAM`` or ``flash``.
        bytes_per_cycle: bandwidth, in NPU cycles: the width of its ports times the memory's clock scale.
        burst: bytes of the longest burst.
        ports: of the NPU that lead to it (more than one on U85 alone).
        reads: under way at a time through a port at most (this and the next: of memories of U85 alone).
        writes: under way at a time through a port at most.
    """

    name: str
    bytes_per_cycle: float
    burst: int
    read_latency: int
    write_latency: int
    ports: int = 1
    reads: int = 0
    writes: int = 0


@dataclass(frozen=True, slots=True)
class MemorySystem:
    """Which memory holds what.

    Attributes:
        constants: weights, scales and tables (region 0).
        arena: inputs and outputs of the network, and feature maps where no SRAM is dedicated to them (region 1).
        fast: feature maps (region 2); the same as ``arena`` without a dedicated SRAM.
        fast_bytes: size of the dedicated SRAM, 0 without one.
    """

    constants: MemoryTiming
    arena: MemoryTiming
    fast: MemoryTiming
    fast_bytes: int = 0


Three = tuple[int, int, int]


@dataclass(frozen=True)
class OutputRates:
    """Cycles that the output unit takes for an element of the OFM.

    Attributes:
        other: whatever is not named below.
        maximum: max pooling.
        add: addition and subtraction with scaling.
        multiply: multiplication, and whatever accumulates in 40 bits.
        multiply32: multiplication with a 32-bit result.
        unary32: elementwise on one 32-bit operand.
        binary32: elementwise on two.
        table: at least that with a lookup table, tanh or sigmoid.
        clamp: at least that with a clamp (ReLU).
    """

    other: float
    maximum: float
    add: float
    multiply: float
    multiply32: float
    unary32: float
    binary32: float
    table: float
    clamp: float


@dataclass(frozen=True)
class MacUnits:
    """What the MAC units wait for.

    Attributes:
        wait: cycles between two steps of a block of one OFM ublock.
        wait_40_bit: the same where sums have 40 bits.
        narrow_wait: with sums of 40 bits a block that is one ublock high or wide waits, too.
        pooling: cycles that pooling takes for an element of its window, of 8, 16 and 32 bits. (Vela's older
            compiler says 1, but 2 for 16 bits.)
    """

    wait: int
    wait_40_bit: int
    narrow_wait: bool
    pooling: tuple[int, int, int]


@dataclass(frozen=True)
class RooflineFit:
    """What the roofline takes from a fit, where no table says it.

    Attributes:
        matmul: cycles by multiply-accumulate of BATCH_MATMUL: one element-wise product each, then a sum.
        softmax: cycles by element (channels in whole bricks); 25 operations of 32 bits.
        softmax_start: cycles of a softmax of one row.
        requantize: cycles by element of QUANTIZE.
    """

    matmul: float
    softmax: float
    softmax_start: float
    requantize: float


@dataclass(frozen=True)
class RegisterLayout:
    """What differs between the families in the registers that a driver sees.

    Attributes:
        window: bytes of them.
        pmu: offset of PMCR, the first register of the performance counters.
        counters: of events.
        stored: registers of the family's own that are written and read back.
        attributes: offset of the first of four words of attributes that REGIONCFG chooses from; None where it says
            the port itself.
    """

    window: int
    pmu: int
    counters: int
    stored: tuple[int, ...]
    attributes: int | None = None


@dataclass(frozen=True)
class Design:
    """How an NPU is built, as far as everything that has to do with it must know.

    Attributes:
        id_word: ID register.
        address_bits: of its ports.
        port_bytes: width of an AXI port.
        macs: multiply-accumulate units, all cores together.
        cores: that share the work.
        shram_kb: memory that streams may address inside the NPU: SHRAM per core; on U85 that of tables alone.
        table_bytes: lookup tables, at the end of that memory.
        memories: of the default system configuration in the default memory mode.
        registers: as a driver sees them.
    """

    instruction_set: str
    id_word: int
    address_bits: int
    port_bytes: int
    macs: int
    cores: int
    shram_kb: int
    table_bytes: int
    memories: MemorySystem
    registers: RegisterLayout

    @property
    def table_address(self) -> int:
        """Offset of the lookup tables in SHRAM (measured: they fill its end)."""
        return self.shram_kb * 1024 - self.table_bytes


@dataclass(frozen=True)
class U55Design(Design):
    """An Ethos-U55 or U65, with what the estimate of its time and the roofline take.

    Attributes:
        ofm_ublock: unit of work: height, width, depth.
        ifm_ublock: what is read for it: height, width, depth.
    """

    ofm_ublock: Three
    ifm_ublock: Three
    output: OutputRates
    mac_units: MacUnits
    roofline: RooflineFit


@dataclass(frozen=True)
class U85Rates:
    """Cycles that the output unit of an Ethos-U85 takes for an element of the OFM.

    Attributes:
        bits8: an OFM of 8 bits.
        bits16: of 16.
        bits32: of 32.
        bits64: of 64.
        kept: what stays in the NPU for the next operation and has 32 bits or is made of as many; also what two
            operands of 32 bits are narrowed to.
        binary32: of 32 bits, made of two operands of 32 bits.
        turned: at least that where height and width are exchanged or rows are written backwards.
        resize: resizing, of 8 and of 16 bits.
        enlarge: the same by a factor of MACs / 512 at least.
    """

    bits8: float
    bits16: float
    bits32: float
    bits64: float
    kept: float
    binary32: float
    turned: float
    resize: tuple[float, float]
    enlarge: tuple[float, float]


class Channel(StrEnum):
    """The channels through which an Ethos-U85 reads and writes.

    DMA copies; elementwise operations and resizings stream their operands in, all others read an IFM; FAST_WEIGHTS
    are those coded for fast decoding; SCALES come with biases.
    """

    COPY = auto()
    STREAM = auto()
    WEIGHTS = auto()
    FAST_WEIGHTS = auto()
    IFM = auto()
    SCALES = auto()
    WRITE = auto()


@dataclass(frozen=True)
class U85Ublock:
    """A unit of work of an Ethos-U85.

    Attributes:
        ofm: height, width, depth.
        ifm: what the IFM is read in, by the bits that a place of an IFM block has: up to 128, up to 256, more.
            Height, width, and depth in bricks of 128 bits.
    """

    ofm: Three
    ifm: tuple[Three, Three, Three]


@dataclass(frozen=True)
class U85Design(Design):
    """An Ethos-U85.

    Attributes:
        ifm_kb: memory for two IFM blocks.
        ublocks: the units of work that an operation chooses from.
        buffers: words of 16 bytes that each reading channel has room for, which limits what is under way.
    """

    ifm_kb: int
    ublocks: tuple[U85Ublock, ...]
    output: U85Rates
    buffers: Mapping[Channel, int] = field(hash=False)

    @property
    def ofm_ublocks(self) -> tuple[Three, ...]:
        """Height, width and depth of the units of work."""
        return tuple(ublock.ofm for ublock in self.ublocks)

    def ifm_unit(self, ofm_ublock: Three, bits: int) -> Three:
        """What the IFM is read in: height, width, and depth in bricks of 128 bits.

        Args:
            ofm_ublock: the unit of work.
            bits: of a place of the IFM block, all its channels together.
        """
        ublock = next(found for found in self.ublocks if found.ofm == ofm_ublock)
        return ublock.ifm[0 if bits <= 128 else 1 if bits <= 256 else 2]


def design_of(npu: Npu) -> Design | None:
    """How an NPU is built; None where nothing here executes its command streams."""
    return _designs().get(npu.name)


@functools.cache
def _designs() -> dict[str, Design]:
    return {name: _read(table) for name, table in npu_tables().items() if "instruction_set" in table}


def _read(table: dict[str, Any]) -> Design:
    numbers = ("address_bits", "port_bytes", "macs", "cores", "shram_kb", "table_bytes")
    shared: dict[str, Any] = {
        "instruction_set": table["instruction_set"],
        "id_word": table["id"],
        "memories": _memories(table["memories"]),
        "registers": RegisterLayout(**{**table["registers"], "stored": tuple(table["registers"]["stored"])}),
        **{name: table[name] for name in numbers},
    }
    if "ublocks" in table:
        return U85Design(
            **shared,
            ifm_kb=table["ifm_kb"],
            ublocks=tuple(
                U85Ublock(_three(each["ofm"]), _three_of_three(each["ifm"])) for each in table["ublocks"]
            ),
            output=U85Rates(**{**table["output"], **{name: _two(table["output"][name]) for name in _PAIRS}}),
            buffers={Channel(name): words for name, words in table["buffers"].items()},
        )
    return U55Design(
        **shared,
        ofm_ublock=_three(table["ofm_ublock"]),
        ifm_ublock=_three(table["ifm_ublock"]),
        output=OutputRates(**table["output"]),
        mac_units=MacUnits(**{**table["mac_units"], "pooling": _three(table["mac_units"]["pooling"])}),
        roofline=RooflineFit(**table["roofline"]),
    )


_PAIRS = ("resize", "enlarge")


def _two(values: list[float]) -> tuple[float, float]:
    first, second = values
    return first, second


def _three(values: list[int]) -> Three:
    first, second, third = values
    return first, second, third


def _three_of_three(values: list[list[int]]) -> tuple[Three, Three, Three]:
    first, second, third = map(_three, values)
    return first, second, third


def _memories(table: dict[str, Any]) -> MemorySystem:
    constants, arena, fast = (MemoryTiming(**table[name]) for name in ("constants", "arena", "fast"))
    return MemorySystem(constants, arena, fast, table.get("fast_bytes", 0))
