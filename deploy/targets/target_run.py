"""Runs a build on a target and judges what it answered: the pipeline behind ``deploy run-fvp`` and ``run-board``.

session -> inputs -> machines start -> reference outputs meanwhile -> answers -> opinion -> verdict document
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.build_folder import BuildFolder
from deploy.errors import DeployError
from deploy.judging.answer import Answer
from deploy.judging.build_models import read_models
from deploy.judging.inputs import InputSet
from deploy.judging.judgement import Judgement, JudgeOptions
from deploy.judging.run_figures import run_figures
from deploy.judging.samples import Stacked, stacked
from deploy.judging.verdict import Verdict
from deploy.simulators.fvp_locate import Simulator
from deploy.targets.session import Session, TargetOptions
from deploy.verifying.usual_inputs import inputs_with_fresh
from deploy.verifying.varied_operators import operators_varied

_USUAL = 2
"""Inputs where none are given: with one alone, a target that always answers the same would pass."""


@dataclass(frozen=True)
class RunOptions(TargetOptions, JudgeOptions):
    """What a user may choose about a run: the target, and what its answers are held to.

    Without inputs, two are run, one of them made up for this run alone.

    Attributes:
        seed: that repeats the inputs that an earlier run made up for itself; None for a random one.
    """

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

    def run(self, on_answer: Callable[[int, int], None] = lambda _done, _total: None) -> Verdict:
        """Run and judge.

        Args:
            on_answer: called with (answered, total) as answers arrive.

        Raises:
            BadInputError: the build, inputs or options do not fit together.
            NotInstalledError: simulator or firmware are missing.
            TargetError: there was no complete answer.
        """
        judgement, answers = self._judgement, list[Answer]()
        with self._session as session:
            models = read_models(self._build)
            samples = judgement.begin(models, self._usual_inputs)
            arriving = session.answers(samples)
            on_answer(0, len(samples))
            # The machines boot meanwhile.
            judge = judgement.consult(models)
            judge.expect(samples)
            varied = operators_varied(self._build, samples)
            for answer in arriving:
                answers.append(answer)
                judgement.answers.append(answer.outputs)
                on_answer(len(answers), len(samples))
        opinion = judgement.opinion(judge)
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
        evidence = judgement.evidence(models, varied)
        return judgement.verdict(
            opinion, session.origin, predictions=predictions, figures=figures, evidence=evidence
        )

    def _usual_inputs(self, count: int | None) -> InputSet:
        return inputs_with_fresh(self._build, count or _USUAL, self._options.seed)

    def failed(self, error: DeployError) -> Verdict:
        """The document for a run that ended without a complete answer."""
        return self._judgement.failed(error, self._session.origin)
