"""Runs a build on the NPU model alone, without a CPU, and judges it: the pipeline behind ``deploy verify``.

build folder -> inputs -> NPU model in batches -> oracles -> comparison -> operator by operator -> verdict document
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.build_folder import VELA_FOLDER, BuildFolder, Figure
from deploy.compiling.memory_system import memory_system
from deploy.debug_database import DebugDatabase
from deploy.errors import BadInputError, DeployError, NotInstalledError
from deploy.files import write_text
from deploy.hardware.npus import npu_named
from deploy.judging.build_models import Models, read_models
from deploy.judging.judgement import Judgement, JudgeOptions
from deploy.judging.known_differences import summarise
from deploy.judging.operator_result import OperatorResult
from deploy.judging.opinion import Opinion
from deploy.judging.samples import Sample, stacked
from deploy.judging.verdict import Verdict
from deploy.tflite import Model
from deploy.verifying.host_session import HostSession, host_origin
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.layer_walk import walk
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.operation_counters import counters_csv
from deploy.verifying.usual_inputs import usual_inputs
from deploy.verifying.varied_operators import VariedOperators

_MAX_WALKED_INPUTS = 4


@dataclass(frozen=True)
class VerifyOptions(JudgeOptions):
    """What a user may choose about a verification; without inputs those are taken that the build folder keeps.

    Attributes:
        layers: compare every operator, even where all outputs agree.
        counters: ``.csv`` to write the counters of every NPU operation to.
    """

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
        self._origin = host_origin(build.document.npu)
        self._judgement = Judgement(build, options)

    def run(self, on_progress: Callable[[int, int], None] = lambda _done, _total: None) -> Verdict:
        """Run and judge.

        Args:
            on_progress: called with (inputs done, total).

        Raises:
            BadInputError: build, inputs or options do not fit together, or an oracle cannot run the model.
            NotInstalledError: an oracle is missing.
            TargetError: the NPU model refused the command stream.
        """
        judgement = self._judgement
        models = read_models(self._build)
        samples = judgement.begin(models, functools.partial(usual_inputs, self._build))
        judge = judgement.consult(models)
        session = self._session(models.compiled)
        session.observer = varied = VariedOperators(self._build.debug)
        on_progress(0, len(samples))
        start = time.monotonic()
        for sample, answer in zip(samples, session.answers(samples), strict=True):
            judge.expect([sample])
            judgement.answers.append(answer.outputs)
            on_progress(len(judgement.answers), len(samples))
        elapsed = time.monotonic() - start
        if self._options.counters is not None:
            database = _debug_database(self._build)
            write_text(self._options.counters, counters_csv(session.inference.counters, database, models.source))
        opinion = judgement.opinion(judge)
        operators, explanations = self._explained(models, session.inference, samples, opinion)
        return judgement.verdict(
            opinion,
            self._origin,
            predictions=judgement.predictions(models, judge),
            figures=(
                Figure(
                    name="verification_rate",
                    value=round(len(samples) / max(elapsed, 1e-9), 2),
                    unit="inputs/s",
                    label="measured",
                    source=f"NPU model and {' and '.join(judge.names)} on this computer",
                ),
            ),
            evidence=judgement.evidence(models, varied.counts),
            operators=operators,
            explanations=explanations,
        )

    def _session(self, compiled: Model) -> HostSession:
        document = self._build.document
        npu = npu_named(document.npu)
        if self._options.counters is None:
            return HostSession(compiled, npu)
        # Only the counters depend on the memories, and only what describes them has to be installed for it.
        return HostSession(compiled, npu, memory_system(npu, document.system_config, document.memory_mode))

    def failed(self, error: DeployError) -> Verdict:
        """The document for a verification that ended without a complete answer."""
        return self._judgement.failed(error, self._origin)

    def _explained(
        self, models: Models, inference: NpuInference, samples: Sequence[Sample], opinion: Opinion
    ) -> tuple[tuple[OperatorResult, ...], tuple[str, ...]]:
        """Walk through the operators where it was asked for, or where an output differs."""
        opinions = (opinion.deciding, *opinion.others)
        differing = sorted({i for other in opinions for output in other.outputs for i in output.mismatched_inputs})
        if not differing and not self._options.layers:
            return (), ()
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
