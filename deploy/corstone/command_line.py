"""The FVP's command line as data: a pure function from words to typed options, with the FVP's refusals."""

from __future__ import annotations

import getopt
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.corstone.file_arguments import DataLoad, Dump, parse_data, parse_dump, without_instance
from deploy.corstone.parameters import Parameter, Value, check_parameters, parameter_table
from deploy.corstone.stand_in import DEFAULT_BOARD, StandIn, stand_in
from deploy.errors import BadInputError

USAGE = """\
usage: {program} [OPTIONS] [APPLICATION]

  -a, --application [cpu0=]ELF       application to boot (repeat it to load further images)
  -C, --parameter NAME=VALUE         set a parameter
  -f, --config-file FILE             parameters from a file, one a line, # begins a comment
  -l, --list-params                  list the parameters and exit
      --data [cpu0=]FILE@[Memory:]ADDRESS
                                     load a raw file
      --dump [cpu0=]FILE@[Memory:]ADDRESS,SIZE
                                     write memory to a file when the model shuts down
  -T, --timelimit S                  end after S seconds of wall time
      --cpulimit S                   the same
      --simlimit S                   end after S simulated seconds (an estimate here)
      --cyclelimit N                 end after N CPU cycles (an estimate here)
      --stat                         print statistics at the end
  -q, --quiet                        print nothing but the program's output
      --version                      print the version and exit
  -h, --help                         print this and exit
own options:
      --board NAME                   the board (default: from the name that this was called by, else corstone-300)
      --npu-family U55|U65|U85       the NPU (default: from that name, else the board's first one)
      --verbose                      say what of an application is moved to other addresses
      --gdb PORT                     let a debugger attach to the CPU on that loopback port
      --trace FILE                   write the NPU's operations to a file: .json for Chrome and Perfetto, else text

Exit status: 0 ended by the program, EOT, shutdown_tag or a limit (as on the FVP: whatever the program did);
2 bad option or file; 3 QEMU missing or too old; 4 QEMU died or the CPU cannot go on; 130, 143 ended by a signal.
"""

_SHORT = "a:C:f:lqT:hPM:Q:"
_LONG = (
    "application=",
    "parameter=",
    "config-file=",
    "list-params",
    "data=",
    "dump=",
    "timelimit=",
    "cpulimit=",
    "simlimit=",
    "cyclelimit=",
    "stat",
    "quiet",
    "version",
    "help",
    "board=",
    "npu-family=",
    "verbose",
    "gdb=",
    "trace=",
    "quantum=",
    "min-sync-latency=",
)
_LONG_NAMES = {"-a": "--application", "-C": "--parameter", "-f": "--config-file", "-l": "--list-params"}
_LONG_NAMES |= {"-q": "--quiet", "-T": "--timelimit", "-h": "--help"}
_MAX_CONFIG_FILE = 1024 * 1024


@dataclass(frozen=True)
class UartOptions:
    """What the parameters say about one UART (of 0, 1, 2, 5).

    Attributes:
        out_file: ``-`` for the standard output, a file, or "" for none.
        shutdown_on_eot: stop when EOT (0x04) is sent.
        shutdown_tag: stop when this text is sent; "" for none.
        port: first TCP port to try for the terminal; None if it does not listen.
        telnet: whether the terminal speaks telnet rather than raw bytes.
    """

    out_file: str
    shutdown_on_eot: bool
    shutdown_tag: str
    port: int | None
    telnet: bool
    announce: bool

    @property
    def ends(self) -> bool:
        """Whether its output can end the simulation."""
        return self.shutdown_on_eot or bool(self.shutdown_tag)


