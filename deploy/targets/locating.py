"""Finds the first step that a target computes otherwise than the NPU model: by stopping it earlier.

After a stop the target's memory is compared with what the NPU model has there after the same step: the bytes
that some step wrote and that still mean something. Bisection over the steps takes about log2(n) runs, often
fewer: a byte that differs names the step that should have written it. What differs and leaves no trace in memory
until the end is not found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.targets.stoppable import Memories, Stop, Stoppable
from deploy.verifying.steps import NOBODY, Contents, InferenceSteps

INPUTS = 0
"""The number of what is there before the first step."""


@dataclass(frozen=True)
class FaultyStep:
    """The first step after which memory differs.

    Attributes:
        number: of the step, from 1; :data:`INPUTS` where memory differs before the first one.
        expected: what the NPU model has in memory after it.
        wrong: region -> the bytes that differ ``(n,)``.
        got: what the target has there.
    """

    number: int
    expected: Contents
    wrong: dict[int, NDArray[np.bool_]]
    got: Memories

    @property
    def writers(self) -> frozenset[int]:
        """The steps that, in the model, wrote the bytes that differ."""
        found = (self.expected.writers[region][mask] for region, mask in self.wrong.items())
        return frozenset(int(number) for writers in found for number in np.unique(writers))


def first_difference(steps: InferenceSteps, target: Stoppable) -> FaultyStep | None:
    """Find the first step after which the target's memory differs from the model's; None where it never does.

    Raises:
        TargetError: the target does not come to its stops.
        BadInputError: the compiled model cannot be stopped.
    """
    search = _Search(steps, target)
    last = search.differing(len(steps.steps))
    if last is None:
        return None
    if not target.whole:
        found = search.between(last, every_byte=False)
        if search.differing_before(found) is None:
            return found
    found = search.between(last, every_byte=True)
    before = search.differing(INPUTS) if found.number == 1 and search.can_stop(INPUTS) else None
    return before or found


class _Search:
    def __init__(self, steps: InferenceSteps, target: Stoppable) -> None:
        self._steps, self._target = steps, target

    def between(self, high: FaultyStep, *, every_byte: bool) -> FaultyStep:
        """Bisect between the inputs, taken to be right, and a step that differs.

        Args:
            high: that step.
            every_byte: compare all of memory. Else what was written since the last step that agreed: less to read,
                and enough where no step writes where it should not.
        """
        low = INPUTS
        by_name = True
        while high.number - low > 1:
            named = min(high.writers)
            if not low < named < high.number:
                named = high.number - 1
            # A name may lead only one step further, so every other one is the middle.
            number = named if by_name else (low + high.number) // 2
            by_name = not by_name
            found = self.differing(number, since=NOBODY if every_byte else low)
            low, high = (number, high) if found is None else (low, found)
        return high

    def differing_before(self, found: FaultyStep) -> FaultyStep | None:
        """What differs, in all of memory, after the step before; None where that cannot be looked at."""
        before = found.number - 1
        return self.differing(before) if self.can_stop(before) else None

    def differing(self, number: int, since: int = NOBODY) -> FaultyStep | None:
        """What differs after a step, of what steps later than ``since`` wrote."""
        expected = self._steps.after(number)
        wanted = {region: writers > since for region, writers in expected.writers.items()}
        got = self._target.memory_after(self._stop(number), wanted)
        wrong = {region: (expected.values[region] != got[region]) & mask for region, mask in wanted.items()}
        return FaultyStep(number, expected, wrong, got) if any(mask.any() for mask in wrong.values()) else None

    def can_stop(self, number: int) -> bool:
        """Before the first step only an NPU can be stopped that is to do it."""
        return number > INPUTS or self._steps.steps[0].operation is not None

    def _stop(self, number: int) -> Stop:
        if number == INPUTS:
            return Stop(self._steps.steps[0].operator, 0)
        step = self._steps.steps[number - 1]
        # The commands that start operations are of one word.
        return Stop(step.operator, None if step.operation is None else step.operation.offset + 4)
