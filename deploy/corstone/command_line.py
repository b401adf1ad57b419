"""The FVP's command line as data: a pure function from words to typed options, with the FVP's refusals."""

from __future__ import annotations

import getopt
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.corstone import options as known
from deploy.corstone.file_arguments import DataLoad, Dump, parse_data, parse_dump, parse_start, without_instance
from deploy.corstone.parameters import (
    ALL_UARTS,
    Assignment,
    Parameter,
    check_parameters,
    honoured,
    initsvtor_rst,
    parameter_table,
    table_for,
    warnings,
)
from deploy.corstone.stand_in import DEFAULT_BOARD, StandIn, stand_in
from deploy.errors import BadInputError
from deploy.hardware.fvp_parameters import Value

_MAX_CONFIG_FILE = 1024 * 1024
_MAX_COMMENT = 4096
# What a line of `-l` says about its parameter.
_LISTED = re.compile(r"#\s*\(\w+\s*,\s*[\w-]+\s*\)\s*default\s*=\s*'(.*?)'\s*(?::|$)")
_SHOWN = {
    "--help": "help",
    "--version": "version",
    "--list-params": "parameters",
    "--list-instances": "instances",
    "--list-memory": "memory",
    "--list-regs": "registers",
}


@dataclass(frozen=True)
class UartOptions:
    """What the parameters say about one UART.

    Attributes:
        out_file: ``-`` for the standard output, a file, or "" for none.
        shutdown_on_eot: stop when EOT (0x04) is sent.
        shutdown_tag: stop when this text is sent; "" for none.
        port: first TCP port to try for the terminal; None if it does not listen.
        telnet: whether the terminal speaks telnet rather than raw bytes.
        announce: whether the port is told.
        in_file: ``-`` for the standard input, a file, or "" for none.
    """

    out_file: str
    shutdown_on_eot: bool
    shutdown_tag: str
    port: int | None
    telnet: bool
    announce: bool
    in_file: str = ""

    @property
    def ends(self) -> bool:
        """Whether its output can end the simulation."""
        return self.shutdown_on_eot or bool(self.shutdown_tag)


@dataclass(frozen=True)
class MachineOptions:
    """Everything the command line says.

    Attributes:
        model: the board and its NPU.
        applications: files to load.
        given: options that were given, by their long names.
        start: address of the first instruction; None for the reset handler.
        output: file for what only is to be shown; None for the standard output.
        time_limit_s: wall-clock seconds, None for no limit.
        simulated_limit_s: simulated seconds, None for no limit.
        cycle_limit: CPU cycles, None for no limit.
        gdb_port: TCP port for a user's debugger.
        trace: file for the NPU's operations.
        verbose: whether to say what of an application was moved.
        release: the release of Arm's FVPs that scripts are told; None for the newest.
        show: ``version``, ``help``, ``parameters``, ``instances``, ``memory`` or ``registers`` when only that is
            asked for.
    """

    model: StandIn
    applications: tuple[Path, ...] = ()
    values: dict[str, Value] = field(default_factory=dict)
    data: tuple[DataLoad, ...] = ()
    dumps: tuple[Dump, ...] = ()
    given: tuple[str, ...] = ()
    start: int | None = None
    output: Path | None = None
    time_limit_s: float | None = None
    simulated_limit_s: float | None = None
    cycle_limit: int | None = None
    gdb_port: int | None = None
    trace: Path | None = None
    stat: bool = False
    quiet: bool = False
    verbose: bool = False
    release: str | None = None
    show: str | None = None

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameter table of this model."""
        return parameter_table(self.model.board, self.model.family)

    def value(self, name: str) -> Value:
        """The value, set or default, of a parameter that is honoured."""
        if name in self.values:
            return self.values[name]
        return honoured(self.model.board, self.model.family)[name].default

    @property
    def warnings(self) -> list[str]:
        """What of the command line has no effect, in lines."""
        table = table_for(self.values, self.model)
        return [*known.warnings(list(self.given)), *warnings(self.values, table, self.model)]

    @property
    def begin(self) -> int:
        """Address of the vector table at reset.

        The register that the board's parameter sets is what drives the processor's pin.
        """
        names = (initsvtor_rst(self.model), f"{self.model.instances['cpu']}.INITSVTOR")
        return int(self.value(next((name for name in names if name in self.values), names[0])))

    @property
    def nonsecure_vectors(self) -> int:
        """Address of the Non-secure vector table at reset, where QEMU has that memory."""
        address = int(self.cpu_value("INITNSVTOR"))
        for move in self.model.moves:
            if move.memory and move.first <= address < move.first + move.size:
                return address - move.first + move.to
        return address

    @property
    def clock_hz(self) -> float:
        """The CPU's clock, which simulated time is counted in."""
        return int(self.value("core_clk.mul")) / int(self.value("core_clk.div"))

    @property
    def macs(self) -> int:
        """The NPU's multiply-accumulate units."""
        npu = self.model.instances["npu"]
        config = str(self.values.get(f"{npu}.config", ""))
        if config and f"{npu}.num_macs" not in self.values:
            return int(config[1:])
        return int(self.value(f"{npu}.num_macs"))

    @property
    def counts_instructions(self) -> bool:
        """Whether time is counted in instructions; ``--fast`` among the NPU's arguments asks for results alone."""
        return "--fast" not in str(self.value(f"{self.model.instances['npu']}.extra_args"))

    def cpu_value(self, name: str) -> Value:
        """The value of a parameter of the CPU's."""
        return self.value(f"{self.model.instances['cpu']}.{name}")

    def uart(self, number: int) -> UartOptions:
        """What is said about one UART."""
        board = self.model.instances["board"]
        uart, terminal = f"{board}.uart{number}", f"{board}.telnetterminal{number}"
        out_file = str(self.value(f"{uart}.out_file"))
        in_file, eot = str(self.value(f"{uart}.in_file")), bool(self.value(f"{uart}.shutdown_on_eot"))
        tag = str(self.value(f"{uart}.shutdown_tag"))
        if number not in self.model.terminals:
            return UartOptions(out_file, eot, tag, port=None, telnet=False, announce=False, in_file=in_file)
        # The FVP listens even without its telnet client. Here a terminal that nobody asked for stays closed:
        # the client is off and the output goes elsewhere, or it is one of the others that programs hardly use.
        asked = any(f"{terminal}.{name}" in self.values for name in ("start_port", "mode"))
        listens = bool(self.value(f"{terminal}.start_telnet")) or asked or (number == 0 and not out_file)
        return UartOptions(
            out_file,
            eot,
            tag,
            int(self.value(f"{terminal}.start_port")) if listens else None,
            self.value(f"{terminal}.mode") == "telnet",
            not self.quiet and not self.value(f"{terminal}.quiet"),
            in_file,
        )

    @property
    def uarts(self) -> dict[int, UartOptions]:
        """All UARTs, by number."""
        return {number: self.uart(number) for number in ALL_UARTS}


