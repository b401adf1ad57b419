"""Targets that speak the framed protocol: firmware on a simulator (one boot, any number of inputs) or a board."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from deploy.errors import TargetError
from deploy.judging.answer import Answer
from deploy.judging.samples import Sample
from deploy.simulators.fvp_locate import Simulator
from deploy.targets.expectations import Expectations
from deploy.targets.firmware_link import FirmwareLink
from deploy.targets.lines import DEFAULT_BAUD
from deploy.targets.running_simulator import START_TIMEOUT_S, RunningSimulator

if TYPE_CHECKING:
    from deploy.targets.resident_simulator import ResidentSimulator

_DAY_S = 86_400.0


def converse(
    link: FirmwareLink,
    samples: tuple[Sample, ...],
    expectations: Expectations,
    timeout_s: float,
    *,
    sequence: bool = False,
) -> Iterator[Answer]:
    """Feed all samples to a target that has been greeted.

    A model with a state is put into its initial one before every sample; of a sequence, before the first.

    Raises:
        TargetError: an answer did not arrive whole; names the input.
    """
    for index, sample in enumerate(samples):
        started = time.monotonic()
        try:
            if expectations.stateful and not (sequence and index):
                link.reset()
            result = link.infer(sample, timeout_s)
            expectations.check_result(result)
        except TargetError as error:
            raise TargetError(f"input {index}: {error.message}", hints=error.hints, log=error.log) from error
        outputs: dict[str, NDArray[Any]] = {name: result.outputs[name] for name in expectations.outputs}
        counters = {"NPU TOTAL": result.cycles, **result.counters, "ARENA BYTES": result.arena_used}
        yield Answer(outputs, counters, time.monotonic() - started)


def _resident() -> type[ResidentSimulator]:
    from deploy.targets.resident_simulator import ResidentSimulator

    return ResidentSimulator


class BoardTarget:
    """Firmware that runs somewhere already, reached through a serial port.

    Args:
        port: ``/dev/ttyUSB0``, ``COM3`` or ``socket://HOST:PORT``.
        expectations: what the firmware must be.
        baud: bits per second.
        timeout_s: seconds that one input, or the first answer, may take.
        sequence: whether the samples are one sequence, in which the model keeps its state.
    """

    def __init__(
        self,
        port: str,
        expectations: Expectations,
        *,
        baud: int = DEFAULT_BAUD,
        timeout_s: float,
        sequence: bool = False,
    ) -> None:
        self._sequence = sequence
        self._port = port
        self._baud = baud
        self._expectations = expectations
        self._timeout_s = timeout_s

    def answers(self, samples: tuple[Sample, ...], _jobs: int) -> Iterator[Answer]:
        """Yield the answers in the order of the samples.

        Raises:
            TargetError: an answer did not arrive whole; names the input.
        """
        with self.connected() as link:
            yield from converse(link, samples, self._expectations, self._timeout_s, sequence=self._sequence)

    @contextlib.contextmanager
    def connected(self) -> Iterator[FirmwareLink]:
        """Reach the firmware, and check that it is the right one.

        Raises:
            TargetError: it does not answer, or is another one.
        """
        with FirmwareLink(self._port, self._baud) as link:
            self._expectations.check_hello(link.greet(self._timeout_s))
            yield link

    def close(self) -> None:
        """Nothing outlives the conversation."""


class FirmwareTarget:
    """Firmware on one simulator, reached through UART0's terminal port.

    Args:
        simulator: what boots the firmware.
        firmware: its ELF.
        expectations: what the firmware must be.
        macs: of the NPU to simulate.
        timeout_s: seconds that one input, or the first answer, may take.
        timing: whether the NPU's cycles matter.
        sequence: whether the samples are one sequence, in which the model keeps its state.
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
        sequence: bool = False,
    ) -> None:
        self._sequence = sequence
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
        with self.connected(len(samples)) as link:
            yield from converse(link, samples, self._expectations, self._timeout_s, sequence=self._sequence)

    @contextlib.contextmanager
    def connected(self, inferences: int) -> Iterator[FirmwareLink]:
        """Boot, reach the firmware, and check that it is the right one; the machine ends with the context.

        Args:
            inferences: how many have to fit into its time.

        Raises:
            TargetError: it does not answer, or is another one.
        """
        limit_s = min(START_TIMEOUT_S + self._timeout_s * (inferences + 1), _DAY_S)
        kind = _resident() if self._simulator.own else RunningSimulator
        with kind(self._simulator, self._firmware, self._macs, self._timing, limit_s) as machine:
            try:
                with FirmwareLink(machine.line(), waiting=machine.check_alive, broken=machine.explain_end) as link:
                    self._expectations.check_hello(link.greet(self._timeout_s))
                    if machine.memory is not None:
                        link.use_mailbox(machine.memory)
                    elif machine.files is not None:
                        link.use_files(machine.files)
                    yield link
            except TargetError as error:
                raise TargetError(
                    error.message, hints=error.hints, log=(*error.log, *machine.last_lines())
                ) from error

    def close(self) -> None:
        """Nothing outlives the conversation."""
