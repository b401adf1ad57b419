"""How much a verdict rests on: whether the inputs made the outputs vary, between the ends of their range.

Answers that are always the same, or always at the end of the range, pass whatever most faults do to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import Document
from deploy.judging.inputs import InputSet
from deploy.judging.output_ends import OutputEnds, output_ends
from deploy.judging.samples import Sample
from deploy.tflite import Model

_MOST_ELEMENTS = 1 << 20
"""Of an output, of several answers together, that are looked at at a time."""


class OutputEvidence(Document):
    """What was seen of an output.

    Attributes:
        name: of the output.
        distinct: how many different answers there were.
        inputs: of how many.
        saturated_share: share of elements, over all inputs, at either end of the output's range; None for an
            output whose numbers have no such ends (flags, indices, floats that are not dequantized).
    """

    name: str
    distinct: int
    inputs: int
    saturated_share: float | None


class Evidence(Document):
    """The evidence of a verdict.

    Attributes:
        inputs: how many were answered.
        input_source: where they come from.
        fresh: how many were made up for this run alone, so that no earlier answers fit them.
        seed: that makes up the same ones again (``--seed``); None where none are fresh.
        outputs: what was seen of each.
        operators_varied: operators on the NPU whose output varied over the inputs; None where the NPU model could
            not run them.
        operators: operators on the NPU; None likewise.
        weak: why the evidence is weak, one sentence each; empty where it is not.
    """

    inputs: int
    input_source: str
    fresh: int = 0
    seed: int | None = None
    outputs: tuple[OutputEvidence, ...] = ()
    operators_varied: int | None = None
    operators: int | None = None
    weak: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What was seen of the outputs, and of the operators on the way to them."""
        parts = []
        for output in self.outputs:
            share = output.saturated_share
            ends = "" if share is None else f" ({share:.0%} at the ends of its range)"
            parts.append(f"{output.name} gave {output.distinct} different answers{ends}")
        if self.operators:
            parts.append(f"{self.operators_varied} of {self.operators} operators on the NPU varied")
        return ", ".join(parts)


def evidence_of(
    source: Model, inputs: InputSet, answers: Sequence[Sample], varied: tuple[int, int] | None = None
) -> Evidence:
    """What answers are worth as evidence.

    Args:
        source: the model that was compiled.
        inputs: of the run.
        answers: outputs by name, per input.
        varied: how many operators on the NPU varied, and how many there are; None where that is not known.
    """
    outputs = tuple(
        OutputEvidence(
            name=name,
            distinct=len({np.ascontiguousarray(answer[name]).tobytes() for answer in answers}),
            inputs=len(answers),
            saturated_share=None
            if ends is None or not answers or not answers[0][name].size
            else _share(ends, [each[name] for each in answers]),
        )
        for name, ends in output_ends(source).items()
    )
    return Evidence(
        inputs=len(answers),
        input_source=inputs.source,
        fresh=inputs.fresh,
        seed=inputs.seed,
        outputs=outputs,
        operators_varied=varied[0] if varied else None,
        operators=varied[1] if varied else None,
        weak=weaknesses(outputs),
    )


def _share(ends: OutputEnds, values: Sequence[NDArray[Any]]) -> float:
    """The share of elements at either end: of many answers at a time, since they are small as a rule."""
    size = max(1, _MOST_ELEMENTS // max(1, values[0].size))
    parts = (np.stack(values[first : first + size]) for first in range(0, len(values), size))
    return float(
        np.mean(np.concatenate([ends.reached(part).reshape(len(part), -1).mean(axis=1) for part in parts]))
    )


def weaknesses(outputs: Sequence[OutputEvidence]) -> tuple[str, ...]:
    """Why the evidence is weak, one sentence each."""
    found = []
    if any(output.inputs == 1 for output in outputs):
        found.append("there was one input only")
    for output in outputs:
        if output.inputs > 1 and output.distinct == 1:
            found.append(f"output {output.name} is the same for all {output.inputs} inputs")
        if output.saturated_share == 1:
            found.append(f"output {output.name} is at an end of its range in every element")
    return tuple(found)
