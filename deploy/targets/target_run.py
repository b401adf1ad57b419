"""Runs a build on a simulated target and judges what it answered: the pipeline behind ``deploy run-fvp``.

build folder -> inputs -> reference outputs -> target's outputs -> comparison -> verdict document
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import deploy
from deploy.build_folder import BuildFolder, sha256_of_file
from deploy.corstone.elf import read_segments
from deploy.errors import BadInputError, DeployError, NotInstalledError, TargetError
from deploy.hardware.boards import firmware_board
from deploy.hardware.fvps import common
from deploy.hardware.npus import Npu, npu_named
from deploy.judging.answer import Answer
from deploy.judging.comparison import compare_outputs
from deploy.judging.float_outputs import float_outputs
from deploy.judging.inputs import InputSet, Sample, load_inputs, named_inputs, random_inputs
from deploy.judging.labels import Labels, load_labels
from deploy.judging.oracles import TflmKernels, tflm_installed
from deploy.judging.predictions import all_predictions
from deploy.judging.reference import ReferenceKernels
from deploy.judging.run_figures import run_figures
from deploy.judging.verdict import FirmwareRecord, Platform, ReferenceOpinion, Verdict, judge, reason_of_second
from deploy.simulators.fvp_locate import Simulator, find
from deploy.targets import runner_firmware
from deploy.targets.simulated_target import RUNNER, Target, simulated_target
from deploy.tflite.model import Model, Tensor

DEFAULT_TOLERANCE_LSB = 1.0
_MAX_PREDICTIONS = 10_000


@dataclass(frozen=True)
class RunOptions:
    """What a user may choose about a run; None stands for the documented default.

    Attributes:
        firmware: what to boot: ``runner`` (Arm's prebuilt TFLM runner), ``npu`` or ``tflm`` (rendered firmware),
            or the path of an ELF that speaks the protocol.
        fvp: ``open``, a path, or None for Arm's FVP where installed.
        inputs: ``.npz`` or ``.npy``; None for made-up inputs.
        labels: ``.json`` with class names and true labels.
        count: how many inputs to feed; None for all of the file, or one made-up input.
        jobs: machines side by side; None for one per processor.
        tolerance: largest difference that passes, in LSB.
        timeout_s: seconds that one boot of the runner, or one input on other firmware, may take; None for a limit
            that follows from Vela's estimate of the cycles.
        timing: whether the simulator has to count the NPU's cycles.
        port: serial port of a board that runs firmware already; no simulator is started then.
        baud: bits per second on that port.
        scheduler: address of a Dask scheduler, whose workers boot the firmware then.
    """

    firmware: str = RUNNER
    fvp: str | None = None
    inputs: Path | None = None
    labels: Path | None = None
    count: int | None = None
    jobs: int | None = None
    tolerance: float = DEFAULT_TOLERANCE_LSB
    timeout_s: float | None = None
    timing: bool = False
    port: str | None = None
    baud: int = 115200
    scheduler: str | None = None


@dataclass(frozen=True)
class Models:
    """The model before and after Vela, with inputs and outputs by name in the compiled model's order."""

    source: Model
    compiled: Model
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    @property
    def npu_operators(self) -> int:
        """How many ``ethos-u`` operators the compiled model has."""
        return sum(operator.on_npu for operator in self.compiled.operators)


class TargetRun:
    """One run of a build. Collects what is known as it goes, so that an error, too, leaves a full document.

    Args:
        build: an open build folder.
        options: what the user chose.
    """

    def __init__(self, build: BuildFolder, options: RunOptions) -> None:
        self._build = build
        self._options = options
        self._simulator: Simulator | None = None
        self._platform: Platform | None = None
        self._firmware: FirmwareRecord | None = None
        self._inputs: InputSet | None = None
        self._reference = ReferenceKernels.name
        self._answers: list[Answer] = []
        self._started = time.monotonic()

    @property
    def outputs(self) -> dict[str, NDArray[Any]]:
        """Output name -> what the target answered so far, ``[inputs, *shape]``."""
        answers = [answer.outputs for answer in self._answers]
        return {name: np.stack([answer[name] for answer in answers]) for name in (answers[0] if answers else {})}

    @property
    def simulator(self) -> Simulator | None:
        """What runs, or ran, the firmware; None before it was chosen, and for a board."""
        return self._simulator

    def run(self, on_answer: Callable[[int, int], None] = lambda _done, _total: None) -> Verdict:
        """Run and judge.

        Args:
            on_answer: called with (answered, total) as answers arrive.

        Raises:
            BadInputError: the build, inputs or options do not fit together.
            NotInstalledError: simulator or firmware are missing.
            TargetError: there was no complete answer.
        """
        options, document = self._options, self._build.document
        npu = npu_named(document.npu)
        with ThreadPoolExecutor(max_workers=1) as background:
            # Asking a simulator for its version is waiting for a process.
            chosen = background.submit(self._choose_simulator, npu)
            models = read_models(self._build)
            simulator = chosen.result()
        firmware = self._choose_firmware(npu, models, simulator)
        self._inputs = _input_set(models.compiled, options)
        labels = load_labels(options.labels, models.source) if options.labels else {}
        target = self._target(npu, models, simulator, firmware)
        samples = self._inputs.samples
        jobs = min(options.jobs or os.cpu_count() or 1, len(samples))
        try:
            answers = target.answers(samples, jobs)
            on_answer(0, len(samples))
            # The machines boot meanwhile.
            kernels = ReferenceKernels(models.source)
            self._reference = kernels.name
            expected = tuple(kernels.run(sample) for sample in samples)
            for answer in answers:
                self._answers.append(answer)
                on_answer(len(self._answers), len(samples))
        finally:
            target.close()
        return self._judged(npu, models, expected, labels)

    def _choose_simulator(self, npu: Npu) -> Simulator | None:
        """What boots the firmware; None for a board."""
        options = self._options
        if options.port is not None:
            self._platform = Platform(kind="board", executable=options.port, version="", npu=npu.name)
            return None
        self._simulator = simulator = find(npu, options.fvp)
        self._platform = Platform(
            kind=simulator.kind,
            executable=simulator.executable,
            version=simulator.version,
            npu=npu.name,
            timing=simulator.accurate(timing=options.timing),
        )
        return simulator

    def _timeout_s(self) -> float:
        """What the user chose, else a limit that grows with Vela's estimate."""
        if self._options.timeout_s is not None:
            return self._options.timeout_s
        figure = self._build.document.figure("total_cycles")
        accurate = self._platform is not None and self._platform.timing
        return common().time_limit.seconds(figure.value if figure else 0, accurate=accurate)

    def _choose_firmware(self, npu: Npu, models: Models, simulator: Simulator | None) -> Path | None:
        """The ELF to boot, rendered and built first where that is asked for; None for a board."""
        options, document = self._options, self._build.document
        if simulator is None:
            return None
        board = simulator.fvp.board
        if options.firmware == RUNNER:
            runner_firmware.check_fits(document, npu, len(models.compiled.content), simulator.fvp)
            return runner_firmware.runner_path(npu, simulator.fvp)
        simulator.check_terminal()
        if options.firmware in ("npu", "tflm"):
            if board.hardware is None:
                raise BadInputError(
                    f"--firmware {options.firmware} is rendered for {firmware_board().name}, "
                    f"{simulator.executable} models {board.name}",
                    hints=["`--firmware runner` runs on every board"],
                )
            from deploy.firmware_project import firmware_build

            choose = firmware_build.npu_firmware if options.firmware == "npu" else firmware_build.tflm_firmware
            return choose(self._build, board)
        path = Path(options.firmware)
        if not path.is_file():
            raise BadInputError(
                f"--firmware {options.firmware}: no such file",
                hints=["known besides files: runner, npu, tflm"],
            )
        if board.open_machine:  # The memories that it is checked against are Corstone-300's.
            read_segments(path)
        return path

    def _target(self, npu: Npu, models: Models, simulator: Simulator | None, firmware: Path | None) -> Target:
        options = self._options
        timeout_s = self._timeout_s()
        if firmware is None or simulator is None:
            from deploy.targets.firmware_target import BoardTarget, Expectations

            expectations = Expectations(
                self._build.document.compiled_sha256, models.inputs, models.outputs, models.npu_operators > 0
            )
            return BoardTarget(options.port or "", expectations, baud=options.baud, timeout_s=timeout_s)
        kind = options.firmware if options.firmware in (RUNNER, "npu", "tflm") else "file"
        self._firmware = FirmwareRecord(kind=kind, path=str(firmware), sha256=sha256_of_file(firmware))
        if options.scheduler is not None:
            from deploy.targets.cluster_target import Boot, ClusterTarget

            boot = Boot(kind, npu.name, options.fvp, options.timing, timeout_s)
            return ClusterTarget(options.scheduler, boot, simulator, firmware, models.compiled.content)
        return simulated_target(
            kind,
            simulator,
            firmware,
            self._build.compiled,
            models.compiled,
            macs=npu.macs,
            timing=options.timing,
            timeout_s=timeout_s,
        )

    def failed(self, error: DeployError) -> Verdict:
        """The document for a run that ended without a complete answer."""
        return self._document(
            verdict="error",
            exit_status=int(error.exit_status),
            reason=error.message,
            log=error.log if isinstance(error, TargetError) else (),
        )

    def _judged(self, npu: Npu, models: Models, expected: tuple[Sample, ...], labels: Labels) -> Verdict:
        if len(self._answers) != len(expected):
            raise TargetError(f"{len(self._answers)} answers for {len(expected)} inputs")
        answers = [answer.outputs for answer in self._answers]
        outputs = compare_outputs(models.source, answers, expected)
        passed, reason = judge(outputs, self._options.tolerance)
        second = None if passed else self._second_opinion(models.source, answers)
        if second is not None and judge(second.outputs, self._options.tolerance)[0]:
            # What the microcontroller's own kernels compute is what the target is meant to compute.
            first = ReferenceOpinion(reference=self._reference, outputs=outputs)
            passed, reason = True, reason_of_second(first, second)
            self._reference, outputs, second = second.reference, second.outputs, first
        samples = self._inputs.samples if self._inputs else ()
        floats = float_outputs(self._build.float_model, models.source, samples)
        predictions = all_predictions(models.source, answers, expected, labels, floats)
        return self._document(
            verdict="pass" if passed else "fail",
            exit_status=0 if passed else 1,
            reason=reason,
            outputs=outputs,
            other_references=(second,) if second else (),
            predictions=predictions[:_MAX_PREDICTIONS],
            figures=run_figures(
                self._build.document,
                self._platform,
                self._firmware,
                self._answers,
                predictions,
                elapsed_s=time.monotonic() - self._started,
                where=f"the workers of {self._options.scheduler}" if self._options.scheduler else "this computer",
            ),
        )

    def _second_opinion(
        self, source: Model, answers: Sequence[dict[str, NDArray[Any]]]
    ) -> ReferenceOpinion | None:
        """The comparison with TFLM's kernels; None where they are not installed or cannot run the model."""
        if not tflm_installed() or self._inputs is None:
            return None
        try:
            kernels = TflmKernels(source)
            expected = tuple(kernels.run(sample) for sample in self._inputs.samples)
        except (BadInputError, NotInstalledError):
            return None
        name = f"{kernels.name} ({kernels.version})"
        return ReferenceOpinion(reference=name, outputs=compare_outputs(source, answers, expected))

    def _document(self, **fields: Any) -> Verdict:
        document, simulator, inputs = self._build.document, self._simulator, self._inputs
        return Verdict(
            inputs=len(self._answers),
            inputs_requested=len(inputs.samples) if inputs else 0,
            input_source=inputs.source if inputs else "",
            input_sha256=inputs.sha256 if inputs else "",
            reference=self._reference,
            tolerance=self._options.tolerance,
            build=str(self._build.path),
            model_sha256=document.compiled_sha256,
            platform=self._platform,
            firmware=self._firmware,
            versions={**document.versions, **tool_versions(), **(simulator.components if simulator else {})},
            **fields,
        )


def read_models(build: BuildFolder) -> Models:
    """Read both models and check that they have the same outputs.

    Raises:
        BadInputError: they do not belong together.
    """
    source, compiled = build.source_model, build.compiled_model
    outputs = {name: compiled.tensors[index] for index, name in compiled.output_names().items()}
    for index, name in source.output_names().items():
        tensor, other = source.tensors[index], outputs.get(name)
        if other is None or (other.shape, other.dtype) != (tensor.shape, tensor.dtype):
            found = f"{other.dtype}{list(other.shape)}" if other else "none of that name"
            raise BadInputError(
                f"{build.compiled}: output {name} is {found}, in {build.source.name} "
                f"it is {tensor.dtype}{list(tensor.shape)}",
                hints=["run `deploy compile` again"],
            )
    return Models(source, compiled, named_inputs(compiled), outputs)


def _input_set(model: Model, options: RunOptions) -> InputSet:
    if options.inputs is not None:
        return load_inputs(options.inputs, model, options.count)
    return random_inputs(model, options.count or 1)


def tool_versions() -> dict[str, str]:
    """Version of everything that a verdict depends on, by package."""
    import importlib.metadata

    versions = {"deploy": deploy.__version__, "python": platform.python_version()}
    for package in ("numpy", "ai-edge-litert", "ethos-u-vela", "mlia-ethos-u"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
