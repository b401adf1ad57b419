"""Reads ``boards/*.toml``: everything about a board, a file each. :mod:`deploy.hardware.fvps` has what models it.

``boards/corstone-300.toml`` says what the keys mean.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from deploy.errors import BadInputError
from deploy.hardware.sizes import bytes_of

# Not importlib.resources: the open machine starts with this, and that import takes longer than all files here.
_FOLDER = Path(__file__).with_name("boards")


@dataclass(frozen=True)
class BoardMemory:
    """A memory of a board.

    Attributes:
        name: as in Arm's documents.
        size: bytes; of one block where there are several.
        nonsecure: its address, or that of the first block.
        secure: the alias of the same memory; with several blocks the address of the second one.
        npu: whether the NPU's AXI ports reach it.
        blocks: how many lie one behind the other, Non-secure and Secure in turn, each memory of its own; 1 for one
            memory with two addresses.
        open_size: bytes that the open machine has.
        open_pieces: QEMU builds these from so many equal pieces.
        open_inside: name of the memory whose bytes the open machine takes for it, because QEMU has none at its
            addresses; empty where it has.
        open_offset: its first byte in that memory.
        open_rom: whether QEMU's is read-only for the CPU.
        fvp_instance: name that the FVP has for it, with ``{board}`` and ``{subsystem}``; empty where not known.
    """

    name: str
    size: int
    nonsecure: int
    secure: int
    npu: bool
    blocks: int
    open_size: int
    open_pieces: int
    open_inside: str = ""
    open_offset: int = 0
    open_rom: bool = False
    fvp_instance: str = ""

    @property
    def bases(self) -> tuple[int, ...]:
        """Where it answers, Non-secure first; several blocks, each memory of its own, count as one flat one."""
        return (self.nonsecure, self.secure) if self.blocks == 1 else (self.nonsecure,)

    @property
    def open_piece(self) -> int:
        """Bytes of each of QEMU's pieces, which are mappings of their own."""
        return self.open_size // self.open_pieces


@dataclass(frozen=True)
class NpuPort:
    """Where the CPU finds the NPU.

    Attributes:
        interrupt: number of its external interrupt.
    """

    nonsecure: int
    secure: int
    interrupt: int


@dataclass(frozen=True)
class BoardCpu:
    """The processor.

    Attributes:
        name: ``Cortex-M55``.
        clock_hz: Hz; its tick counts it.
        fvp_clock_hz: the same on Arm's FVP unless told otherwise; 0 where there is none.
        vectors: address of the vector table at reset.
        built_as: processor that firmware is compiled for, where compilers do not know this one; else empty.
    """

    name: str
    clock_hz: int
    vectors: int
    fvp_clock_hz: int = 0
    built_as: str = ""

    @property
    def mcpu(self) -> str:
        """The processor as compilers name it."""
        return (self.built_as or self.name).lower()


@dataclass(frozen=True)
class BoardUart:
    """The UART that firmware speaks on.

    Attributes:
        kind: name of its driver, as in ``firmware/uart_KIND.c``.
        receive_interrupt: number of the external interrupt for a byte that has come.
        clock_hz: Hz, which the baud rate is divided from.
    """

    kind: str
    nonsecure: int
    secure: int
    receive_interrupt: int
    clock_hz: int


@dataclass(frozen=True)
class Region:
    """A memory by the address that firmware uses."""

    memory: str
    base: int
    size: int


@dataclass(frozen=True)
class AllowedRange:
    """Addresses that the processor may touch, but not execute.

    Attributes:
        last: address, inclusive.
        holds: the same in words.
    """

    first: int
    last: int
    kind: Literal["memory", "device"]
    holds: str


@dataclass(frozen=True)
class Hardware:
    """What is where on a board.

    Attributes:
        platform: the board in a few words, ``MPS3, AN547``.
        uart: that firmware speaks on.
    """

    platform: str
    cpu: BoardCpu
    memories: tuple[BoardMemory, ...]
    npu: NpuPort
    uart: BoardUart

    def memory(self, name: str) -> BoardMemory:
        """The memory of that name.

        Raises:
            KeyError: there is none.
        """
        return {memory.name: memory for memory in self.memories}[name]


@dataclass(frozen=True)
class FirmwareHardware(Hardware):
    """The same, and where a firmware project puts what.

    Attributes:
        vectors: memory for the vector table.
        code: for code and constants.
        data: for variables and stack.
        arena: what Vela calls SRAM.
        model: what Vela calls DRAM or flash.
        ranges: what may be touched besides code.
    """

    vectors: Region
    code: Region
    data: Region
    arena: Region
    model: Region
    ranges: tuple[AllowedRange, ...]


