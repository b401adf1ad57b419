"""A session with a target: chooses simulator, board or cluster, and firmware; boots, feeds inputs, yields answers.

It knows nothing of references, labels or verdicts: what the answers are worth is judged elsewhere.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.build_folder import BuildFolder, sha256_of_file
from deploy.errors import BadInputError
from deploy.hardware.fvps import common
from deploy.hardware.npus import Npu, npu_named
from deploy.judging.answer import WHOLE_SEQUENCE, Answer
from deploy.judging.build_models import Models, read_models
from deploy.judging.origin import FirmwareRecord, Origin, Platform
from deploy.judging.samples import Sample
from deploy.simulators.fvp_locate import Simulator, find
from deploy.targets.firmware_choice import Firmware, choose_firmware
from deploy.targets.simulated_target import RUNNER, Target, simulated_target
from deploy.targets.stoppable import Stoppable
from deploy.tflite.state import is_stateful

if TYPE_CHECKING:
    from deploy.targets.firmware_target import BoardTarget

_BATCH = 64
CLUSTER_BATCH = 2048
"""Inputs that a cluster's workers share out among them."""


@dataclass(frozen=True)
class TargetOptions:
    """What a user may choose about a target; None stands for the documented default.

    Attributes:
        firmware: what to boot: ``runner`` (Arm's prebuilt TFLM runner), ``npu`` or ``tflm`` (rendered firmware),
            or the path of an ELF that speaks the protocol.
        fvp: ``open``, a path, or None for Arm's FVP where installed.
        jobs: machines side by side; None for one per processor.
        timeout_s: seconds that one boot of the runner, or one input on other firmware, may take; None for a limit
            that follows from Vela's estimate of the cycles.
        timing: whether the simulator has to count the NPU's cycles.
        port: serial port of a board that runs firmware already; no simulator is started then.
        baud: bits per second on that port.
        scheduler: address of a Dask scheduler, whose workers boot the firmware then.
        sequence: whether the samples of one call are one sequence, in which the model keeps its state.
    """

    firmware: str = RUNNER
    fvp: str | None = None
    jobs: int | None = None
    timeout_s: float | None = None
    timing: bool = False
    port: str | None = None
    baud: int = 115200
    scheduler: str | None = None
    sequence: bool = False


@dataclass(frozen=True)
class _Ready:
    """What a session has chosen: a simulator and its firmware; neither for a board."""

    npu: Npu
    models: Models
    simulator: Simulator | None
    firmware: Firmware | None


