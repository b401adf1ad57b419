"""What a program's host is, from the command line: its folder, its command line, where heap and stack are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from deploy.corstone.command_line import MachineOptions
from deploy.corstone.core_clock import CoreClock
from deploy.corstone.cpu import Cpu
from deploy.corstone.host_folder import HostFolder
from deploy.corstone.memory import GuestMemory
from deploy.corstone.semihosting import Semihosting, Surroundings
from deploy.corstone.semihosting_port import SemihostingPort
from deploy.errors import BadInputError, TargetError

_VTOR = 0xE000ED08
_HEAP = ("heap_base", "heap_limit", "stack_base", "stack_limit")
_STACK_BASE = _HEAP.index("stack_base")


def semihosting_port(
    options: MachineOptions,
    cpu: Cpu,
    clock: CoreClock,
    memory: GuestMemory,
    calls: Collection[int],
    flush: Callable[[], None],
    report: Callable[[str], None],
) -> SemihostingPort:
    """The host of a program that makes its calls at some addresses.

    Args:
        options: the command line.
        cpu: that makes the calls.
        clock: its clock.
        memory: of the machine.
        calls: their addresses.
        flush: called before output and input.
        report: called with a line about what is refused.

    Raises:
        BadInputError: the folder that is named for the program's files is none.
    """
    folder = Path(str(options.cpu_value("semihosting-cwd")) or ".")
    try:
        files = HostFolder(folder)
    except (OSError, ValueError):
        cpu_name = options.model.instances["cpu"]
        raise BadInputError(f"parameter '{cpu_name}.semihosting-cwd': there is no folder {folder}") from None
    surroundings = Surroundings(
        command_line=str(options.cpu_value("semihosting-cmd_line")) or options.applications[0].name,
        heap=lambda: _heap(options, cpu, memory),
        clock_hz=clock.frequency_hz,
        ticks=clock.poll,
        flush=flush,
        report=report,
    )
    return SemihostingPort(cpu, memory, Semihosting(memory, files, surroundings), calls, report)


def _heap(options: MachineOptions, cpu: Cpu, memory: GuestMemory) -> Sequence[int]:
    """What SYS_HEAPINFO tells: as parameters say, and the stack that the vector table has otherwise.

    The FVP's own defaults name addresses that this board has no memory at, so they count as not said. 0 is the
    answer for what is not known, whereupon a program takes what its linker knew.
    """
    instance = options.model.instances["cpu"]
    told = [0] * len(_HEAP)
    told[_STACK_BASE] = _initial_stack(cpu, memory)
    for position, name in enumerate(_HEAP):
        parameter = options.parameters[f"{instance}.semihosting-{name}"]
        value = options.values.get(parameter.name, parameter.default)
        if value != parameter.default:
            told[position] = int(value)
    return told


def _initial_stack(cpu: Cpu, memory: GuestMemory) -> int:
    """The first word of the vector table; 0 where that is not in memory."""
    try:
        table = int.from_bytes(bytes.fromhex(cpu.gdb.request(b"m%x,4" % _VTOR).decode("ascii")), "little")
        return int.from_bytes(memory.read(table, 4), "little")
    except (TargetError, ValueError):
        return 0
