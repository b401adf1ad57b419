"""The Ethos-U NPUs, read from ``npus.toml``: everything that differs between them stands there, and only there."""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError
from deploy.hardware.memories import MemorySystem, MemoryTiming

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
class Design:
    """How an NPU is built, as far as the NPU model and the roofline have to know it.

    Attributes:
        instruction_set: the family whose command streams it executes.
        id_word: ID register.
        address_bits: of its ports.
        port_bytes: width of an AXI port.
        cores: that share the work.
        shram_kb: SHRAM per core.
        table_bytes: lookup tables, at the end of each core's SHRAM.
        ofm_ublock: unit of work: height, width, depth.
        ifm_ublock: what is read for it: height, width, depth.
        output: rates of the output unit.
        mac_units: waits of the MAC units.
        roofline: what is fitted.
        memories: of the default system configuration in the default memory mode.
    """

    instruction_set: str
    id_word: int
    address_bits: int
    port_bytes: int
    cores: int
    shram_kb: int
    table_bytes: int
    ofm_ublock: Three
    ifm_ublock: Three
    output: OutputRates
    mac_units: MacUnits
    roofline: RooflineFit
    memories: MemorySystem

    @property
    def table_address(self) -> int:
        """Offset of the lookup tables in SHRAM (measured: they fill its end)."""
        return self.shram_kb * 1024 - self.table_bytes


@dataclass(frozen=True)
class NpuConfig:
    """One NPU as ``--npu`` names it.

    Attributes:
        family: ``U55``, ``U65`` or ``U85``.
        macs: 8-bit multiply-accumulate units, all cores together: so many a clock cycle.
        config_word: CONFIG register, which is also the config word in an ``ethos-u`` operator's payload.
        system_config: default for Vela's ``--system-config`` (a section of ``Arm/vela.ini``).
        memory_mode: default for Vela's ``--memory-mode``.
        design: None where nothing here executes its command streams.
    """

    family: str
    macs: int
    config_word: int
    system_config: str
    memory_mode: str
    design: Design | None

    @property
    def name(self) -> str:
        """``U55-128`` and so on."""
        return f"{self.family}-{self.macs}"

    @property
    def accelerator(self) -> str:
        """Vela's ``--accelerator-config``."""
        return f"ethos-{self.name.lower()}"

    @property
    def simulated(self) -> bool:
        """Whether the NPU model executes its command streams (else it is compiled and reported only)."""
        return self.design is not None


@functools.cache
def npus() -> Mapping[str, NpuConfig]:
    """All NPUs by name, in the order of the file: smaller families and sizes first."""
    with Path(__file__).with_name("npus.toml").open("rb") as file:
        families: dict[str, dict[str, Any]] = tomllib.load(file)
    found = (
        _npu(family, {**shared, **size}) for family, shared in families.items() for size in shared.pop("sizes")
    )
    return {npu.name: npu for npu in found}


def npu_config(name: str) -> NpuConfig:
    """Look up an NPU by the name a user typed (case and an ``ethos-`` prefix do not matter).

    Raises:
        BadInputError: there is no such configuration.
    """
    wanted = name.strip().upper().removeprefix("ETHOS-")
    if wanted in npus():
        return npus()[wanted]
    near = difflib.get_close_matches(wanted, npus(), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise BadInputError(f"--npu {name}: no such NPU configuration", hints=[f"{hint}known: {', '.join(npus())}"])


def modelled() -> tuple[NpuConfig, ...]:
    """The NPUs whose command streams the NPU model executes."""
    return tuple(npu for npu in npus().values() if npu.simulated)


def families(of: Iterable[NpuConfig]) -> tuple[str, ...]:
    """The families of some NPUs, each once, in their order."""
    return tuple(dict.fromkeys(npu.family for npu in of))


def listed(of: Iterable[NpuConfig] | None = None) -> str:
    """Some NPUs (default: all) in few words: ``U55-32 to U55-256, U65-256, U65-512``."""
    return ", ".join(_spans(npus().values() if of is None else of))


def _spans(some: Iterable[NpuConfig]) -> Iterator[str]:
    for _, members in groupby(some, lambda npu: npu.family):
        names = [npu.name for npu in members]
        if len(names) > 2:
            yield f"{names[0]} to {names[-1]}"
        else:
            yield from names


def _npu(family: str, table: dict[str, Any]) -> NpuConfig:
    return NpuConfig(
        family=family,
        macs=table["macs"],
        config_word=table["config"],
        system_config=table["system_config"],
        memory_mode=table["memory_mode"],
        design=_design(table) if "instruction_set" in table else None,
    )


def _design(table: dict[str, Any]) -> Design:
    return Design(
        instruction_set=table["instruction_set"],
        id_word=table["id"],
        address_bits=table["address_bits"],
        port_bytes=table["port_bytes"],
        cores=table["cores"],
        shram_kb=table["shram_kb"],
        table_bytes=table["table_bytes"],
        ofm_ublock=_three(table["ofm_ublock"]),
        ifm_ublock=_three(table["ifm_ublock"]),
        output=OutputRates(**table["output"]),
        mac_units=MacUnits(**{**table["mac_units"], "pooling": _three(table["mac_units"]["pooling"])}),
        roofline=RooflineFit(**table["roofline"]),
        memories=_memories(table["memories"]),
    )


def _three(values: list[int]) -> Three:
    first, second, third = values
    return first, second, third


def _memories(table: dict[str, Any]) -> MemorySystem:
    constants, arena, fast = (MemoryTiming(**table[name]) for name in ("constants", "arena", "fast"))
    return MemorySystem(constants, arena, fast, table.get("fast_bytes", 0))


NPU_CONFIGS = npus()
