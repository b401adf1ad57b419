"""Runs a build on a target and judges what it answered: the pipeline behind ``deploy run-fvp`` and ``run-board``.

session -> inputs -> machines start -> meanwhile on the host: reference outputs, NPU model, operators -> answers
-> opinion, comparison with the NPU model -> verdict document
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError, DeployError
from deploy.hardware.npus import npu_named
from deploy.judging.answer import Answer
from deploy.judging.build_models import Models, read_models
from deploy.judging.inputs import InputSet
from deploy.judging.judgement import Judgement, JudgeOptions
from deploy.judging.origin import Origin
from deploy.judging.samples import Sample, Stacked, stacked
from deploy.judging.verdict import Verdict
from deploy.simulators.fvp_locate import Simulator
from deploy.targets.firmware_choice import open_images
from deploy.targets.session import Session, TargetOptions

if TYPE_CHECKING:
    from deploy.verifying.checked_operators import CheckedOperators
    from deploy.verifying.host_session import HostSession
    from deploy.verifying.model_answers import ModelAnswers

_USUAL = 2
"""Inputs where none are given: with one alone, a target that always answers the same would pass."""


@dataclass(frozen=True)
class RunOptions(TargetOptions, JudgeOptions):
    """What a user may choose about a run: the target, and what its answers are held to.

    Without inputs, two are run, one of them made up for this run alone.

    Attributes:
        locate: where outputs differ from the NPU model's, run the target again to find the first operation that
            differs.
        seed: that repeats the inputs that an earlier run made up for itself; None for a random one.
    """

    locate: bool = False
    seed: int | None = None


class TargetRun:
    """One run of a build. Collects what is known as it goes, so that an error, too, leaves a full document.

    Args:
        build: an open build folder.
        options: what the user chose.
    """

    def __init__(self, build: BuildFolder, options: RunOptions) -> None:
        self._build, self._options = build, options
        self._session = Session(build, options)
        self._judgement = Judgement(build, options)
        self._started = time.monotonic()

    @property
    def outputs(self) -> Stacked:
        """Output name -> what the target answered so far, ``[inputs, *shape]``."""
        answers = self._judgement.answers
        return stacked(answers) if answers else {}

    @property
    def simulator(self) -> Simulator | None:
        """What runs, or ran, the firmware; None before it was chosen, and for a board."""
        return self._session.simulator

    @property
    def moved(self) -> tuple[str, ...]:
        """What of the firmware the open machine moves, in lines; none before it was chosen, or if it need not."""
        simulator, firmware = self.simulator, self._session.origin.firmware
        if simulator is None or simulator.kind != "open" or firmware is None:
            return ()
        return open_images(Path(firmware.path), simulator).report

    def run(self, on_answer: Callable[[int, int], None] = lambda _done, _total: None) -> Verdict:
        """Run and judge.

        Args:
            on_answer: called with (answered, total) as answers arrive.

        Raises:
            BadInputError: the build, inputs or options do not fit together.
            NotInstalledError: simulator or firmware are missing.
            TargetError: there was no complete answer.
        """
        if self._options.locate and self._options.sequence:
            raise BadInputError("--locate runs one input again from its beginning: not with --sequence")
        judgement, answers = self._judgement, list[Answer]()
        with self._session as session:
            session.get_ready()
            # It takes as long to import what works on the host as a machine takes to start.
            from deploy.judging.float_parts import defined_outputs
            from deploy.judging.known_differences import summarise
            from deploy.judging.run_figures import run_figures
            from deploy.verifying.fed_back import fed_back
            from deploy.verifying.kept_check import keep_for_later
            from deploy.verifying.model_answers import ModelAnswers
            from deploy.verifying.varied_operators import VariedOperators

            models = read_models(self._build)
            npu, sequence = npu_named(self._build.document.npu), self._options.sequence
            feed_back = functools.partial(fed_back, models, npu)
            model = ModelAnswers(models.source, models.compiled, npu, sequence=sequence)
            usual = functools.partial(self._usual_inputs, None if sequence else model.session)
            samples = judgement.begin(models, usual, feed_back)
            arriving = session.answers(samples)
            on_answer(0, len(samples))
            # The machines boot meanwhile.
            judge = judgement.consult(models)
            judge.expect(samples)
            varied = VariedOperators(self._build.debug)
            if model.session is not None:
                model.session.observer = varied
            model.expect(samples)
            checked = self._checked(models, model, samples)
            for answer in arriving:
                answers.append(answer)
                judgement.answers += defined_outputs(models.source, [answer.outputs])
                on_answer(len(answers), len(samples))
        opinion = judgement.opinion(judge, model.inner)
        predictions = judgement.predictions(models, judge)
        figures = run_figures(
            self._build.document,
            session.origin.platform,
            session.origin.firmware,
            answers,
            predictions,
            elapsed_s=time.monotonic() - self._started,
            where=f"the workers of {self._options.scheduler}" if self._options.scheduler else "this computer",
        )
        verdict = judgement.verdict(
            opinion,
            self._origin(),
            predictions=predictions,
            figures=figures,
            evidence=judgement.evidence(models, varied.counts),
            check=checked.check,
            comparison=model.compared(judgement.answers, self._options.tolerance),
            operators=checked.differing,
            explanations=summarise(checked.results) if checked.check.unexplained else (),
        )
        if verdict.verdict == "pass" and not self._options.sequence:
            keep_for_later(self._build, checked)
        return self._located(verdict, samples) if self._options.locate else verdict

    def _checked(self, models: Models, model: ModelAnswers, samples: Sequence[Sample]) -> CheckedOperators:
        """The operators: as the build folder has them recorded, or checked now."""
        from deploy.verifying.checked_operators import not_checked
        from deploy.verifying.kept_check import checked_before

        recorded = checked_before(self._build)
        if recorded is not None:
            return recorded
        if model.session is None:
            return not_checked(self._build, model.left_out)
        from deploy.verifying.operator_check import check_operators
        from deploy.verifying.usual_inputs import usual_inputs

        # What the target ran comes first; what the build folder keeps costs little beside a boot.
        sequence = self._options.sequence
        tried = samples if sequence else (*samples, *usual_inputs(self._build).samples)
        return check_operators(self._build, models, tried, inference=model.session.inference, sequence=sequence)

    def _located(self, verdict: Verdict, samples: Sequence[Sample]) -> Verdict:
        from deploy.targets.locating_report import locate

        located = locate(self._session, self._build, samples, self._judgement.answers)
        return verdict.model_copy(update={"located": located})

    def _usual_inputs(self, session: HostSession | None, count: int | None) -> InputSet:
        from deploy.verifying.usual_inputs import inputs_with_fresh

        return inputs_with_fresh(self._build, count or _USUAL, self._options.seed, session)

    def failed(self, error: DeployError) -> Verdict:
        """The document for a run that ended without a complete answer."""
        return self._judgement.failed(error, self._origin())

    def _origin(self) -> Origin:
        """Where answers come from, and by which of the two the NPU model computes that they are held to."""
        from deploy.npu.core.library import versions

        found = self._session.origin
        return replace(found, versions={**found.versions, **versions()})