@dataclass(frozen=True)
class Board:
    """A board with an NPU.

    Attributes:
        id: ``corstone-300``, what ``--board`` takes.
        name: ``Corstone-300``.
        npus: family of the NPU (``U55``, ``U65``, ``U85``) -> the sizes that there are, in multiply-accumulate
            units; empty for all of the family.
        default_for: families of the NPU that are run on it when no other board is named.
        hardware: what is where, for firmware; None where it is not known where that goes.
        open_machine: QEMU's machine that the open one is made of; None for a board that it does not stand for.
    """

    id: str
    name: str
    npus: Mapping[str, tuple[int, ...]]
    default_for: tuple[str, ...]
    hardware: FirmwareHardware | None
    open_machine: str | None

    @property
    def sram(self) -> Region | None:
        """The SRAM that a network may take; None where that is not known."""
        return self.hardware.arena if self.hardware else None

    @property
    def npu_names(self) -> tuple[str, ...]:
        """``U55`` for a family with all its sizes, ``U55-64`` for a single one."""
        return tuple(
            name for family, sizes in self.npus.items() for name in [f"{family}-{n}" for n in sizes] or [family]
        )

    def has(self, npu_family: str, macs: int) -> bool:
        """Whether it comes with that NPU."""
        return npu_family in self.npus and (not self.npus[npu_family] or macs in self.npus[npu_family])


@functools.cache
def board_ids() -> tuple[str, ...]:
    """The names of all boards' files, in order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@functools.cache
def board_table(board_id: str) -> dict[str, Any]:
    """The content of a board's file."""
    return tomllib.loads((_FOLDER / f"{board_id}.toml").read_text("utf-8"))


@functools.cache
def board(board_id: str) -> Board:
    """A board of :func:`board_ids`."""
    table = board_table(board_id)
    return Board(
        id=board_id,
        name=table["name"],
        npus={entry["family"]: tuple(entry.get("macs", ())) for entry in table["npus"]},
        default_for=tuple(table.get("default_for", ())),
        hardware=firmware_hardware(board_id) if "firmware" in table else None,
        open_machine=table["open"]["machine"] if "open" in table else None,
    )


@functools.cache
def hardware(board_id: str) -> Hardware:
    """What is where on a board of :func:`board_ids` whose file says so."""
    return Hardware(**_parts(board_table(board_id)))


@functools.cache
def firmware_hardware(board_id: str) -> FirmwareHardware:
    """The same, and where firmware goes, for a board whose file says that, too."""
    table = board_table(board_id)
    parts = _parts(table)
    memories = {memory.name: memory for memory in parts["memories"]}

    def region(role: str, otherwise: str = "") -> Region:
        entry = table["firmware"].get(role) or table["firmware"][otherwise]
        memory = memories[entry["memory"]]
        return Region(memory.name, getattr(memory, entry["alias"]), memory.size)

    return FirmwareHardware(
        **parts,
        vectors=region("vectors", otherwise="code"),
        code=region("code"),
        data=region("data"),
        arena=region("arena"),
        model=region("model"),
        ranges=tuple(AllowedRange(**entry) for entry in table["firmware"]["ranges"]),
    )


def _parts(table: dict[str, Any]) -> dict[str, Any]:
    return {
        "platform": table["platform"],
        "cpu": BoardCpu(**table["cpu"]),
        "memories": tuple(_memory(name, entry) for name, entry in table["memories"].items()),
        "npu": NpuPort(**table["npu"]),
        "uart": BoardUart(**table["uart"]),
    }


def boards() -> tuple[Board, ...]:
    """All boards, in the order of their names."""
    return tuple(board(board_id) for board_id in board_ids())


def default_board(npu_family: str) -> Board:
    """The board that an NPU family is run on when none is named.

    Raises:
        BadInputError: none has such an NPU.
    """
    found = next((board for board in boards() if npu_family in board.default_for), None)
    if found is None:
        raise BadInputError(f"no board has an Ethos-{npu_family}")
    return found


def firmware_boards() -> tuple[Board, ...]:
    """The boards that firmware can be rendered for."""
    return tuple(board for board in boards() if board.hardware is not None)


def firmware_board(name: str) -> Board:
    """The board to render firmware for, by its file's name or its own.

    Raises:
        BadInputError: there is no such board, or too little is known of it.
    """
    wanted = name.strip().lower()
    found = next((board for board in boards() if wanted in (board.id, board.name.lower())), None)
    if found is None or found.hardware is None:
        what = "no such board" if found is None else f"it is not known where firmware goes on {found.name}"
        known = ", ".join(board.id for board in firmware_boards())
        raise BadInputError(f"--board {name}: {what}", hints=[f"known: {known}"])
    return found


def _memory(name: str, entry: dict[str, Any]) -> BoardMemory:
    size, blocks, open_ = bytes_of(entry["size"]), entry.get("blocks", 1), entry.get("open", {})
    open_size = bytes_of(open_["size"]) if "size" in open_ else size * blocks
    return BoardMemory(
        name=name,
        size=size,
        nonsecure=entry["nonsecure"],
        secure=entry["secure"],
        npu=entry["npu"],
        blocks=blocks,
        open_size=open_size,
        open_pieces=open_.get("pieces", 1),
        open_inside=open_.get("inside", ""),
        open_offset=bytes_of(open_["offset"]) if "offset" in open_ else 0,
        open_rom=open_.get("rom", False),
        fvp_instance=entry.get("fvp", ""),
    )
