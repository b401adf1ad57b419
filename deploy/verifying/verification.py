"""Runs a build on the NPU model alone, without a CPU, and judges it: the pipeline behind ``deploy verify``.

build folder -> inputs -> NPU model in batches -> oracles -> comparison -> operator by operator -> verdict document

The operators are always checked, or have been just so: a verdict that rests on the outputs alone would pass an
operator that is wrong where the test inputs do not show it behind it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.build_folder import BuildFolder, Figure
from deploy.errors import BadInputError, DeployError
from deploy.hardware.npus import npu_named
from deploy.judging.build_models import Models, read_models
from deploy.judging.judgement import Judgement, JudgeOptions
from deploy.judging.known_differences import summarise
from deploy.judging.opinion import Opinion
from deploy.judging.run_figures import accuracy_figures
from deploy.judging.samples import Sample
from deploy.judging.verdict import Verdict
from deploy.tflite import Model
from deploy.verifying.checked_operators import CheckedOperators
from deploy.verifying.fed_back import fed_back
from deploy.verifying.host_session import HostSession, host_origin
from deploy.verifying.judged_part import judged_part
from deploy.verifying.kept_check import checked_on, keep_for_later
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.usual_inputs import usual_inputs
from deploy.verifying.varied_operators import VariedOperators


@dataclass(frozen=True)
class VerifyOptions(JudgeOptions):
    """What a user may choose about a verification; without inputs those are taken that the build folder keeps.

    Attributes:
        layers: show every operator, not only those that differ.
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
        judged = judged_part(self._build)
        self._build = judged.build
        models = read_models(self._build)
        feed_back = functools.partial(fed_back, models, npu_named(self._build.document.npu))
        samples = judgement.begin(models, functools.partial(usual_inputs, self._build), feed_back)
        judge = judgement.consult(models)
        session = self._session(models.compiled)
        session.observer = varied = VariedOperators(self._build.debug)
        on_progress(0, len(samples))
        start = time.monotonic()
        sequence = self._options.sequence

        def check() -> CheckedOperators:
            from deploy.verifying.operator_check import check_operators  # a run that is repeated needs none

            inference = session.inference
            return check_operators(
                self._build, models, samples, inference=inference, observer=varied, sequence=sequence
            )

        whole = not sequence and not judged.without
        recorded = checked_on(self._build, samples) if whole and not self._options.layers else None
        checked = recorded or check()
        if checked.check.source == "none" and self._options.layers:
            again = [] if self._build.document.compiled_file else ["run `deploy compile` again"]
            raise BadInputError(checked.check.left_out[0], hints=again)
        # What the check has run already is not run again, but for a sequence, which has one beginning.
        done = 0 if sequence else len(checked.answers)
        judge.expect(samples[:done], checked.expected if done else ())
        judgement.answers += checked.answers[:done]
        if done:
            on_progress(done, len(samples))
        for first in range(done, len(samples), session.batch):
            part = samples[first : first + session.batch]
            if varied.settled:
                session.observer = None  # whole programs without a stop run in less time
            judge.expect(part)
            for answer in session.answers(part):
                judgement.answers.append(answer.outputs)
                on_progress(len(judgement.answers), len(samples))
        elapsed = time.monotonic() - start
        if self._options.counters is not None:
            self._write_counters(self._options.counters, session.inference, models.source)
        opinion = judgement.opinion(judge)
        if recorded is not None and _differing(opinion):
            checked = check()  # the record tells less about why
        made = checked
        checked, explanations = self._explained(models, session.inference, samples, opinion, checked)
        predictions = judgement.predictions(models, judge)
        verdict = judgement.verdict(
            opinion,
            self._origin,
            predictions=predictions,
            figures=(
                Figure(
                    name="verification_rate",
                    value=round(len(samples) / max(elapsed, 1e-9), 2),
                    unit="inputs/s",
                    label="measured",
                    source=f"{' and '.join(('NPU model', *judge.names))} on this computer",
                ),
                *accuracy_figures(self._build.document, self._origin.platform, predictions),
            ),
            evidence=judged.weakened(judgement.evidence(models, varied.counts)),
            check=judged.noted(checked.check),
            operators=checked.results if self._options.layers else checked.differing,
            explanations=explanations,
        )
        if verdict.verdict == "pass" and whole and checked is made:
            keep_for_later(self._build, made, samples)
        return verdict

    def _session(self, compiled: Model) -> HostSession:
        document, sequence = self._build.document, self._options.sequence
        npu = npu_named(document.npu)
        if self._options.counters is None:
            return HostSession(compiled, npu, sequence=sequence)
        from deploy.compiling.vela_config import memory_system

        # Only the counters depend on the memories, and only what describes them has to be installed for it.
        memories = memory_system(npu, document.system_config, document.memory_mode)
        return HostSession(compiled, npu, memories, sequence=sequence)

    def _write_counters(self, path: Path, inference: NpuInference, source: Model) -> None:
        from deploy.files import write_text
        from deploy.verifying.operation_counters import counters_csv
        from deploy.verifying.operator_check import debug_database

        write_text(path, counters_csv(inference.counters, debug_database(self._build), source))

    def failed(self, error: DeployError) -> Verdict:
        """The document for a verification that ended without a complete answer."""
        return self._judgement.failed(error, self._origin)

    def _explained(
        self,
        models: Models,
        inference: NpuInference,
        samples: Sequence[Sample],
        opinion: Opinion,
        checked: CheckedOperators,
    ) -> tuple[CheckedOperators, tuple[str, ...]]:
        """The check of the operators, made on inputs with differing outputs as well, and why outputs differ."""
        differing = _differing(opinion)
        if checked.check.source == "none":
            return checked, checked.check.left_out if differing else ()
        further = [samples[i] for i in differing if i >= len(checked.answers)]
        if not self._options.sequence and further and len(further) == len(differing):
            from deploy.verifying.operator_check import check_operators

            again = check_operators(self._build, models, further, inference=inference)
            checked = again if again.check.unexplained >= checked.check.unexplained else checked
        return checked, summarise(checked.results) if differing or checked.check.unexplained else ()


def _differing(opinion: Opinion) -> list[int]:
    """The inputs to which an answer differs from what any oracle says."""
    opinions = (opinion.deciding, *opinion.others)
    return sorted({i for other in opinions for output in other.outputs for i in output.mismatched_inputs})
