"""The command line of the open Corstone-300: what `FVP_Corstone_SSE-300_Ethos-U55` is to Arm's model."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from deploy import __version__
from deploy.corstone import elf, qemu
from deploy.corstone.machine import Ending, EndReason, Machine, StopRequest
from deploy.corstone.options import USAGE, Options, family_of_name, parse_options
from deploy.corstone.parameters import format_table
from deploy.corstone.uart import UartSink
from deploy.errors import BadInputError, DeployError, NotInstalledError, TargetError

MODEL = "FVP_MPS3_Corstone_SSE_300"
NAME = "Open Corstone-300"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; never shows a traceback for what a user or a program did."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    program = os.path.basename(sys.argv[0])  # noqa: PTH119
    sys.exit(run(words, program="open-corstone-300" if program == "__main__.py" else program))


def run(arguments: Sequence[str], *, program: str = "open-corstone-300") -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name.
        program: the name it was called by; one that contains ``Ethos-U65`` asks for that NPU.

    Returns:
        The exit status.
    """
    try:
        options = parse_options(arguments, family=family_of_name(program))
        if options.show == "help":
            print(USAGE.format(program=program), end="")
        elif options.show == "version":
            print(version_line())
        elif options.show == "parameters":
            print(format_table(options.parameters))
        else:
            return simulate(options)
    except DeployError as error:
        _report_error(error)
        return error.exit_status
    except StopRequest as request:
        return request.status
    except BrokenPipeError:
        # The reader of the standard output is gone: nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return TargetError.exit_status
    return 0


def version_line() -> str:
    """What ``--version`` prints: recognisable, and not to be mistaken for Arm's."""
    try:
        engine = f"QEMU {qemu.find_qemu().version}"
    except NotInstalledError as error:
        engine = f"QEMU: {error.message}"
    return f"{NAME} {__version__} (functional model on {engine}, not Arm's FVP)"


def simulate(options: Options) -> int:
    """Boot the application and run it to its end.

    Returns:
        The exit status.

    Raises:
        DeployError: see the usage text for the statuses.
    """
    if not options.applications:
        raise BadInputError(
            "no application given", hints=["-a FILE.axf names the program to boot, --help lists the options"]
        )
    for application in options.applications:
        elf.read_segments(application)
    executable = qemu.locate_qemu()
    began = time.monotonic()
    say = _silent if options.quiet else _say
    uart = options.uart(0)
    with _signals(), contextlib.ExitStack() as stack:
        sink = UartSink(uart.out_file, shutdown_on_eot=uart.shutdown_on_eot, shutdown_tag=uart.shutdown_tag)
        stack.callback(sink.close)
        process = stack.enter_context(qemu.QemuProcess(executable, options.applications))
        version = process.wait_ready()
        say(f"\n{NAME} {__version__} (functional model on QEMU {version}, not Arm's FVP)\n")
        say(f"Info: {MODEL}: Creating Ethos-{options.family} with config H{options.macs}")
        machine = Machine(options, process, sink, _report)
        _load_data(options, machine)
        if options.time_limit_s is not None:
            signal.setitimer(signal.ITIMER_REAL, options.time_limit_s)
        machine.figures.start_s = time.monotonic() - began
        ending = machine.run()
        signal.setitimer(signal.ITIMER_REAL, 0)
        machine.stop()
        _write_dumps(options, machine)
    _say_ending(ending, say)
    if options.stat:
        _say_statistics(machine, time.monotonic() - began)
    return ending.status


def _load_data(options: Options, machine: Machine) -> None:
    for load in options.data:
        try:
            machine.memory.write(load.address, load.path.read_bytes())
        except OSError as error:
            raise BadInputError(f"--data {load.path}: cannot be read: {error.strerror}") from error


def _write_dumps(options: Options, machine: Machine) -> None:
    from deploy.files import write_bytes

    for dump in options.dumps:
        write_bytes(dump.path, machine.memory.read(dump.address, dump.size))


def _say_ending(ending: Ending, say: Callable[[str], None]) -> None:
    if ending.reason in (EndReason.WALL_TIME, EndReason.SIMULATED_TIME, EndReason.CYCLES):
        say(f"\nInfo: Simulation is stopping. Reason: {ending.reason.value}")
    say("\nInfo: /OSCI/SystemC: Simulation stopped by user.")


def _say_statistics(machine: Machine, wall_s: float) -> None:
    ours, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = machine.figures
    rows = [
        ("Simulated time", f"{figures.running_s:f}s"),
        ("User time", f"{ours.ru_utime + theirs.ru_utime:f}s"),
        ("System time", f"{ours.ru_stime + theirs.ru_stime:f}s"),
        ("Wall time", f"{wall_s:f}s"),
        ("Performance index", f"{figures.running_s / max(wall_s, 1e-9):.2f}"),
    ]
    runs = machine.npu.runs if machine.npu is not None else []
    done = [run.statistics for run in runs if run.statistics is not None]
    rows += [
        (f"{MODEL} start", f"{figures.start_s:f}s"),
        (f"{MODEL}.ethosu runs", f"{len(done)} complete, {len(runs) - len(done)} failed"),
        (f"{MODEL}.ethosu operations", f"{sum(item.operations for item in done)}"),
        (f"{MODEL}.ethosu MACs", f"{sum(item.macs for item in done)}"),
        (f"{MODEL}.ethosu cycles (estimate)", f"{sum(item.cycles for item in done)}"),
        (f"{MODEL}.ethosu register accesses", f"{figures.accesses} in {figures.access_s:f}s"),
        (f"{MODEL}.ethosu model time", f"{figures.npu_s:f}s"),
    ]
    head = f"--- {MODEL} statistics: "
    print("\n" + head + "-" * (79 - len(head)))
    for name, value in rows:
        print(f"{name:54}: {value}")
    print("-" * 79, flush=True)


def _say(line: str) -> None:
    print(line, flush=True)


def _silent(line: str) -> None:
    """What -q makes of a line."""


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _report_error(error: DeployError) -> None:
    sys.stdout.flush()
    print(f"Error: {error.message}", file=sys.stderr)
    for line in error.log if isinstance(error, TargetError) else ():
        print(f"  | {line}", file=sys.stderr)
    for hint in error.hints:
        print(f"  {hint}", file=sys.stderr)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn signals that end the program, and the wall-time limit, into a StopRequest."""

    def ended(number: int, _frame: FrameType | None) -> None:
        # A second signal must not interrupt the tidying up.
        signal.signal(number, signal.SIG_IGN)
        if number == signal.SIGALRM:
            raise StopRequest(EndReason.WALL_TIME, 0)
        raise StopRequest(EndReason.SIGNAL, 128 + number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.signal(number, ended) for number in numbers}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
