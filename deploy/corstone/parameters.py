"""The parameters of a board as its FVP names them: one table, which also checks the values that users give.

Names, types and defaults follow Arm's FVPs of Corstone SSE-300, 310 and 320. Those that are honoured stand here.
Those that cannot matter to a functional model, or ask for hardware that is not modelled, are data
(:mod:`deploy.hardware.fvp_parameters`): accepted with a warning, or refused where another value would change what
programs compute. Nothing is ignored in silence.
"""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from deploy.corstone.stand_in import StandIn, stand_in
from deploy.errors import BadInputError
from deploy.hardware.fvp_parameters import Value, families, other_fvps, without_effect
from deploy.hardware.npus import npus
from deploy.hardware.sizes import KIB

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")
ALL_UARTS = range(6)
"""Numbers of the UARTs; not every one has a terminal."""
_CORE = "cpu_core"
"""The name that Arm Virtual Hardware's builds have for what the FVP calls by its own name."""


class Assignment(NamedTuple):
    """``name=text`` of ``-C`` or of a line of ``-f``.

    Attributes:
        listed: default that the line itself states, as lines of ``-l`` do; None where it states none.
    """

    name: str
    text: str
    listed: str | None = None


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: ``instance.parameter``.
        default: value without ``-C``; its type is the parameter's type.
        description: what ``-l`` prints.
        choices: all values that it has; empty for no such limit.
        use: what is done with it: ``honoured``, ``without effect``, or another value than the default ``refused``.
        note: what there is instead, or why it is refused.
        up_to: integers up to this one are had although it is without effect; None for the default alone.
        words: all words of a text that have an effect; empty for no such limit.
    """

    name: str
    default: Value
    description: str
    choices: tuple[Value, ...] = ()
    low: int = 0
    high: int = 0xFFFFFFFF
    use: Literal["honoured", "without effect", "refused"] = "honoured"
    note: str = ""
    up_to: int | None = None
    words: tuple[str, ...] = ()

    @property
    def type_name(self) -> str:
        """The type as the FVP names it."""
        return {bool: "bool", int: "int", str: "string"}[type(self.default)]

    def in_vain(self, value: Value) -> bool:
        """Whether a value asks for something that there is not."""
        if self.words and isinstance(value, str):
            return not set(value.split()) <= set(self.words)
        if self.use != "without effect" or value == self.default:
            return False
        return not (self.up_to is not None and isinstance(value, int) and value <= self.up_to)


@functools.cache
def parameter_table(board: str, family: str) -> Mapping[str, Parameter]:
    """All parameters of the model of a board with an NPU of that family, by name."""
    found = dict(honoured(board, family))
    model = stand_in(board, family)
    for row in without_effect(_fill_ins(model), ALL_UARTS, model.terminals):
        use: Literal["without effect", "refused"] = "refused" if row.refused else "without effect"
        found[row.name] = Parameter(
            row.name,
            row.default,
            row.text,
            row.choices,
            row.low,
            row.high,
            use,
            row.refused or row.note,
            row.up_to,
        )
    return found


@functools.cache
def honoured(board: str, family: str) -> Mapping[str, Parameter]:
    """Those of them that have an effect: most command lines name no others, and boots need not read the rest."""
    model = stand_in(board, family)
    rows = (*_npu_rows(model), *_cpu_rows(model), *_board_rows(model))
    return {row.name: row for row in rows}


def _fill_ins(model: StandIn) -> dict[str, str | int]:
    """What placeholders in the data stand for."""
    bram, sram = model.hardware.memory("BRAM"), model.hardware.memory("SRAM")
    mega = 1024 * KIB
    return {
        **model.instances,
        "bram_mb": bram.size // mega,
        "open_bram_mb": bram.open_size // mega,
        "bank_kb": sram.size // sram.open_pieces // KIB,
        "open_bank_kb": sram.open_piece // KIB,
        "banks": sram.open_pieces,
    }


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
    text = "--fast: results alone; instructions are not counted for the CPU's time"
    note = "--fast alone is known"
    yield Parameter(f"{npu}.extra_args", "", text, note=note, words=("--fast",))


def _cpu_rows(model: StandIn) -> Iterator[Parameter]:
    cpu, vectors = model.instances["cpu"], model.hardware.cpu.vectors
    for memory in ("ITCM", "DTCM"):
        size = model.hardware.memory(memory).open_size // KIB
        text = f"Size of the {memory}, 2^(n-1) KB; {size} KB are always there"
        yield Parameter(f"{cpu}.CFG{memory}SZ", 15, text, high=15)
    text = "Secure vector table at reset, anywhere in memory"
    yield Parameter(f"{cpu}.INITSVTOR", vectors, text, high=0xFFFFFF80)
    text = "Non-secure vector table at reset (VTOR_NS), anywhere in memory"
    yield Parameter(f"{cpu}.INITNSVTOR", 0, text, high=0xFFFFFF80)
    text = f"The same as the board's register resets to it; wins over {cpu}.INITSVTOR"
    yield Parameter(initsvtor_rst(model), vectors, text, high=0xFFFFFF80)
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
    clock = model.hardware.cpu.fvp_clock_hz
    yield Parameter(
        "core_clk.mul", clock, "Clock in Hz, for the simulated time and what is counted with it", low=1
    )
    yield Parameter("core_clk.div", 1, "The clock is divided by it", low=1)


def initsvtor_rst(model: StandIn) -> str:
    """Name of the parameter for the register that holds the vector table's address at reset."""
    return f"{model.instances['subsystem']}.iotss3_systemcontrol.INITSVTOR_RST"


