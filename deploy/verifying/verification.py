"""Runs a build on the NPU model alone, without a CPU, and judges it: the pipeline behind ``deploy verify``.

build folder -> inputs -> NPU model in batches -> oracles -> comparison -> operator by operator -> verdict document
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import deploy
from deploy.build_folder import VELA_FOLDER, BuildFolder, Figure
from deploy.compiling.debug_database import DebugDatabase
from deploy.compiling.memory_system import memory_system
from deploy.errors import BadInputError, DeployError, NotInstalledError, TargetError
from deploy.files import write_text
from deploy.hardware.npus import npu_named
from deploy.judging.comparison import compare_outputs
from deploy.judging.float_outputs import float_outputs
from deploy.judging.inputs import InputSet, Sample, load_inputs, random_inputs
from deploy.judging.known_differences import summarise
from deploy.judging.labels import load_labels
from deploy.judging.operator_result import OperatorResult
from deploy.judging.oracles import Oracle, TflmKernels, tflm_installed
from deploy.judging.predictions import all_predictions
from deploy.judging.reference import ReferenceKernels
from deploy.judging.verdict import Platform, ReferenceOpinion, Verdict, judge, reason_of_second
from deploy.targets.target_run import DEFAULT_TOLERANCE_LSB, Models, read_models, tool_versions
from deploy.tflite.model import Model
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.layer_walk import walk
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.operation_counters import counters_csv

OracleChoice = Literal["auto", "litert", "tflm", "both"]
_MAX_PREDICTIONS = 10_000
_MAX_WALKED_INPUTS = 4
_MAX_BATCH = 64
_BATCH_BYTES = 16 * 1024 * 1024
"""Arenas of one batch together: enough to hide the cost per call, small beside the weights of a large model."""


@dataclass(frozen=True)
class VerifyOptions:
    """What a user may choose about a verification; None stands for the documented default.

    Attributes:
        inputs: ``.npz`` or ``.npy``; None for made-up inputs.
        labels: ``.json`` with class names and true labels.
        count: how many inputs to run; None for all of the file, or four made-up inputs.
        oracle: which kernels to compare with. With ``both``, agreement with one of them passes; with ``auto``,
            TFLM is asked, where it is installed, only when LiteRT differs beyond the tolerance.
        tolerance: largest difference that passes, in LSB.
        layers: compare every operator, even where all outputs agree.
        counters: ``.csv`` to write the counters of every NPU operation to.
    """

    inputs: Path | None = None
    labels: Path | None = None
    count: int | None = None
    oracle: OracleChoice = "auto"
    tolerance: float = DEFAULT_TOLERANCE_LSB
    layers: bool = False
    counters: Path | None = None


class Verification:
    """One verification of a build. Collects what is known, so that an error, too, leaves a full document.

    Args:
        build: an open build folder.
        options: what the user chose.
    """

    def __init__(self, build: BuildFolder, options: VerifyOptions) -> None:
        self._build = build
        self._options = options
        self._inputs: InputSet | None = None
        self._answered = 0
        self._reference = ReferenceKernels.name if options.oracle != "tflm" else TflmKernels.name

    def run(self, on_progress: Callable[[int, int], None] = lambda _done, _total: None) -> Verdict:
        """Run and judge.

        Args:
            on_progress: called with (inputs done, total).

        Raises:
            BadInputError: build, inputs or options do not fit together, or an oracle cannot run the model.
            NotInstalledError: an oracle is missing.
            TargetError: the NPU model refused the command stream.
        """
        options = self._options
        models = read_models(self._build)
        self._inputs = _input_set(models.compiled, options)
        labels = load_labels(options.labels, models.source) if options.labels else {}
        oracles = _oracles(models.source, options.oracle)
        inference = self._inference(models.compiled)
        samples = self._inputs.samples
        answers: list[Sample] = []
        expected: list[list[Sample]] = [[] for _ in oracles]
        on_progress(0, len(samples))
        start = time.monotonic()
        size = batch_size(inference.arena_bytes)
        for first in range(0, len(samples), size):
            part = samples[first : first + size]
            answers += unstacked(inference.run_batch(stacked(part)), len(part))
            for oracle, outputs in zip(oracles, expected, strict=True):
                outputs += [oracle.run(sample) for sample in part]
            self._answered = len(answers)
            on_progress(len(answers), len(samples))
        elapsed = time.monotonic() - start
        if options.counters is not None:
            database = _debug_database(self._build)
            write_text(options.counters, counters_csv(inference.counters, database, models.source))
        opinions = [
            ReferenceOpinion(reference=_title(oracle), outputs=compare_outputs(models.source, answers, outputs))
            for oracle, outputs in zip(oracles, expected, strict=True)
        ]
        if options.oracle == "auto" and not judge(opinions[0].outputs, options.tolerance)[0]:
            opinions += _second_opinion(models.source, samples, answers)
        passed, reason, opinions = _weigh(opinions, options.tolerance)
        self._reference = opinions[0].reference
        operators, explanations = self._explained(models, inference, opinions)
        floats = float_outputs(self._build.float_model, models.source, samples)
        predictions = all_predictions(models.source, answers, expected[0], labels, floats)
        return self._document(
            verdict="pass" if passed else "fail",
            exit_status=0 if passed else 1,
            reason=reason,
            outputs=opinions[0].outputs,
            other_references=tuple(opinions[1:]),
            operators=operators,
            explanations=explanations,
            predictions=predictions[:_MAX_PREDICTIONS],
            figures=(
                Figure(
                    name="verification_rate",
                    value=round(len(samples) / max(elapsed, 1e-9), 2),
                    unit="inputs/s",
                    label="measured",
                    source=f"NPU model and {' and '.join(oracle.name for oracle in oracles)} on this computer",
                ),
            ),
        )

    def _inference(self, compiled: Model) -> NpuInference:
        document = self._build.document
        npu = npu_named(document.npu)
        if self._options.counters is None:
            return NpuInference(compiled, npu)
        # Only the counters depend on the memories, and only what describes them has to be installed for it.
        return NpuInference(compiled, npu, memory_system(npu, document.system_config, document.memory_mode))

    def failed(self, error: DeployError) -> Verdict:
        """The document for a verification that ended without a complete answer."""
        return self._document(
            verdict="error",
            exit_status=int(error.exit_status),
            reason=error.message,
            log=error.log if isinstance(error, TargetError) else (),
        )

    def _explained(
        self, models: Models, inference: NpuInference, opinions: Sequence[ReferenceOpinion]
    ) -> tuple[tuple[OperatorResult, ...], tuple[str, ...]]:
        """Walk through the operators where it was asked for, or where an output differs."""
        differing = sorted(
            {i for opinion in opinions for output in opinion.outputs for i in output.mismatched_inputs}
        )
        if not differing and not self._options.layers:
            return (), ()
        samples = self._inputs.samples if self._inputs else ()
        part = [samples[i] for i in (differing or range(len(samples)))[:_MAX_WALKED_INPUTS]]
        try:
            results = walk_layers(self._build, models.source, inference, part)
        except (BadInputError, NotInstalledError) as error:
            if self._options.layers:
                raise
            return (), (f"not walked operator by operator: {error.message}",)
        explanations = summarise(results) if differing else ()
        if not self._options.layers:
            results = tuple(result for result in results if result.mismatches)
        return results, explanations

    def _document(self, **fields: Any) -> Verdict:
        document, inputs = self._build.document, self._inputs
        return Verdict(
            inputs=self._answered,
            inputs_requested=len(inputs.samples) if inputs else 0,
            input_source=inputs.source if inputs else "",
            input_sha256=inputs.sha256 if inputs else "",
            tolerance=self._options.tolerance,
            build=str(self._build.path),
            model_sha256=document.compiled_sha256,
            platform=Platform(
                kind="host",
                executable="deploy.npu",
                version=f"NPU model of deploy {deploy.__version__}",
                npu=document.npu,
            ),
            firmware=None,
            versions={**document.versions, **tool_versions()},
            reference=self._reference,
            **fields,
        )


def walk_layers(
    build: BuildFolder, source: Model, inference: NpuInference, samples: Sequence[Sample]
) -> tuple[OperatorResult, ...]:
    """Compare operator by operator on some inputs; see :func:`deploy.verifying.layer_walk.walk`.

    Raises:
        BadInputError: the build has no debug database, or the reference kernels lack an operator.
        NotInstalledError: LiteRT is missing.
        TargetError: the NPU model refused the command stream.
    """
    capture = LayerCapture(source, _debug_database(build))
    inputs = stacked(samples)
    return walk(source, capture, inputs, inference.run_batch(inputs, capture))


def _debug_database(build: BuildFolder) -> DebugDatabase:
    if not build.debug:
        raise BadInputError(
            f"{build.path / VELA_FOLDER}: Vela's debug database is missing", hints=["run `deploy compile` again"]
        )
    return build.debug


def batch_size(arena_bytes: int) -> int:
    """How many inferences to run side by side in arenas of this size."""
    return max(1, min(_MAX_BATCH, _BATCH_BYTES // max(arena_bytes, 1)))


def stacked(samples: Sequence[Sample]) -> dict[str, NDArray[Any]]:
    """Samples side by side: name -> ``(batch, *shape)``."""
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def unstacked(batch: dict[str, NDArray[Any]], count: int) -> list[Sample]:
    """The reverse of :func:`stacked`."""
    return [{name: array[i] for name, array in batch.items()} for i in range(count)]


def _input_set(model: Model, options: VerifyOptions) -> InputSet:
    if options.inputs is not None:
        return load_inputs(options.inputs, model, options.count)
    return random_inputs(model, options.count or 4)


def _oracles(source: Model, choice: OracleChoice) -> list[Oracle]:
    oracles: list[Oracle] = []
    if choice != "tflm":
        oracles.append(ReferenceKernels(source))
    if choice in ("tflm", "both"):
        oracles.append(TflmKernels(source))
    return oracles


def _second_opinion(source: Model, samples: Sequence[Sample], answers: Sequence[Sample]) -> list[ReferenceOpinion]:
    """The comparison with TFLM's kernels; none where they are not installed or cannot run the model."""
    if not tflm_installed():
        return []
    try:
        kernels = TflmKernels(source)
        expected = [kernels.run(sample) for sample in samples]
    except (BadInputError, NotInstalledError):
        return []
    return [ReferenceOpinion(reference=_title(kernels), outputs=compare_outputs(source, answers, expected))]


def _title(oracle: Oracle) -> str:
    return f"{oracle.name} ({oracle.version})" if isinstance(oracle, TflmKernels) else oracle.name


def _weigh(opinions: list[ReferenceOpinion], tolerance: float) -> tuple[bool, str, list[ReferenceOpinion]]:
    """Verdict, reason, and the opinions with the one first that the verdict rests on."""
    passed, reason = judge(opinions[0].outputs, tolerance)
    if not passed and len(opinions) > 1 and judge(opinions[1].outputs, tolerance)[0]:
        return True, reason_of_second(opinions[0], opinions[1]), [opinions[1], opinions[0]]
    return passed, reason, opinions
