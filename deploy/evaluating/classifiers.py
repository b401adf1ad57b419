"""Who classifies: the float model, the reference kernels, the NPU model on this host, or a whole machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import deploy
from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError, TargetError
from deploy.evaluating.float_source import FloatNetwork
from deploy.evaluating.model_inputs import Batch, real_inputs
from deploy.files import private_folder
from deploy.hardware.npus import npu_named
from deploy.judging.reference import ReferenceKernels
from deploy.judging.verdict import FirmwareRecord, Platform
from deploy.targets.target_run import RunOptions, TargetRun
from deploy.tflite.model import Model
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.verification import batch_size

Values = dict[str, NDArray[Any]]
"""Output name -> ``[n, *shape]``."""

Answered = Callable[[int], None]
"""Called with the number of inputs of a batch that are answered."""

_MACHINE_BATCH = 64


class Target(Protocol):
    """What runs the compiled model.

    Attributes:
        batch: how many inputs it takes at once.
    """

    batch: int

    def run(self, batch: Batch, answered: Answered) -> Values:
        """Raw outputs of the compiled model."""

    @property
    def platform(self) -> Platform:
        """What it is."""

    @property
    def firmware(self) -> FirmwareRecord | None:
        """What was booted."""


class FloatClassifier:
    """The float model that a build was quantized from.

    Args:
        model: to run.
        quantized: the source of the build; inputs and outputs are matched by its names, a single one whatever its
            name.
        heads: names of the outputs that matter.

    Raises:
        BadInputError: the float model has other inputs or outputs.
    """

    def __init__(self, model: FloatNetwork, quantized: Model, heads: Sequence[str]) -> None:
        self._model, self._quantized = model, quantized
        wanted = {name: quantized.tensors[index].shape for index, name in quantized.input_names().items()}
        self._inputs = _paired(model, "input", [spec.name for spec in model.inputs], list(wanted))
        outputs = list(quantized.output_names().values())
        found = _paired(model, "output", list(model.outputs), outputs if len(outputs) == 1 else list(heads))
        self._outputs = {ours: theirs for theirs, ours in found.items() if ours in heads}
        for spec in model.inputs:
            if spec.shape != wanted[self._inputs[spec.name]]:
                raise BadInputError(
                    f"{model.source}: takes {spec}, the build's model {list(wanted[self._inputs[spec.name]])}"
                )

    def run(self, batch: Batch) -> Values:
        """Real outputs of the float model, by the quantized model's names."""
        reals = real_inputs(self._quantized, batch)
        answers = []
        for i in range(len(batch)):
            sample = {
                spec.name: reals[self._inputs[spec.name]][i].astype(spec.dtype) for spec in self._model.inputs
            }
            answers.append(self._model.run(sample))
        return {name: np.stack([answer[theirs] for answer in answers]) for name, theirs in self._outputs.items()}


def _paired(model: FloatNetwork, kind: str, theirs: Sequence[str], ours: Sequence[str]) -> dict[str, str]:
    """Name in the float model -> name in the quantized one."""
    if len(theirs) == len(ours) == 1:
        return {theirs[0]: ours[0]}
    if missing := [name for name in ours if name not in theirs]:
        raise BadInputError(
            f"{model.source}: has no {kind} {', '.join(missing)}, which the build's model has",
            hints=[f"its {kind}s: {', '.join(theirs)}"],
        )
    return {name: name for name in ours}


class ReferenceClassifier:
    """The quantized model on the reference kernels.

    Args:
        model: the source of a build.

    Attributes:
        name: of the kernels.
    """

    def __init__(self, model: Model) -> None:
        self._kernels = ReferenceKernels(model)
        self.name = self._kernels.name

    def run(self, batch: Batch) -> Values:
        """Raw outputs."""
        answers = [
            self._kernels.run({name: array[i] for name, array in batch.stored.items()}) for i in range(len(batch))
        ]
        return {name: np.stack([answer[name] for answer in answers]) for name in answers[0]}


class NpuModelTarget:
    """The compiled model on the NPU model, without a CPU.

    Args:
        build: of the model.
        compiled: its compiled model.
    """

    firmware = None

    def __init__(self, build: BuildFolder, compiled: Model) -> None:
        self._inference = NpuInference(compiled, npu_named(build.document.npu))
        self.batch = batch_size(self._inference.arena_bytes)
        self.platform = Platform(
            kind="host",
            executable="deploy.npu",
            version=f"NPU model of deploy {deploy.__version__}",
            npu=build.document.npu,
        )

    def run(self, batch: Batch, answered: Answered) -> Values:
        """Raw outputs; all inputs side by side."""
        outputs = self._inference.run_batch(batch.stored)
        answered(len(batch))
        return dict(outputs)


class MachineTarget:
    """The compiled model on a whole machine, through the pipeline of ``deploy run-fvp``.

    Args:
        build: of the model.
        fvp: ``open``, the path of Arm's FVP, or ``docker:IMAGE``.
        firmware: what to boot, as ``run-fvp`` takes it.
        jobs: machines side by side; None for one per processor.
        timeout_s: seconds that a boot may take; None for the default.
    """

    batch = _MACHINE_BATCH

    def __init__(
        self, build: BuildFolder, fvp: str, *, firmware: str, jobs: int | None, timeout_s: float | None
    ) -> None:
        self._build = build
        self._options = {"fvp": fvp, "firmware": firmware, "jobs": jobs, "timeout_s": timeout_s}
        self._platform: Platform | None = None
        self.firmware: FirmwareRecord | None = None

    @property
    def platform(self) -> Platform:
        """What it is; known after the first batch."""
        if self._platform is None:
            raise TargetError("the target has not run yet")
        return self._platform

    def run(self, batch: Batch, answered: Answered) -> Values:
        """Raw outputs.

        Raises:
            BadInputError: build and options do not fit together.
            NotInstalledError: simulator or firmware are missing.
            TargetError: an answer did not arrive whole; names the input.
        """
        with private_folder("evaluate") as folder:
            inputs = folder / "inputs.npz"
            arrays: dict[str, Any] = dict(batch.stored)
            np.savez(inputs, **arrays)
            run = self._run(inputs)
            try:
                verdict = run.run(lambda done, _total: answered(done))
            except TargetError as error:
                place = f"of the inputs from {batch.first} on: " if batch.first else ""
                raise TargetError(f"{place}{error.message}", hints=error.hints, log=error.log) from error
        self._platform, self.firmware = verdict.platform, verdict.firmware
        return run.outputs

    def _run(self, inputs: Path) -> TargetRun:
        # Any difference passes: what it means for accuracy is counted here.
        options: dict[str, Any] = self._options
        return TargetRun(self._build, RunOptions(inputs=inputs, tolerance=float("inf"), **options))