@dataclass(frozen=True)
class MachineOptions:
    """Everything the command line says.

    Attributes:
        model: the board and its NPU.
        applications: ELF files to load; the first one boots.
        time_limit_s: wall-clock seconds, None for no limit.
        simulated_limit_s: simulated seconds, None for no limit.
        cycle_limit: CPU cycles, None for no limit.
        gdb_port: TCP port for a user's debugger.
        trace: file for the NPU's operations.
        verbose: whether to say what of an application was moved.
        show: ``version``, ``help`` or ``parameters`` when only that is asked for.
    """

    model: StandIn
    applications: tuple[Path, ...] = ()
    values: dict[str, Value] = field(default_factory=dict)
    data: tuple[DataLoad, ...] = ()
    dumps: tuple[Dump, ...] = ()
    time_limit_s: float | None = None
    simulated_limit_s: float | None = None
    cycle_limit: int | None = None
    gdb_port: int | None = None
    trace: Path | None = None
    stat: bool = False
    quiet: bool = False
    verbose: bool = False
    show: str | None = None

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameter table of this model."""
        return parameter_table(self.model.board, self.model.family)

    def value(self, name: str) -> Value:
        """A parameter's value, set or default."""
        return self.values.get(name, self.parameters[name].default)

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
        # The FVP listens even without its telnet client. Here a terminal that nobody asked for stays closed:
        # the client is off and the output goes elsewhere, or it is one of the others that programs hardly use.
        asked = any(f"{terminal}.{name}" in self.values for name in ("start_port", "mode"))
        listens = bool(self.value(f"{terminal}.start_telnet")) or asked or (number == 0 and not out_file)
        return UartOptions(
            out_file,
            bool(self.value(f"{uart}.shutdown_on_eot")),
            str(self.value(f"{uart}.shutdown_tag")),
            int(self.value(f"{terminal}.start_port")) if listens else None,
            self.value(f"{terminal}.mode") == "telnet",
            not self.quiet and not self.value(f"{terminal}.quiet"),
        )

    @property
    def uarts(self) -> dict[int, UartOptions]:
        """The UARTs that have a terminal, by number."""
        return {number: self.uart(number) for number in self.model.terminals}


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
        pairs, positional = getopt.gnu_getopt(list(arguments), _SHORT, list(_LONG))
    except getopt.GetoptError as error:
        raise BadInputError(f"{error}", hints=["--help lists the options"]) from None
    named = [(_LONG_NAMES.get(option, option), value) for option, value in pairs]
    single = dict(named)
    if "--board" in single:
        board, family = single["--board"].strip().lower(), None
    if "--npu-family" in single:
        family = single["--npu-family"].strip().upper().removeprefix("ETHOS-")
    model = stand_in(board, family)
    for option, shown in (("--help", "help"), ("--version", "version"), ("--list-params", "parameters")):
        if option in single:
            return MachineOptions(model, show=shown)
    assignments: list[tuple[str, str]] = []
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
        applications=tuple(applications),
        values=check_parameters(assignments, parameter_table(board, model.family), model.fvp),
        data=tuple(parse_data(value, model) for option, value in named if option == "--data"),
        dumps=tuple(parse_dump(value, model) for option, value in named if option == "--dump"),
        time_limit_s=min(wall, default=None),
        simulated_limit_s=_seconds("--simlimit", single["--simlimit"]) if "--simlimit" in single else None,
        cycle_limit=_number("--cyclelimit", single["--cyclelimit"]) if "--cyclelimit" in single else None,
        gdb_port=_port(single["--gdb"]) if "--gdb" in single else None,
        trace=Path(single["--trace"]) if "--trace" in single else None,
        stat="--stat" in single,
        quiet="--quiet" in single,
        verbose="--verbose" in single,
    )


def read_config_file(path: Path) -> list[tuple[str, str]]:
    """Read a parameter file: one ``name=value`` a line, ``#`` begins a comment, blank lines do not count.

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
        # The listing of -l is a parameter file too: its comments stand behind a space.
        stripped = re.sub(r"(^|\s)#.*$", "", line).strip()
        if stripped:
            assignments.append(_assignment(stripped, f"-f {path}, line {number}"))
    return assignments


def _assignment(text: str, origin: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise BadInputError(f"{origin}: '{text}' is not of the form instance.parameter=value")
    return name.strip(), value.strip()


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
