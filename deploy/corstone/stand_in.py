"""What the program stands in for: a board with an NPU of one family, and how QEMU's machine differs from that.

All of it is in the board's file. Making objects of the rest of that file (:mod:`deploy.hardware.fvps`) would cost
every boot some milliseconds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.corstone.memory_map import MemoryMap
from deploy.errors import BadInputError
from deploy.hardware.boards import Hardware, board_ids, board_table, hardware
from deploy.hardware.npus import npu_tables

DEFAULT_BOARD = "corstone-300"
_DEVICE_SIZE = 0x1000
DWT, PMU, DEMCR = 0xE000_1000, 0xE000_3000, 0xE000_EDFC
CORE_WINDOWS = ((DWT, 0x1000), (PMU, 0x1000), (DEMCR, 4))
"""What QEMU's processors have not of Armv8.1-M: addresses and bytes."""
SYSTEM_TIMERS = tuple((0x4800_0000 + timer, 0x5800_0000 + timer) for timer in (0, 0x1000, 0x2000))
"""Addresses of three system timers."""
SYSTEM_COUNTER = (0x5810_0000, 0x10)
"""What they compare with: address and bytes of its control and its value."""
SYSTEM_TIMER_WORDS = tuple((base + 0x40, 0x10) for bases in SYSTEM_TIMERS for base in bases)
SYSTEM_TIMER_WRITES = (*((base + 0x20, 0x10) for bases in SYSTEM_TIMERS for base in bases), SYSTEM_COUNTER)
"""Address and bytes of what is answered here of them, and of what is stored there."""
CCR = (0xE000_ED14, 4)
CCR_TRD = 1 << 20
"""Secure threads cannot be entered again. QEMU (7.2) then refuses every call of a privileged one's gateways."""
TIMING_ADAPTER_WINDOW = 0x200
_BOARD_NAME = re.compile(r"corstone[_-](?:sse-)?(\d{3})")
_FVP_NAME = re.compile(r"(?:fvp|vht)[_-]")
_FAMILY_NAME = re.compile(r"ethos-(u\d\d)")


@dataclass(frozen=True)
class Answers:
    """Registers that QEMU's machine has not, or has with other values.

    Attributes:
        bases: addresses of the first one.
        size: bytes.
        words: offset -> what it reads; the others read 0.
        kept: whether the others keep what is written to them.
    """

    name: str
    bases: tuple[int, ...]
    size: int
    words: Mapping[int, int]
    kept: bool


@dataclass(frozen=True)
class Move:
    """Addresses that QEMU's machine has elsewhere.

    Attributes:
        name: of the memory or device.
        first: address on the board.
        span: bytes that the board has.
        to: where QEMU has it.
        size: bytes that QEMU has.
        memory: whether it is memory, which a program lies in.
    """

    name: str
    first: int
    span: int
    to: int
    size: int
    memory: bool


@dataclass(frozen=True)
class StandIn:
    """A board with an NPU as the open machine has it.

    Attributes:
        board: its file's name, ``corstone-300``.
        name: what every version line and banner begins with, ``Open Corstone-300``.
        fvp: what Arm's FVP calls itself.
        machine: QEMU's.
        family: of the NPU, ``U55``.
        npu_window: bytes of its registers.
        families: of all NPUs that the board comes with.
        default_macs: of the NPU, where none are asked for.
        has_config: whether older releases of the FVP name the NPU's size otherwise.
        instances: ``board``, ``subsystem``, ``cpu`` and ``npu`` -> instance in the FVP.
        windows: parameters that switch the FVP's windows off.
        terminals: numbers of the UARTs that have one.
        answers: what is told instead of QEMU.
        timing_adapters: addresses of each of the NPU's timing adapters, in the order of its AXI ports.
        moves: what an image is to be moved for; none on a board whose addresses QEMU has.
    """

    board: str
    name: str
    fvp: str
    machine: str
    family: str
    npu_window: int
    families: tuple[str, ...]
    default_macs: int
    has_config: bool
    hardware: Hardware
    memories: MemoryMap
    instances: Mapping[str, str]
    windows: tuple[str, ...]
    terminals: tuple[int, ...]
    answers: tuple[Answers, ...]
    timing_adapters: tuple[tuple[int, ...], ...]
    moves: tuple[Move, ...]

    @property
    def npu_windows(self) -> tuple[int, ...]:
        """Addresses of the NPU's registers."""
        return (self.hardware.npu.nonsecure, self.hardware.npu.secure)

    @property
    def watched(self) -> tuple[tuple[int, int], ...]:
        """Address and bytes of each window of registers that is answered here."""
        return (
            *((base, self.npu_window) for base in self.npu_windows),
            *((base, each.size) for each in self.answers for base in each.bases),
            *((base, TIMING_ADAPTER_WINDOW) for bases in self.timing_adapters for base in bases),
            *CORE_WINDOWS,
        )

    @property
    def flash(self) -> tuple[tuple[int, int], ...]:
        """Address and bytes of each alias of memory that QEMU keeps the CPU from writing."""
        return tuple(
            (base, block.open_size) for block in self.memories.blocks if block.open_rom for base in block.bases
        )


