"""One simulation from the options to its end: opens what is needed, runs, dumps, closes everything."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from deploy import __version__
from deploy.corstone import qemu
from deploy.corstone.command_line import MachineOptions
from deploy.corstone.file_arguments import DataLoad
from deploy.corstone.images import Images, load_images
from deploy.corstone.input_file import InputFile
from deploy.corstone.machine import Machine, machine_imports
from deploy.corstone.messages import Console, EndReason, StopRequest
from deploy.corstone.program import program
from deploy.corstone.qemu_process import QemuProcess
from deploy.corstone.terminal import Terminal
from deploy.corstone.uart import Peer, Uart, UartSink
from deploy.errors import BadInputError

if TYPE_CHECKING:
    from deploy.corstone.debugger import Debugger
    from deploy.corstone.npu_trace import NpuTrace

_AGAIN_S = 0.3


def simulate(options: MachineOptions, console: Console) -> int:
    """Boot the application and run it to its end; returns the exit status.

    Raises:
        BadInputError: an option or file cannot be used.
        NotInstalledError: QEMU is missing or too old.
        TargetError: QEMU died, or the CPU cannot go on.
    """
    if not options.applications:
        raise BadInputError("no application given", hints=["-a FILE.axf names the program to boot"])
    began = time.monotonic()
    images = load_images(options.applications, options.model, begin=options.begin, data=options.data)
    if options.verbose:
        for line in images.report:
            console.report(f"Info: {line}")
    for warning in options.warnings:
        console.say(f"Warning: {warning}")
    model = options.model
    executable = qemu.locate_qemu()
    with _signals(), contextlib.ExitStack() as stack:
        terminals = _open_terminals(options, stack)
        debugger = _open_debugger(options, stack)
        trace = _open_trace(options, stack)
        process = stack.enter_context(start_qemu(executable, options, images))
        # NumPy and the NPU model take longer to import than QEMU to start: meanwhile.
        threading.Thread(target=_imports, args=(options,), daemon=True).start()
        version = process.wait_ready()
        console.say(f"\n{model.name} {__version__} (functional model on QEMU {version}, not Arm's FVP)\n")
        for number, terminal in terminals.items():
            if options.uart(number).announce:
                console.say(f"telnetterminal{number}: Listening for serial connection on port {terminal.port}")
        console.say(f"Info: {model.fvp}: Creating Ethos-{model.family} with config H{options.macs}")
        uarts = _connect_uarts(options, process, terminals, stack)
        machine = Machine(
            options, process, uarts, console.report, program(options, images), debugger=debugger, trace=trace
        )
        stack.callback(machine.close)
        _load_data([each for each in options.data if each not in images.data], machine)
        machine.figures.start_s = time.monotonic() - began
        if options.time_limit_s is not None:
            signal.setitimer(signal.ITIMER_REAL, options.time_limit_s)
        ending = machine.run()
        signal.setitimer(signal.ITIMER_REAL, 0)
        machine.stop()
        dumped = [(dump.path, machine.memory.read(dump.address, dump.size)) for dump in options.dumps]
        process.kill()  # it takes some time to end: meanwhile
        _write_dumps(dumped)
    if machine.answered is not None:
        _say_if_slow(console)
    console.say_ending(ending)
    if options.stat:
        console.say_statistics(machine, model, time.monotonic() - began, options.clock_hz)
    return ending.status


def _imports(options: MachineOptions) -> None:
    """Import what is needed later, the first access to the NPU first."""
    machine_imports(options)
    if options.dumps:
        import deploy.files  # noqa: F401


def _say_if_slow(console: Console) -> None:
    from deploy.npu.core.library import slowness  # loaded with the machine

    if (said := slowness()) is not None:
        console.say(f"Info: {said}")


def _open_terminals(options: MachineOptions, stack: contextlib.ExitStack) -> dict[int, Terminal]:
    terminals = {}
    for number, uart in options.uarts.items():
        if uart.port is not None:
            terminals[number] = Terminal(uart.port, telnet=uart.telnet)
            stack.callback(terminals[number].close)
    return terminals


def _open_debugger(options: MachineOptions, stack: contextlib.ExitStack) -> Debugger | None:
    if options.gdb_port is None:
        return None
    from deploy.corstone.debugger import Debugger

    debugger = Debugger(options.gdb_port)
    stack.callback(debugger.close)
    return debugger


def _connected_uarts(options: MachineOptions) -> list[int]:
    """The UARTs besides UART0 whose output matters to somebody."""
    uarts = options.uarts.items()
    return [
        number for number, uart in uarts if number and (uart.out_file or uart.port or uart.ends or uart.in_file)
    ]


def start_qemu(executable: Path, options: MachineOptions, images: Images) -> QemuProcess:
    """Start QEMU as the machine that the options ask for; it is not ready yet.

    Raises:
        NotInstalledError: QEMU does not start.
    """
    return QemuProcess(
        executable,
        options.model,
        images.applications,
        start=images.start,
        data=images.data,
        uarts=_connected_uarts(options),
        semihosting=bool(options.cpu_value("semihosting-enable")),
        counting=options.counts_instructions,
        nonsecure_vectors=options.nonsecure_vectors,
    )


def _open_trace(options: MachineOptions, stack: contextlib.ExitStack) -> NpuTrace | None:
    if options.trace is None:
        return None
    from deploy.corstone.npu_trace import NpuTrace

    frequency_hz = max(round(options.clock_hz), 1)
    trace = NpuTrace(options.trace, f"{options.model.family}-{options.macs}", frequency_hz)
    stack.callback(trace.close)
    return trace


def _connect_uarts(
    options: MachineOptions, process: QemuProcess, terminals: dict[int, Terminal], stack: contextlib.ExitStack
) -> list[Uart]:
    uarts = []
    for number in (0, *_connected_uarts(options)):
        wanted = options.uart(number)
        sink = UartSink(wanted.out_file, shutdown_on_eot=wanted.shutdown_on_eot, shutdown_tag=wanted.shutdown_tag)
        stack.callback(sink.close)
        peer: Peer | None = terminals.get(number)
        if wanted.in_file:
            peer = InputFile(wanted.in_file, peer)
            stack.callback(peer.close)
        uarts.append(Uart(*process.uart(number), sink, peer))
    return uarts


def _load_data(data: Sequence[DataLoad], machine: Machine) -> None:
    for load in data:
        try:
            machine.memory.write(load.address, load.path.read_bytes())
        except OSError as error:
            raise BadInputError(f"--data {load.path}: cannot be read: {error.strerror}") from error


def _write_dumps(dumped: Sequence[tuple[Path, bytes]]) -> None:
    if dumped:
        from deploy.files import write_bytes

        for path, content in dumped:
            write_bytes(path, content)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn signals that end the program, and the wall-time limit, into a StopRequest.

    It comes again where something drops it, such as an import or a destructor, until the time limit is taken back.
    """

    def ended(number: int, _frame: FrameType | None) -> None:
        # A second signal must not interrupt the tidying up.
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        late = number == signal.SIGALRM
        request = StopRequest(EndReason.WALL_TIME, 0) if late else StopRequest(EndReason.SIGNAL, 128 + number)

        def again(_number: int, _frame: FrameType | None) -> None:
            if sys.exc_info()[1] is None:  # no exception is on its way
                raise request

        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S, _AGAIN_S)
        raise request

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.signal(number, ended) for number in numbers}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
