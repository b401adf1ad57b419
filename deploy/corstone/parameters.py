"""The parameters of a board as its FVP names them: one table, which also checks the values that users give.

Names, types and defaults follow Arm's FVPs of Corstone SSE-300, 310 and 320. A parameter that cannot matter to a
functional model is accepted and says so; a value that asks for hardware that is not modelled is refused, never
ignored.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deploy.corstone.stand_in import StandIn, stand_in
from deploy.errors import BadInputError
from deploy.hardware.npus import npus
from deploy.hardware.sizes import KIB, MIB

Value = int | bool | str

_NO_EFFECT = "accepted; no effect in this functional model"
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: ``instance.parameter``.
        default: value without ``-C``; its type is the parameter's type.
        description: what ``-l`` prints.
        choices: the values that are modelled; empty for all.
        absent: what is not there although a value asks for it; a warning, as most programs do without.
    """

    name: str
    default: Value
    description: str
    choices: tuple[Value, ...] = ()
    low: int = 0
    high: int = 0xFFFFFFFF
    absent: str = ""

    @property
    def type_name(self) -> str:
        """The type as the FVP names it."""
        return {bool: "bool", int: "int", str: "string"}[type(self.default)]


@functools.cache
def parameter_table(board: str, family: str) -> Mapping[str, Parameter]:
    """All parameters of the model of a board with an NPU of that family, by name."""
    model = stand_in(board, family)
    rows = (*_npu_rows(model), *_cpu_rows(model), *_board_rows(model))
    return {row.name: row for row in rows}


def _npu_rows(model: StandIn) -> Iterator[Parameter]:
    npu = model.instances["npu"]
    macs = tuple(each.macs for each in npus().values() if each.family == model.family)
    text = "Number of 8x8 MACs performed per cycle"
    yield Parameter(f"{npu}.num_macs", model.default_macs, text, choices=macs)
    if model.has_config:
        yield Parameter(
            f"{npu}.config",
            "",
            "The same as older releases name it: H and the number of MACs",
            choices=("", *(f"H{n}" for n in macs), *(f"Y{n}" for n in macs)),
        )
    text = "--fast is what this model always does: results without cycle accuracy"
    yield Parameter(f"{npu}.extra_args", "", text)


def _cpu_rows(model: StandIn) -> Iterator[Parameter]:
    cpu, vectors = model.instances["cpu"], model.hardware.cpu.vectors
    for memory in ("ITCM", "DTCM"):
        size = model.hardware.memory(memory).open_size // KIB
        text = f"Size of the {memory}, 2^(n-1) KB; {size} KB are always there"
        yield Parameter(f"{cpu}.CFG{memory}SZ", 15, text, high=15)
    where = model.memories.locate(vectors)
    places = (vectors, 0) if where is not None and where.memory.nonsecure == 0 else (vectors,)
    text = f"Vector table at reset: the {where.memory.name if where else 'boot memory'}"
    yield Parameter(f"{cpu}.INITSVTOR", vectors, text, choices=places)
    yield Parameter(f"{cpu}.INITNSVTOR", 0, "Non-secure vector table at reset", choices=(0,))
    yield Parameter(f"{cpu}.FPU", True, "Floating point unit", choices=(True,))
    yield Parameter(f"{cpu}.DSP", True, "DSP instructions", choices=(True,))
    text = "M-profile vector extension: 2 = integer and floating point"
    yield Parameter(f"{cpu}.MVE", 2, text, choices=(2,))
    yield Parameter(f"{cpu}.semihosting-enable", False, "Semihosting (BKPT 0xAB)")
    yield Parameter(f"{cpu}.semihosting-cmd_line", "", "Command line that semihosting reports")
    yield Parameter(f"{cpu}.semihosting-cwd", "", "Working folder of semihosting's files")
    for name, default, what in (
        ("heap_base", 0, "heap"),
        ("heap_limit", 0x1070_0000, "end of the heap"),
        ("stack_base", 0x1070_0000, "stack"),
        ("stack_limit", 0x1080_0000, "end of the stack"),
    ):
        text = f"What SYS_HEAPINFO tells: {what}; the default stands for what the program knows itself"
        yield Parameter(f"{cpu}.semihosting-{name}", default, text)
    for name in ("prefix", "stderr_istty", "stdin_istty", "stdout_istty"):
        yield Parameter(f"{cpu}.semihosting-{name}", False, _NO_EFFECT)
    clock = model.hardware.cpu.fvp_clock_hz
    yield Parameter("core_clk.mul", clock, _NO_EFFECT + " but for the simulated time of --stat")
    yield Parameter("idau.NUM_IDAU_REGION", 0, _NO_EFFECT)


def _board_rows(model: StandIn) -> Iterator[Parameter]:
    board, bram, sram = model.instances["board"], model.hardware.memory("BRAM"), model.hardware.memory("SRAM")
    yield Parameter(f"{board}.DISABLE_GATING", False, _NO_EFFECT)
    yield Parameter(f"{board}.hostbridge.interfaceName", "", _NO_EFFECT)
    yield Parameter(f"{board}.hostbridge.userNetworking", False, _NO_EFFECT)
    yield Parameter(f"{board}.smsc_91c111.enabled", False, "Ethernet", absent="the Ethernet controller")
    yield Parameter(f"{board}.v_path", "", "Scripts of virtual streams", absent="virtual streaming")
    if subsystem := model.instances.get("subsystem"):
        yield Parameter(
            f"{board}.FPGA_SRAM_SIZE",
            bram.size // MIB,
            f"Size of the BRAM in MB; {bram.open_size // MIB} MB are always there",
            low=1,
            high=bram.open_size // MIB,
        )
        yield Parameter(
            f"{subsystem}.VM_BANK_SIZE",
            sram.size // sram.open_pieces // KIB,
            f"Size of an SRAM bank in KB; {sram.open_size // MIB} MB are always there",
            high=sram.open_size // sram.open_pieces // KIB,
        )
        yield Parameter(
            f"{subsystem}.NUMVMBANK", sram.open_pieces, "Number of SRAM banks", low=1, high=sram.open_pieces
        )
    for name in model.windows:
        yield Parameter(name, False, "There is never a window")
    yield Parameter(f"{board}.visualisation.rate_limit-enable", True, _NO_EFFECT)
    for uart in range(6):
        yield from _uart_rows(f"{board}.uart{uart}", connected=uart in model.terminals)
    for terminal in model.terminals:
        yield from _terminal_rows(f"{board}.telnetterminal{terminal}")


