"""Which oracle decides. The policy stands here, once, for everything that is judged.

The oracles of a panel are asked in order. The first one with which the answers agree, within the tolerance,
decides: LiteRT's reference kernels as a rule. Where the answers differ from those by more, TFLM's kernels are
asked, too, if they are installed and can run the model: what the microcontroller's own kernels compute is what a
target is meant to compute. Where the reference kernels cannot run a model, or end their process with it, TFLM's
take their place. Every comparison that was made is shown, and so is why an oracle has nothing to say.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from deploy.errors import BadInputError, NotInstalledError, TargetError
from deploy.judging.comparison import compare_outputs
from deploy.judging.first_able import FirstAble, LostStateError, OracleLeftOut
from deploy.judging.float_parts import defined_outputs, watched
from deploy.judging.oracles import MakeOracle, OptimisedKernels, Oracle, TflmKernels, sequence_of
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample
from deploy.judging.verdict import ReferenceOpinion, judge, reason_of_second
from deploy.tflite import Model


@dataclass(frozen=True)
class Panel:
    """Oracles in the order in which they are asked, at least one.

    Attributes:
        name: of the first one, for what is said before a model is put before it.
        asked: they are asked whatever comes; one that is missing is an error, and so is one that cannot run the
            model, unless another takes its place.
        in_doubt: each is asked only where the answers agree with none before it; one that is missing or cannot run
            the model is passed over.
        instead: what takes the place of one of ``asked`` that cannot run the model, the first that can.
    """

    name: str
    asked: tuple[MakeOracle, ...]
    in_doubt: tuple[MakeOracle, ...] = ()
    instead: tuple[MakeOracle, ...] = ()


PANELS: Final[Mapping[str, Panel]] = {
    "auto": Panel(
        ReferenceKernels.name,
        (ReferenceKernels,),
        in_doubt=(TflmKernels,),
        instead=(TflmKernels, OptimisedKernels),
    ),
    "litert": Panel(ReferenceKernels.name, (ReferenceKernels,)),
    "tflm": Panel(TflmKernels.name, (TflmKernels,)),
    "both": Panel(ReferenceKernels.name, (ReferenceKernels, TflmKernels)),
}
"""By the names that users choose them by."""


@dataclass(frozen=True)
class Opinion:
    """What the oracles say about answers.

    Attributes:
        passed: whether the answers agree with one of them.
        reason: one sentence that says why.
        deciding: the comparison with the first oracle with which they agree; with the first of all where there is
            none.
        others: the other comparisons that were made, in order.
        left_out: oracles that were asked and had nothing to say.
        judged: whether there was anything to agree with.
    """

    passed: bool
    reason: str
    deciding: ReferenceOpinion
    others: tuple[ReferenceOpinion, ...] = ()
    left_out: tuple[OracleLeftOut, ...] = ()
    judged: bool = True


def oracle_panel(choice: str) -> Panel:
    """The panel of a name.

    Raises:
        BadInputError: there is none.
    """
    if choice not in PANELS:
        raise BadInputError(f"--oracle {choice}: no such oracle", hints=[f"known: {', '.join(PANELS)}"])
    return PANELS[choice]


def one_oracle(source: Model, choice: str) -> FirstAble:
    """The one oracle of a panel, or what takes its place, with a model before it.

    Raises:
        BadInputError: there is no such panel, or it has several; or no oracle of it can run the model.
        NotInstalledError: the oracle is missing.
    """
    panel = oracle_panel(choice)
    if len(panel.asked) > 1:
        single = [name for name, other in PANELS.items() if len(other.asked) == 1]
        raise BadInputError(f"--oracle {choice}: one is needed here", hints=[f"known: {', '.join(single)}"])
    return FirstAble(source, (*panel.asked, *panel.instead))


class Judge:
    """A panel of oracles with a model before it.

    Args:
        source: the quantized model that was compiled.
        panel: of oracles.
        sequence: whether the samples are one sequence, in which the model keeps its state.

    Raises:
        BadInputError: an oracle that is asked whatever comes cannot run the model.
        NotInstalledError: one of these is missing.
    """

    def __init__(self, source: Model, panel: Panel, *, sequence: bool = False) -> None:
        self._source, self._panel, self._sequence = watched(source), panel, sequence
        self._oracles = [FirstAble(self._source, (make, *panel.instead)) for make in panel.asked]
        self._passed_over: list[OracleLeftOut] = []
        self._samples: list[Sample] = []
        self._expected: list[list[Sample]] = [[] for _ in self._oracles]

    @property
    def title(self) -> str:
        """What a verdict calls the first oracle."""
        return self._oracles[0].title

    @property
    def names(self) -> tuple[str, ...]:
        """Of the oracles that are asked whatever comes."""
        return tuple(oracle.name for oracle in self._oracles)

    @property
    def expected(self) -> Sequence[Sample]:
        """What the first oracle says, per sample so far."""
        return self._expected[0]

    def expect(self, samples: Sequence[Sample], reference: Sequence[Sample] = ()) -> None:
        """Ask about further samples; the answers to them may come later.

        Args:
            samples: to ask about.
            reference: what LiteRT's reference kernels say about them, where that is known already; never part of
                a sequence.

        Raises:
            BadInputError: a sample does not fit the model, or the model cannot be run after all.
        """
        named = set(self._source.output_names().values())
        for oracle, outputs in zip(self._oracles, self._expected, strict=True):
            title = oracle.title
            known = title == ReferenceKernels.name and len(reference) == len(samples)
            known = known and all(named <= set(sample) for sample in reference)
            try:
                said = reference if known else self._answers(oracle, samples, len(self._samples))
            except LostStateError:
                said = []
            if said and not self._samples:
                title = oracle.title
            while oracle.title != title:  # what one has said is not for another to go on with
                title, outputs[:] = oracle.title, []
                with contextlib.suppress(LostStateError):
                    said = self._answers(oracle, (*self._samples, *samples), 0)
            outputs.extend(defined_outputs(self._source, said))
        self._samples += samples

    def _answers(self, oracle: Oracle, samples: Sequence[Sample], first: int) -> list[Sample]:
        """What an oracle says about samples, the first of which is number ``first`` of all."""
        if not self._sequence:
            return list(oracle.run_all(samples))
        return list(sequence_of(oracle, samples, keep_state=first > 0))

    def opinion(self, answers: Sequence[Sample], tolerance: float) -> Opinion:
        """Compare answers with what is expected.

        Args:
            answers: one per sample, outputs by name.
            tolerance: largest difference that counts as agreement, in LSB.

        Raises:
            TargetError: there are more or fewer answers than samples.
        """
        if len(answers) != len(self._samples):
            raise TargetError(f"{len(answers)} answers for {len(self._samples)} inputs")
        opinions = [
            self._compared(oracle, answers, expected)
            for oracle, expected in zip(self._oracles, self._expected, strict=True)
        ]
        doubts = self._doubts(answers)
        while not any(_agrees(opinion, tolerance) for opinion in opinions):
            further = next(doubts, None)
            if further is None:
                break
            opinions.append(further)
        left_out = [each for oracle in self._oracles for each in oracle.left_out]
        return replace(weighed(opinions, tolerance), left_out=(*left_out, *self._passed_over))

    def _doubts(self, answers: Sequence[Sample]) -> Iterator[ReferenceOpinion]:
        tried = [make for oracle in self._oracles for make in oracle.tried]
        for make in self._panel.in_doubt:
            if make in tried:
                continue
            try:
                oracle = make(self._source)
                said = self._answers(oracle, self._samples, 0)
                expected = defined_outputs(self._source, said)
            except (BadInputError, NotInstalledError) as error:
                self._passed_over.append(OracleLeftOut.of(make, error))
                continue
            yield self._compared(oracle, answers, expected)

    def _compared(self, oracle: Oracle, answers: Sequence[Sample], expected: Sequence[Sample]) -> ReferenceOpinion:
        return ReferenceOpinion(reference=oracle.title, outputs=compare_outputs(self._source, answers, expected))


class NoJudge:
    """In the place of a judge where nobody knows what was compiled.

    Attributes:
        title: what a document calls the reference.
        names: of oracles.
        expected: what they say.
    """

    title = "none"
    names: tuple[str, ...] = ()
    expected: Sequence[Sample] = ()

    def __init__(self) -> None:
        self._inputs = 0

    def expect(self, samples: Sequence[Sample], reference: Sequence[Sample] = ()) -> None:
        """Count further samples."""
        self._inputs += len(samples)

    def opinion(self, answers: Sequence[Sample], tolerance: float) -> Opinion:
        """None.

        Raises:
            TargetError: there are more or fewer answers than samples.
        """
        if len(answers) != self._inputs:
            raise TargetError(f"{len(answers)} answers for {self._inputs} inputs")
        reason = (
            "nobody knows what the outputs must be without the model that Vela compiled: --source MODEL.tflite"
        )
        return Opinion(True, reason, ReferenceOpinion(reference=self.title, outputs=()), judged=False)


def weighed(opinions: Sequence[ReferenceOpinion], tolerance: float) -> Opinion:
    """Which of the comparisons decides, and what it decides.

    Args:
        opinions: in the order in which the oracles were asked, at least one.
        tolerance: largest difference that counts as agreement, in LSB.
    """
    first = opinions[0]
    passed, reason = judge(first.outputs, tolerance)
    deciding = next((opinion for opinion in opinions if _agrees(opinion, tolerance)), first)
    if deciding is not first:
        passed, reason = True, reason_of_second(first, deciding)
    return Opinion(passed, reason, deciding, tuple(opinion for opinion in opinions if opinion is not deciding))


def _agrees(opinion: ReferenceOpinion, tolerance: float) -> bool:
    return judge(opinion.outputs, tolerance)[0]