class Session:
    """A build on a target: an :class:`deploy.judging.answer.Answerer`. Use as a context manager.

    Entering the context chooses and checks everything, so that what is missing is known before any work; nothing
    boots before it is asked for answers, or to get ready. Leaving it ends whatever still runs.

    Args:
        build: an open build folder.
        options: what the user chose.

    Attributes:
        batch: how many inputs to hand over at once, where there are many.
        origin: where the answers come from, as far as it is known; complete once the context is entered.
        simulator: what boots the firmware; None before it was chosen, and for a board.
    """

    def __init__(self, build: BuildFolder, options: TargetOptions) -> None:
        self._build, self._options = build, options
        self.batch = WHOLE_SEQUENCE if options.sequence else _BATCH if options.scheduler is None else CLUSTER_BATCH
        self._ready: _Ready | None = None
        self._target: Target | None = None
        self._unused = False
        self.origin = Origin()
        self.simulator: Simulator | None = None

    def __enter__(self) -> Session:
        """Choose and check.

        Raises:
            BadInputError: the build and the options do not fit together.
            NotInstalledError: simulator or firmware are missing.
        """
        npu = npu_named(self._build.document.npu)
        with ThreadPoolExecutor(max_workers=1) as background:
            # Asking a simulator for its version is waiting for a process.
            chosen = background.submit(self._choose_platform, npu)
            models = read_models(self._build)
            simulator = chosen.result()
        if self._options.sequence and is_stateful(models.compiled):
            self._check_sequence()
        firmware = None
        if simulator is not None:
            firmware = choose_firmware(self._options.firmware, self._build, npu, models.compiled, simulator)
            record = FirmwareRecord(
                kind=firmware.kind, path=str(firmware.path), sha256=sha256_of_file(firmware.path)
            )
            self.origin = dataclasses.replace(self.origin, firmware=record)
        self._ready = _Ready(npu, models, simulator, firmware)
        return self

    def _check_sequence(self) -> None:
        if self._options.scheduler is not None:
            raise BadInputError("--sequence is for one machine: workers of --scheduler share the inputs out")
        if self._options.port is None and self._options.firmware == RUNNER:
            raise BadInputError(
                "--sequence: Arm's prebuilt runner boots anew for every input, and keeps no state in between",
                hints=["--firmware npu (or tflm) keeps the model's state", "`deploy verify --sequence`"],
            )

    def __exit__(self, *exception: object) -> None:
        self._end_target()
        self._ready = None

    def get_ready(self) -> None:
        """Have a machine that runs within this process start, beside what the caller does to have samples."""
        ready = self._ready
        if ready is None or ready.firmware is None or ready.firmware.kind != RUNNER or self._options.scheduler:
            return
        from deploy.targets.runner_target import RunnerTarget

        self._end_target()
        self._target = target = self._new_target(ready)
        if isinstance(target, RunnerTarget):
            target.get_ready()
            self._unused = True

    def answers(self, samples: Sequence[Sample]) -> Iterator[Answer]:
        """Start on the samples, and yield the answers in their order.

        What an earlier call started is ended, but for a cluster's workers, who go on.
        Where every input has a boot of its own, the machines start at once, before the first answer is asked for.

        Raises:
            TargetError: an answer did not arrive whole; names the input.
        """
        if self._ready is None:
            raise RuntimeError("answers come within the session's context")
        target = self._target if self._unused or self._options.scheduler is not None else None
        if target is None:
            self._end_target()
            self._target = target = self._new_target(self._ready)
        self._unused = False
        jobs = min(self._options.jobs or os.cpu_count() or 1, len(samples))
        return target.answers(tuple(samples), jobs)

    def stoppable(self, sample: Sample) -> Stoppable:
        """The target with one input, to be stopped early. What :meth:`answers` started is ended.

        Simulators run on this computer, those of a cluster as well.
        """
        if self._ready is None:
            raise RuntimeError("a target is stopped within the session's context")
        self._end_target()
        ready, timing, timeout_s = self._ready, self._options.timing, self._timeout_s()
        if ready.firmware is None or ready.simulator is None:
            from deploy.targets.stoppable_firmware import StoppableFirmware

            stateful = is_stateful(ready.models.compiled)
            return StoppableFirmware(self._board(ready).connected, sample, timeout_s, stateful=stateful)
        simulator, path, macs = ready.simulator, ready.firmware.path, ready.npu.macs
        if ready.firmware.kind == RUNNER:
            from deploy.targets.runner_boot import runner_boots
            from deploy.targets.runner_run import RunnerSettings
            from deploy.targets.stoppable_runner import StoppableRunner

            boots = runner_boots(RunnerSettings(simulator, path, macs, timing, timeout_s))
            return StoppableRunner(boots, path, ready.models.compiled, sample)
        from deploy.targets.expectations import Expectations
        from deploy.targets.firmware_target import FirmwareTarget
        from deploy.targets.stoppable_firmware import MOST_RUNS, StoppableFirmware

        expected = Expectations.of(ready.models.compiled)
        target = FirmwareTarget(simulator, path, expected, macs=macs, timing=timing, timeout_s=timeout_s)
        connect = functools.partial(target.connected, MOST_RUNS)
        return StoppableFirmware(connect, sample, timeout_s, stateful=expected.stateful)

    def _end_target(self) -> None:
        if self._target is not None:
            self._target.close()
            self._target = None

    def _choose_platform(self, npu: Npu) -> Simulator | None:
        """What boots the firmware; None for a board."""
        options = self._options
        if options.port is not None:
            self.origin = Origin(Platform(kind="board", executable=options.port, version="", npu=npu.name))
            return None
        self.simulator = simulator = find(npu, options.fvp)
        platform = Platform(
            kind=simulator.kind,
            executable=simulator.executable,
            version=simulator.version,
            npu=npu.name,
            timing=simulator.accurate(timing=options.timing),
        )
        self.origin = Origin(platform, versions=simulator.components)
        return simulator

    def _new_target(self, ready: _Ready) -> Target:
        options, timeout_s = self._options, self._timeout_s()
        if ready.firmware is None or ready.simulator is None:
            return self._board(ready)
        kind, path = ready.firmware.kind, ready.firmware.path
        if options.scheduler is not None:
            from deploy.targets.cluster_target import BootOrder, ClusterTarget

            boot = BootOrder(kind, ready.npu.name, options.fvp, options.timing, timeout_s)
            return ClusterTarget(options.scheduler, boot, ready.simulator, path, ready.models.compiled.content)
        return simulated_target(
            kind,
            ready.simulator,
            path,
            self._build.compiled,
            ready.models.compiled,
            macs=ready.npu.macs,
            timing=options.timing,
            timeout_s=timeout_s,
            sequence=options.sequence,
        )

    def _board(self, ready: _Ready) -> BoardTarget:
        from deploy.targets.expectations import Expectations
        from deploy.targets.firmware_target import BoardTarget

        expectations, port = Expectations.of(ready.models.compiled), self._options.port or ""
        options = self._options
        return BoardTarget(
            port, expectations, baud=options.baud, timeout_s=self._timeout_s(), sequence=options.sequence
        )

    def _timeout_s(self) -> float:
        """What the user chose, else a limit that grows with Vela's estimate."""
        if self._options.timeout_s is not None:
            return self._options.timeout_s
        figure = self._build.document.figure("total_cycles")
        platform = self.origin.platform
        accurate = platform is not None and platform.timing
        return common().time_limit.seconds(figure.value if figure else 0, accurate=accurate)