def _uart_rows(name: str, *, connected: bool) -> Iterator[Parameter]:
    used = "" if connected else "; this UART is not connected"
    yield Parameter(f"{name}.out_file", "", f"File that output goes to, - for the standard output{used}")
    yield Parameter(f"{name}.unbuffered_output", False, "Output is never buffered")
    yield Parameter(f"{name}.shutdown_on_eot", False, f"Shut down when EOT (0x04) is sent{used}")
    yield Parameter(f"{name}.shutdown_tag", "", f"Shut down when this text is sent{used}")
    yield Parameter(f"{name}.in_file", "", "Input from a file", choices=("",))
    yield Parameter(f"{name}.rx_overrun_mode", False, _NO_EFFECT)


def _terminal_rows(name: str) -> Iterator[Parameter]:
    yield Parameter(f"{name}.start_telnet", True, "No telnet client is started; the port listens")
    text = "TCP port (loopback only); the next free one if it is taken"
    yield Parameter(f"{name}.start_port", 5000, text, low=1, high=65535)
    yield Parameter(f"{name}.mode", "telnet", "raw: bytes as they are", choices=("telnet", "raw"))
    yield Parameter(f"{name}.quiet", False, "Do not announce the port")
    yield Parameter(f"{name}.terminal_command", "", _NO_EFFECT)


def check_parameters(
    assignments: Sequence[tuple[str, str]], table: Mapping[str, Parameter], model: str
) -> dict[str, Value]:
    """Turn ``name=text`` assignments into values; later ones win.

    Args:
        assignments: names and texts.
        table: of all parameters.
        model: name that the FVP has for itself, which may stand before a parameter's.

    Raises:
        BadInputError: an unknown parameter, or a value of a wrong type or out of range.
    """
    values: dict[str, Value] = {}
    for name, text in assignments:
        short = name.removeprefix(f"{model}.")
        parameter = table.get(short)
        if parameter is None:
            import difflib

            near = difflib.get_close_matches(short, table, n=1)
            hints = [f"did you mean {near[0]}?"] if near else []
            raise BadInputError(f"unknown parameter '{name}'", hints=[*hints, "-l lists all parameters"])
        values[short] = parse_value(parameter, text)
    return values


def absent_hardware(values: Mapping[str, Value], table: Mapping[str, Parameter]) -> list[str]:
    """A warning for each value that asks for something that is not there."""
    return [
        f"parameter '{name}': {table[name].absent} is not modelled"
        for name, value in values.items()
        if value and table[name].absent
    ]


def parse_value(parameter: Parameter, text: str) -> Value:
    """Read a value as the FVP does: integers in C notation, booleans as 0/1/true/false, text without its quotes.

    Raises:
        BadInputError: not a value of that parameter.
    """
    value: Value
    if isinstance(parameter.default, bool):
        value = _boolean(parameter, text)
    elif isinstance(parameter.default, int):
        value = _integer(parameter, text)
    else:
        value = _unquoted(text)
    if parameter.choices and value not in parameter.choices:
        known = ", ".join(
            f"'{choice}'" if isinstance(choice, str) else f"{choice}" for choice in parameter.choices
        )
        raise BadInputError(f"parameter '{parameter.name}' cannot be '{text}' here: possible is {known}")
    return value


def format_table(table: Mapping[str, Parameter]) -> str:
    """The table as ``-l`` prints it."""
    lines = [
        "# Parameters:",
        "# instance.parameter=value       #(type, mode) default = 'def value' : description : [min..max]",
        "#" + "-" * 94,
    ]
    for parameter in table.values():
        text = _shown(parameter.default)
        limits = ""
        if parameter.choices:
            limits = " : [" + ", ".join(_shown(choice) or "''" for choice in parameter.choices) + "]"
        elif parameter.type_name == "int":
            limits = f" : [{parameter.low:#x}..{parameter.high:#x}]"
        comment = f"# ({parameter.type_name}, init-time) default = '{text}' : {parameter.description}{limits}"
        lines.append(f"{parameter.name + '=' + (text or chr(34) * 2):60} {comment}")
    return "\n".join(lines)


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:#x}" if isinstance(value, int) else value


def _boolean(parameter: Parameter, text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise BadInputError(f"parameter '{parameter.name}': '{text}' is not a boolean (0, 1, true, false)")


def _integer(parameter: Parameter, text: str) -> int:
    try:
        number = int(text.strip(), 0)
    except ValueError:
        raise BadInputError(f"parameter '{parameter.name}': '{text}' is not an integer") from None
    if not parameter.low <= number <= parameter.high:
        raise BadInputError(
            f"parameter '{parameter.name}': {text} is out of range [{parameter.low:#x}..{parameter.high:#x}]"
        )
    return number


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text