@functools.cache
def stand_in(board: str = DEFAULT_BOARD, family: str | None = None) -> StandIn:
    """What stands in for a board, with its first NPU where none is named.

    Raises:
        BadInputError: there is no such board, or it comes with other NPUs.
    """
    if board not in board_ids() or "open" not in board_table(board):
        raise BadInputError(f"--board {board}: there is {', '.join(open_boards())}")
    table = board_table(board)
    npus = {npu["family"]: npu for npu in table["npus"]}
    chosen = next(iter(npus)) if family is None else family
    if chosen not in npus:
        raise BadInputError(f"--npu-family {chosen}: there is {' and '.join(npus)} on {table['name']}")
    found = hardware(board)
    fvp, twins = table["fvp"], table["open"].get("twins", ())
    memories = MemoryMap(table["name"], found.memories, fvp["instances"])
    return StandIn(
        board=board,
        name=f"Open {table['name']}",
        fvp=fvp["model"],
        machine=table["open"]["machine"],
        family=chosen,
        npu_window=next(npu["registers"]["window"] for npu in npu_tables().values() if npu["family"] == chosen),
        families=tuple(npus),
        default_macs=npus[chosen]["default_macs"],
        hardware=found,
        memories=memories,
        has_config=any("{npu}.config" in release["macs"] for release in fvp["releases"]),
        instances=fvp["instances"],
        windows=tuple(name.format(**fvp["instances"]) for name in fvp["parameters"]),
        terminals=tuple(fvp["terminals"]),
        answers=tuple(
            Answers(
                entry["name"],
                tuple(entry["at"]),
                entry["size"],
                {int(offset, 0): word for offset, word in entry.get("words", {}).items()},
                "words" in entry,
            )
            for entry in table["open"].get("answers", ())
        ),
        timing_adapters=tuple(map(tuple, table["open"].get("timing_adapters", ()))),
        moves=(
            *(
                Move(memory.name, here, memory.size, there, memory.open_size, True)
                for memory, here, there in memories.moves()
            ),
            *(
                Move(twin["name"], here, _DEVICE_SIZE, there, _DEVICE_SIZE, False)
                for twin in twins
                for here, there in zip(twin["at"], twin["to"], strict=True)
            ),
        ),
    )


@functools.cache
def open_boards() -> tuple[str, ...]:
    """The boards that the open machine stands in for."""
    return tuple(board for board in board_ids() if "open" in board_table(board))


def named(program: str) -> tuple[str, str | None]:
    """The board and the NPU family that the name of the executable asks for; None for the board's first NPU.

    Raises:
        BadInputError: the name is that of another FVP.
    """
    name = Path(program).name.lower()
    found, family = _BOARD_NAME.search(name), _FAMILY_NAME.search(name)
    board = f"corstone-{found[1]}" if found else "" if _FVP_NAME.match(name) else DEFAULT_BOARD
    if _FVP_NAME.match(name) and board not in board_ids():
        raise BadInputError(
            f"{Path(program).name} is the name of another FVP: this stands in for {', '.join(open_boards())}",
            hints=["Arm's own FVP models that board"],
        )
    return board, family[1].upper() if family else None
