"""Targets that speak the framed protocol: firmware on a simulator (one boot, any number of inputs) or a board."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import TargetError
from deploy.files import private_folder
from deploy.judging.answer import Answer
from deploy.judging.inputs import Sample
from deploy.simulators.fvp_command import FvpRun, command_line
from deploy.simulators.fvp_locate import Simulator, environment
from deploy.targets.firmware_link import DEFAULT_BAUD, HELLO_TIMEOUT_S, FirmwareLink
from deploy.targets.protocol import Hello, Result, TensorEntry, printable
from deploy.targets.runner_firmware import last_lines
from deploy.targets.simulator_process import ProcessEnd, SimulatorProcesses
from deploy.tflite.model import Tensor

_FIRST_PORT = 5000
_START_TIMEOUT_S = 60.0
_DAY_S = 86_400.0
_LISTENING = re.compile(rb"telnetterminal0: Listening for serial connection on port (\d+)\b[^\d]")
_MAX_WAIT_FOR_END_S = 5.0


@dataclass(frozen=True)
class Expectations:
    """What the firmware must say about itself before it is trusted with inputs.

    Attributes:
        model_sha256: of the compiled model, in hex.
        inputs: the compiled model's input tensors by name.
        outputs: the compiled model's output tensors by name.
        npu_expected: whether the model has operators on the NPU.
    """

    model_sha256: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    npu_expected: bool

    def check_hello(self, hello: Hello) -> None:
        """Compare the firmware's tables with the model's.

        Raises:
            TargetError: it holds another model, or describes it differently.
        """
        if hello.model_sha256 != self.model_sha256:
            raise TargetError(
                f"the firmware holds another model: SHA-256 {hello.model_sha256[:16]}..., "
                f"this build is {self.model_sha256[:16]}...",
                hints=["`deploy firmware BUILD --build` renders and builds it for this model"],
            )
        for what, ours, theirs in (
            ("input", self.inputs, hello.inputs),
            ("output", self.outputs, hello.outputs),
        ):
            if sorted(ours) != sorted(tensor.name for tensor in theirs):
                raise TargetError(
                    f"the firmware's {what}s are {_names(theirs)}, the model's {', '.join(ours) or 'none'}"
                )
            for tensor in theirs:
                _check_tensor(what, tensor, ours[tensor.name])

    def check_result(self, result: Result) -> None:
        """Check that the NPU did something.

        Raises:
            TargetError: it did not, although the model has operators for it.
        """
        if self.npu_expected and (result.streams == 0 or not (result.cycles or any(result.counters.values()))):
            raise TargetError("the NPU did nothing: the firmware reports no command stream and no active cycles")


def _names(tensors: tuple[TensorEntry, ...]) -> str:
    return ", ".join(printable(tensor.name, 40) for tensor in tensors[:8]) or "none"


def _check_tensor(what: str, theirs: TensorEntry, ours: Tensor) -> None:
    described = f"{theirs.dtype}{list(theirs.shape)}"
    if (theirs.shape, theirs.dtype) != (ours.shape, ours.dtype):
        raise TargetError(
            f"the firmware's {what} {theirs.name} is {described}, the model's {ours.dtype}{list(ours.shape)}"
        )
    quantization = ours.quantization
    scale = np.float32(quantization.scales[0]) if quantization else np.float32(0)
    zero_point = quantization.zero_points[0] if quantization else 0
    if np.float32(theirs.scale) != scale or theirs.zero_point != zero_point:
        raise TargetError(
            f"the firmware's {what} {theirs.name} has scale {theirs.scale:.9g} and zero point "
            f"{theirs.zero_point}, the model's {scale:.9g} and {zero_point}"
        )


def converse(
    link: FirmwareLink, samples: tuple[Sample, ...], expectations: Expectations, timeout_s: float
) -> Iterator[Answer]:
    """Feed all samples to a target that has been greeted.

    Raises:
        TargetError: an answer did not arrive whole; names the input.
    """
    for index, sample in enumerate(samples):
        started = time.monotonic()
        try:
            result = link.infer(sample, timeout_s)
            expectations.check_result(result)
        except TargetError as error:
            raise TargetError(f"input {index}: {error.message}", hints=error.hints, log=error.log) from error
        outputs: dict[str, NDArray[Any]] = {name: result.outputs[name] for name in expectations.outputs}
        counters = {"NPU TOTAL": result.cycles, **result.counters, "ARENA BYTES": result.arena_used}
        yield Answer(outputs, counters, time.monotonic() - started)


class BoardTarget:
    """Firmware that runs somewhere already, reached through a serial port.

    Args:
        port: ``/dev/ttyUSB0``, ``COM3`` or ``socket://HOST:PORT``.
        expectations: what the firmware must be.
        baud: bits per second.
        timeout_s: seconds that one input may take.
    """

    def __init__(
        self, port: str, expectations: Expectations, *, baud: int = DEFAULT_BAUD, timeout_s: float
    ) -> None:
        self._port = port
        self._baud = baud
        self._expectations = expectations
        self._timeout_s = timeout_s

    def answers(self, samples: tuple[Sample, ...], _jobs: int) -> Iterator[Answer]:
        """Yield the answers in the order of the samples.

        Raises:
            TargetError: an answer did not arrive whole; names the input.
        """
        with FirmwareLink(self._port, self._baud) as link:
            self._expectations.check_hello(link.greet(min(self._timeout_s, HELLO_TIMEOUT_S)))
            yield from converse(link, samples, self._expectations, self._timeout_s)

    def close(self) -> None:
        """Nothing outlives the conversation."""


class FirmwareTarget:
    """Firmware on one simulator, reached through UART0's terminal port.

    Args:
        simulator: what boots the firmware.
        firmware: its ELF.
        expectations: what the firmware must be.
        macs: of the NPU to simulate.
        timeout_s: seconds that one input may take.
        timing: whether the NPU's cycles matter.
    """

    def __init__(
        self,
        simulator: Simulator,
        firmware: Path,
        expectations: Expectations,
        *,
        macs: int,
        timeout_s: float,
        timing: bool = False,
    ) -> None:
        self._simulator = simulator
        self._firmware = firmware
        self._expectations = expectations
        self._macs = macs
        self._timing = timing
        self._timeout_s = timeout_s

    def answers(self, samples: tuple[Sample, ...], _jobs: int) -> Iterator[Answer]:
        """Boot once and yield the answers in the order of the samples.

        Raises:
            TargetError: an answer did not arrive whole; names the input.
        """
        limit_s = min(_START_TIMEOUT_S + self._timeout_s * (len(samples) + 1), _DAY_S)
        with _Machine(self._simulator, self._firmware, self._macs, self._timing, limit_s) as machine:
            try:
                port = f"socket://127.0.0.1:{machine.terminal_port()}"
                with FirmwareLink(port, waiting=machine.check_alive, broken=machine.explain_end) as link:
                    self._expectations.check_hello(link.greet(min(self._timeout_s, HELLO_TIMEOUT_S)))
                    yield from converse(link, samples, self._expectations, self._timeout_s)
            except TargetError as error:
                raise TargetError(
                    error.message, hints=error.hints, log=(*error.log, *machine.last_lines())
                ) from error

    def close(self) -> None:
        """Nothing outlives the conversation."""


class _Machine:
    """A simulator that runs in the background; its end is noticed, and leaving the context ends it."""

    def __init__(self, simulator: Simulator, firmware: Path, macs: int, timing: bool, limit_s: float) -> None:
        self._simulator = simulator
        self._firmware = firmware
        self._macs = macs
        self._timing = timing
        self._limit_s = limit_s
        self._processes = SimulatorProcesses()
        self._output = bytearray()
        self._news = threading.Condition()
        self._end: ProcessEnd | None = None
        self._failure: BaseException | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> _Machine:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(private_folder("run"))
            # A short plain name: the FVP splits what users may call their files.
            firmware = folder / "firmware.elf"
            firmware.symlink_to(self._firmware.resolve())
            run = FvpRun(
                firmware=firmware,
                macs=self._macs,
                timing=self._timing,
                terminal_port=_FIRST_PORT,
                time_limit_s=max(1, round(self._limit_s)),
                # Frames are binary: a byte 0x04 in them means nothing.
                shutdown_on_eot=False,
            )
            pool = stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="machine"))
            stack.callback(self._processes.cancel)
            simulator = self._simulator
            words = command_line(simulator.command, run, simulator.fvp, simulator.release)
            pool.submit(self._run, words)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def terminal_port(self) -> int:
        """Wait until the simulator says on which port UART0 listens.

        Raises:
            TargetError: it ended, or never said so.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        with self._news:
            while (found := _LISTENING.search(self._output)) is None:
                self._raise_if_ended()
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TargetError(
                        f"the simulator opened no terminal port for UART0 within {_START_TIMEOUT_S:g} s"
                    )
                self._news.wait(remaining)
        return int(found[1])

    def check_alive(self) -> None:
        """Notice the end of the simulator.

        Raises:
            TargetError: it has ended.
        """
        with self._news:
            self._raise_if_ended()

    def explain_end(self) -> None:
        """The terminal has closed: wait a moment for the end that explains it.

        Raises:
            TargetError: the simulator has ended.
        """
        with self._news:
            self._news.wait_for(lambda: self._end is not None or self._failure is not None, _MAX_WAIT_FOR_END_S)
            self._raise_if_ended()

    def last_lines(self) -> tuple[str, ...]:
        """The last lines that the simulator wrote."""
        with self._news:
            text = bytes(self._output[-65536:]).decode("utf-8", "replace")
        return tuple(f"[simulator] {line}" for line in last_lines(text, 4))

    def _raise_if_ended(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._end is not None:
            how = f"exit status {self._end.status}" if self._end.status >= 0 else f"signal {-self._end.status}"
            raise TargetError(f"the simulator ended in the middle of the work ({how})")

    def _run(self, words: list[str]) -> None:
        try:
            end = self._processes.run(
                words,
                timeout_s=self._limit_s + _MAX_WAIT_FOR_END_S,
                environment=environment(self._simulator.command[0]),
                on_output=self._collect,
            )
        except BaseException as error:
            with self._news:
                self._failure = error
                self._news.notify_all()
        else:
            with self._news:
                self._end = end
                self._news.notify_all()

    def _collect(self, chunk: bytes) -> None:
        with self._news:
            self._output += chunk
            del self._output[: -256 * 1024]
            self._news.notify_all()
