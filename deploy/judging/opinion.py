"""Which oracle decides. The policy stands here, once, for everything that is judged.

The oracles of a panel are asked in order. The first one with which the answers agree, within the tolerance,
decides: LiteRT's reference kernels as a rule. Where the answers differ from those by more, TFLM's kernels are
asked, too, if they are installed and can run the model: what the microcontroller's own kernels compute is what a
target is meant to compute. Every comparison that was made is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from deploy.errors import BadInputError, NotInstalledError, TargetError
from deploy.judging.comparison import compare_outputs
from deploy.judging.float_parts import defined_outputs, watched
from deploy.judging.oracles import MakeOracle, Oracle, TflmKernels
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample
from deploy.judging.verdict import ReferenceOpinion, judge, reason_of_second
from deploy.tflite import Model

OracleChoice = Literal["auto", "litert", "tflm", "both"]
"""Panels by the names that users choose them by."""


@dataclass(frozen=True)
class Panel:
    """Oracles in the order in which they are asked, at least one.

    Attributes:
        name: of the first one, for what is said before a model is put before it.
        asked: they are asked whatever comes; one that is missing or cannot run the model is an error.
        in_doubt: each is asked only where the answers agree with none before it; one that is missing or cannot run
            the model is passed over.
    """

    name: str
    asked: tuple[MakeOracle, ...]
    in_doubt: tuple[MakeOracle, ...] = ()


PANELS: Final[Mapping[OracleChoice, Panel]] = {
    "auto": Panel(ReferenceKernels.name, (ReferenceKernels,), in_doubt=(TflmKernels,)),
    "litert": Panel(ReferenceKernels.name, (ReferenceKernels,)),
    "tflm": Panel(TflmKernels.name, (TflmKernels,)),
    "both": Panel(ReferenceKernels.name, (ReferenceKernels, TflmKernels)),
}


@dataclass(frozen=True)
class Opinion:
    """What the oracles say about answers.

    Attributes:
        passed: whether the answers agree with one of them.
        reason: one sentence that says why.
        deciding: the comparison with the first oracle with which they agree; with the first of all where there is
            none.
        others: the other comparisons that were made, in order.
    """

    passed: bool
    reason: str
    deciding: ReferenceOpinion
    others: tuple[ReferenceOpinion, ...] = ()


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
        self._oracles = [make(self._source) for make in panel.asked]
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
            known = oracle.name == ReferenceKernels.name and len(reference) == len(samples)
            known = known and all(named <= set(sample) for sample in reference)
            said = reference if known else self._answers(oracle, samples, len(self._samples))
            outputs.extend(defined_outputs(self._source, each) for each in said)
        self._samples += samples

    def _answers(self, oracle: Oracle, samples: Sequence[Sample], first: int) -> list[Sample]:
        """What an oracle says about samples, the first of which is number ``first`` of all."""
        return [
            oracle.run(sample, keep_state=self._sequence and first + i > 0) for i, sample in enumerate(samples)
        ]

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
        return weighed(opinions, tolerance)

    def _doubts(self, answers: Sequence[Sample]) -> Iterator[ReferenceOpinion]:
        for make in self._panel.in_doubt:
            try:
                oracle = make(self._source)
                said = self._answers(oracle, self._samples, 0)
                expected = [defined_outputs(self._source, each) for each in said]
            except (BadInputError, NotInstalledError):
                continue
            yield self._compared(oracle, answers, expected)

    def _compared(self, oracle: Oracle, answers: Sequence[Sample], expected: Sequence[Sample]) -> ReferenceOpinion:
        return ReferenceOpinion(reference=oracle.title, outputs=compare_outputs(self._source, answers, expected))


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