def _board_rows(model: StandIn) -> Iterator[Parameter]:
    board = model.instances["board"]
    for name in model.windows:
        yield Parameter(name, False, "There is never a window")
    yield Parameter(f"{board}.visualisation.rate_limit-enable", True, "Nothing is ever slowed down")
    for uart in ALL_UARTS:
        yield from _uart_rows(f"{board}.uart{uart}")
    for terminal in model.terminals:
        yield from _terminal_rows(f"{board}.telnetterminal{terminal}")


def _uart_rows(name: str) -> Iterator[Parameter]:
    yield Parameter(f"{name}.out_file", "", "File that output goes to, - for the standard output")
    yield Parameter(f"{name}.unbuffered_output", False, "Output is never buffered")
    yield Parameter(f"{name}.shutdown_on_eot", False, "Shut down when EOT (0x04) is sent")
    yield Parameter(f"{name}.shutdown_tag", "", "Shut down when this text is sent")
    yield Parameter(f"{name}.in_file", "", "File that input comes from, - for the standard input")


def _terminal_rows(name: str) -> Iterator[Parameter]:
    yield Parameter(f"{name}.start_telnet", True, "No telnet client is started; the port listens")
    text = "TCP port (loopback only); the next free one if it is taken"
    yield Parameter(f"{name}.start_port", 5000, text, low=1, high=65535)
    yield Parameter(f"{name}.mode", "telnet", "raw: bytes as they are", choices=("telnet", "raw"))
    yield Parameter(f"{name}.quiet", False, "Do not announce the port")


def check_parameters(
    assignments: Sequence[Assignment], table: Mapping[str, Parameter], model: StandIn
) -> dict[str, Value]:
    """Turn ``name=text`` assignments into values; later ones win.

    A name may begin with the model's, and have ``*`` for instances. A line of a listing that states its own
    default and has that value asks for nothing, whether it is known here or not.

    Args:
        assignments: names and texts.
        table: of all parameters.
        model: what they are for.

    Raises:
        BadInputError: a parameter that is unknown or of another FVP, or a value of a wrong type, out of range, or
            refused here.
    """
    values: dict[str, Value] = {}
    for name, text, listed in assignments:
        short = short_name(name, model)
        if listed is not None and _unquoted(text) == _unquoted(listed):
            values.pop(short, None)
            continue
        found = fnmatch.filter(table, short) if "*" in short else [short] if short in table else []
        for each in found:
            values[each] = parse_value(table[each], text)
        if not found:
            if listed is None and _family(short, model) is None:
                raise _unknown(name, short, table, model)
            values[short] = text
    return values


def short_name(name: str, model: StandIn) -> str:
    """A parameter's name without that of the model, which may stand before it."""
    return name.removeprefix(f"{model.fvp}.").removeprefix(f"{_CORE}.")


def warnings(values: Mapping[str, Value], table: Mapping[str, Parameter], model: StandIn) -> list[str]:
    """A line for each value that asks for something that is not there, and one for all that are without effect."""
    lines, others = [], []
    for name, value in values.items():
        row = table.get(name)
        if row is not None and not row.in_vain(value):
            continue
        note = row.note if row is not None else _family(name, model)
        if note:
            lines.append(f"parameter '{name}': {note}")
        else:
            others.append(f"{name}={shown(value)}")
    if others:
        lines.append(f"without effect in this functional model: {', '.join(others)}")
    return list(dict.fromkeys(lines))


def shown(value: Value) -> str:
    """A value as listings and warnings have it."""
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:#x}" if isinstance(value, int) else value


def parse_value(parameter: Parameter, text: str) -> Value:
    """Read a value as the FVP does: integers in C notation, booleans as 0/1/true/false, text without its quotes.

    Raises:
        BadInputError: not a value of that parameter, or one that is refused here.
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
    if parameter.use == "refused" and value != parameter.default:
        raise BadInputError(f"parameter '{parameter.name}' cannot be '{text}' here: {parameter.note}")
    return value


def _unknown(name: str, short: str, table: Mapping[str, Parameter], model: StandIn) -> BadInputError:
    other = other_fvps().get(short.split(".", maxsplit=1)[0])
    if other is not None and not short.startswith(f"{model.instances['board']}."):
        return BadInputError(
            f"parameter '{name}' belongs to another FVP, {other}: this one is {model.name}",
            hints=[
                "-l lists all parameters",
                "--board corstone-300, corstone-310 or corstone-320 choose the board",
            ],
        )
    import difflib

    near = difflib.get_close_matches(short, table, n=1)
    hints = [f"did you mean {near[0]}?"] if near else []
    return BadInputError(f"unknown parameter '{name}'", hints=[*hints, "-l lists all parameters"])


def _family(name: str, model: StandIn) -> str | None:
    """What there is instead of a whole family of parameters; None where a name is of none, "" for one unknown."""
    known = families(model.instances)
    return next((note for prefix, note in known.items() if name.startswith(f"{prefix}.")), None)


def table_for(names: Iterable[str], model: StandIn) -> Mapping[str, Parameter]:
    """The table that is needed to look names up: reading all of it takes as long as 1 % of a boot."""
    known = honoured(model.board, model.family)
    if all(short_name(name, model) in known for name in names):
        return known
    return parameter_table(model.board, model.family)


def _boolean(parameter: Parameter, text: str) -> bool:
    lowered = _unquoted(text).strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise BadInputError(f"parameter '{parameter.name}': '{text}' is not a boolean (0, 1, true, false)")


def _integer(parameter: Parameter, text: str) -> int:
    try:
        number = int(_unquoted(text).strip(), 0)
    except ValueError:
        raise BadInputError(f"parameter '{parameter.name}': '{text}' is not an integer") from None
    if not parameter.low <= number <= parameter.high:
        raise BadInputError(
            f"parameter '{parameter.name}': {text} is out of range [{parameter.low:#x}..{parameter.high:#x}]"
        )
    return number


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text