def parse_options(
    arguments: Sequence[str], *, board: str = DEFAULT_BOARD, family: str | None = None
) -> MachineOptions:
    """Read the words after the program's name; board and NPU family hold when no option says otherwise.

    Raises:
        BadInputError: an option, parameter or value that the model does not have.
    """
    if any("\0" in word for word in arguments):  # no shell can pass one on, but whoever calls this can
        raise BadInputError("no text with a NUL character can be used")
    try:
        pairs, positional = getopt.gnu_getopt(list(arguments), known.short_options(), known.long_options())
    except getopt.GetoptError as error:
        raise BadInputError(f"{error}", hints=["--help lists the options"]) from None
    named = [(known.long_name(option), value) for option, value in pairs]
    single = dict(named)
    if "--board" in single:
        board, family = single["--board"].strip().lower(), None
    if "--npu-family" in single:
        family = single["--npu-family"].strip().upper().removeprefix("ETHOS-")
    model = stand_in(board, family)
    output = Path(single["--output"]) if "--output" in single else None
    release = _release(single["--release"]) if "--release" in single else None
    for option, shown in _SHOWN.items():
        if option in single:
            return MachineOptions(model, show=shown, output=output, release=release)
    assignments: list[Assignment] = []
    for option, value in named:
        if option == "--parameter":
            assignments.append(_assignment(value, "-C"))
        elif option == "--config-file":
            assignments += read_config_file(Path(value))
    applications = [Path(without_instance(value, model)) for option, value in named if option == "--application"]
    applications += [Path(word) for word in positional]
    wall = [_seconds(option, single[option]) for option in ("--timelimit", "--cpulimit") if option in single]
    return MachineOptions(
        model=model,
        applications=tuple(dict.fromkeys(applications)),
        values=check_parameters(assignments, table_for((each.name for each in assignments), model), model),
        data=tuple(parse_data(value, model) for option, value in named if option == "--data"),
        dumps=tuple(parse_dump(value, model) for option, value in named if option == "--dump"),
        given=tuple(dict.fromkeys(option for option, _ in named)),
        start=parse_start(single["--start"], model) if "--start" in single else None,
        output=output,
        time_limit_s=min(wall, default=None),
        simulated_limit_s=_seconds("--simlimit", single["--simlimit"]) if "--simlimit" in single else None,
        cycle_limit=_number("--cyclelimit", single["--cyclelimit"]) if "--cyclelimit" in single else None,
        gdb_port=_port(single["--gdb"]) if "--gdb" in single else None,
        trace=Path(single["--trace"]) if "--trace" in single else None,
        stat="--stat" in single,
        quiet="--quiet" in single,
        verbose="--verbose" in single,
    )


def read_config_file(path: Path) -> list[Assignment]:
    """Read a parameter file: one ``name=value`` a line, ``#`` begins a comment, blank lines do not count.

    The listing of ``-l``, ours and Arm's, is such a file; its comments tell each parameter's default.

    Raises:
        BadInputError: unreadable, too large, or a line that is no assignment.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_CONFIG_FILE + 1)
    except OSError as error:
        raise BadInputError(f"-f {path}: cannot be read: {error.strerror}") from error
    if len(content) > _MAX_CONFIG_FILE:
        raise BadInputError(f"-f {path}: too large for a parameter file")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInputError(f"-f {path}: not a text file") from None
    assignments = []
    for number, line in enumerate(text.splitlines(), start=1):
        # Comments stand behind a space: `#` can be in a value.
        stripped = re.sub(r"(^|\s)#.*$", "", line).strip()
        if stripped:
            listed = _LISTED.search(line[len(stripped) :][:_MAX_COMMENT])
            default = listed and listed[1]
            assignments.append(_assignment(stripped, f"-f {path}, line {number}")._replace(listed=default))
    return assignments


def _assignment(text: str, origin: str) -> Assignment:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise BadInputError(f"{origin}: '{text}' is not of the form instance.parameter=value")
    return Assignment(name.strip(), value.strip())


def _release(text: str) -> str:
    from deploy.hardware.fvps import check_release  # no boot asks for it

    return check_release(text)


def _seconds(option: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise BadInputError(f"{option} {text}: not a number of seconds above 0")
    return seconds


def _number(option: str, text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = 0
    if number < 1:
        raise BadInputError(f"{option} {text}: not a whole number above 0")
    return number


def _port(text: str) -> int:
    port = _number("--gdb", text)
    if port > 65535:
        raise BadInputError(f"--gdb {text}: not a TCP port")
    return port
