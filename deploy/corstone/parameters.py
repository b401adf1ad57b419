"""The parameters of Corstone-300 as the FVP names them: one table, which also checks the values that users give.

Names, types and defaults follow Arm's FVP of Corstone SSE-300. A parameter that cannot matter to a functional
model is accepted and says so; a value that asks for hardware that is not modelled is refused, never ignored.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.corstone.memory_map import BOARD, HARDWARE
from deploy.errors import BadInputError
from deploy.hardware.boards import board_table
from deploy.hardware.npus import npus
from deploy.hardware.sizes import KIB, MIB

Value = int | bool | str

# The file itself: making objects of it (deploy.hardware.fvps) would cost every boot some milliseconds.
_FILE = board_table(BOARD.id)
_DEFAULT_MACS: dict[str, int] = {npu["family"]: npu["default_macs"] for npu in _FILE["npus"]}
FAMILIES = tuple(_DEFAULT_MACS)
"""Of the NPUs that the machine can have."""
TERMINALS: tuple[int, ...] = tuple(_FILE["fvp"]["terminals"])
"""Numbers of the UARTs that have one."""
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
def parameter_table(family: str) -> Mapping[str, Parameter]:
    """All parameters of the model with an NPU of that family (``U55`` or ``U65``), by name."""
    macs = tuple(npu.macs for npu in npus().values() if npu.family == family)
    default, bram, sram = _DEFAULT_MACS[family], HARDWARE.memory("BRAM"), HARDWARE.memory("SRAM")
    rows = [
        Parameter("ethosu.num_macs", default, "Number of 8x8 MACs performed per cycle", choices=macs),
        Parameter(
            "ethosu.config",
            "",
            "The same as older releases name it: H and the number of MACs",
            choices=("", *(f"H{n}" for n in macs), *(f"Y{n}" for n in macs)),
        ),
        Parameter(
            "ethosu.extra_args", "", "--fast is what this model always does: results without cycle accuracy"
        ),
        Parameter("cpu0.CFGITCMSZ", 15, "Size of the ITCM, 2^(n-1) KB; 512 KB are always there", high=15),
        Parameter("cpu0.CFGDTCMSZ", 15, "Size of the DTCM, 2^(n-1) KB; 512 KB are always there", high=15),
        Parameter(
            "cpu0.INITSVTOR", 0x10000000, "Vector table at reset: the ITCM", choices=(0x10000000, 0x00000000)
        ),
        Parameter("cpu0.INITNSVTOR", 0, "Non-secure vector table at reset", choices=(0,)),
        Parameter("cpu0.FPU", True, "Floating point unit", choices=(True,)),
        Parameter("cpu0.DSP", True, "DSP instructions", choices=(True,)),
        Parameter("cpu0.MVE", 2, "M-profile vector extension: 2 = integer and floating point", choices=(2,)),
        Parameter("cpu0.semihosting-enable", False, "Semihosting (BKPT 0xAB)"),
        Parameter("cpu0.semihosting-cmd_line", "", "Command line that semihosting reports"),
        Parameter("cpu0.semihosting-cwd", "", "Working folder of semihosting's files"),
        *(
            Parameter(f"cpu0.semihosting-{name}", False, _NO_EFFECT)
            for name in ("prefix", "stderr_istty", "stdin_istty", "stdout_istty")
        ),
        Parameter("core_clk.mul", HARDWARE.cpu.fvp_clock_hz, _NO_EFFECT + " but for the simulated time of --stat"),
        Parameter("idau.NUM_IDAU_REGION", 0, _NO_EFFECT),
        Parameter("mps3_board.DISABLE_GATING", False, _NO_EFFECT),
        Parameter("mps3_board.hostbridge.interfaceName", "", _NO_EFFECT),
        Parameter("mps3_board.hostbridge.userNetworking", False, _NO_EFFECT),
        Parameter("mps3_board.smsc_91c111.enabled", False, "Ethernet", absent="the Ethernet controller"),
        Parameter("mps3_board.v_path", "", "Scripts of virtual streams", absent="virtual streaming"),
        Parameter(
            "mps3_board.FPGA_SRAM_SIZE",
            bram.size // MIB,
            f"Size of the BRAM in MB; {bram.open_size // MIB} MB are always there",
            low=1,
            high=bram.open_size // MIB,
        ),
        Parameter(
            "mps3_board.sse300.VM_BANK_SIZE",
            sram.size // sram.open_pieces // KIB,
            f"Size of an SRAM bank in KB; {sram.open_size // MIB} MB are always there",
            high=sram.open_size // sram.open_pieces // KIB,
        ),
        Parameter(
            "mps3_board.sse300.NUMVMBANK", sram.open_pieces, "Number of SRAM banks", low=1, high=sram.open_pieces
        ),
        Parameter("mps3_board.visualisation.disable-visualisation", False, "There is never a window"),
        Parameter("mps3_board.visualisation.rate_limit-enable", True, _NO_EFFECT),
    ]
    for uart in range(6):
        name = f"mps3_board.uart{uart}"
        used = "" if uart in TERMINALS else "; this UART is not connected"
        rows += [
            Parameter(f"{name}.out_file", "", f"File that output goes to, - for the standard output{used}"),
            Parameter(f"{name}.unbuffered_output", False, "Output is never buffered"),
            Parameter(f"{name}.shutdown_on_eot", False, f"Shut down when EOT (0x04) is sent{used}"),
            Parameter(f"{name}.shutdown_tag", "", f"Shut down when this text is sent{used}"),
            Parameter(f"{name}.in_file", "", "Input from a file", choices=("",)),
            Parameter(f"{name}.rx_overrun_mode", False, _NO_EFFECT),
        ]
    for terminal in TERMINALS:
        name = f"mps3_board.telnetterminal{terminal}"
        rows += [
            Parameter(f"{name}.start_telnet", True, "No telnet client is started; the port listens"),
            Parameter(
                f"{name}.start_port",
                5000,
                "TCP port (loopback only); the next free one if it is taken",
                low=1,
                high=65535,
            ),
            Parameter(f"{name}.mode", "telnet", "raw: bytes as they are", choices=("telnet", "raw")),
            Parameter(f"{name}.quiet", False, "Do not announce the port"),
            Parameter(f"{name}.terminal_command", "", _NO_EFFECT),
        ]
    return {row.name: row for row in rows}


def check_parameters(assignments: Sequence[tuple[str, str]], table: Mapping[str, Parameter]) -> dict[str, Value]:
    """Turn ``name=text`` assignments into values; later ones win.

    Raises:
        BadInputError: an unknown parameter, or a value of a wrong type or out of range.
    """
    values: dict[str, Value] = {}
    for name, text in assignments:
        short = name.removeprefix("FVP_MPS3_Corstone_SSE_300.")
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
