"""Chooses inputs with power: with which outputs, and what is computed on the way to them, vary.

An input on which a network gives its usual answer, at the end of the range, shows hardly anything: most faults do
not change it, and a target that always says the same passes. So many inputs are tried, and those are taken that
show most of what was seen: distinct and unsaturated answers first, then levels of elements of outputs and inner
feature maps. What was taken is changed and tried again: rare answers are found from those that come near them.
"""

from __future__ import annotations

import functools
import hashlib
import heapq
import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.judging.input_patterns import changed, made_up
from deploy.judging.input_ranges import InputRange
from deploy.judging.output_ends import OutputEnds
from deploy.judging.samples import Sample, Stacked, stacked

LEVELS = 16
"""Levels that elements are told apart by."""

_MOST_ELEMENTS = 64
"""Elements of an output that are looked at one by one, evenly spread."""

_ROUNDS = 4
_PARENTS = 8
"""Of what was chosen, the best, which are changed and tried again."""

_PATIENCE = 6
"""How many times as many are tried until one has a telling answer that is new."""

_ENOUGH = 4
"""Distinct answers beside the usual extreme, after which an output does not count as stuck."""


@dataclass(frozen=True)
class Response:
    """What a model makes of inputs side by side.

    Attributes:
        outputs: output name -> ``[inputs, *shape]``.
        inner: ``[inputs, elements]``, int8: level of some elements of feature maps on the way, below
            :data:`LEVELS`, -1 for one that shows nothing; no elements where nothing is known of them.
    """

    outputs: Stacked
    inner: NDArray[np.int8]


Probe = Callable[[Stacked], Response]
"""Runs inputs side by side: name -> ``[inputs, *shape]``."""


@dataclass(frozen=True)
class Effort:
    """How much is tried.

    Attributes:
        trials: how many inputs, at least those that are wanted; twice as many where an output has hardly any
            answers between its ends.
        limit_s: seconds of this process's own time, whatever else the computer does, after which no further ones
            are begun; without a limit the same seed finds the same.
    """

    trials: int
    limit_s: float = math.inf


@dataclass(frozen=True)
class Found:
    """Inputs that were found.

    Attributes:
        samples: the most telling first.
        made_up: how many of them were made up.
    """

    samples: tuple[Sample, ...]
    made_up: int


def search(
    ranges: Mapping[str, InputRange],
    ends: Mapping[str, OutputEnds | None],
    probe: Probe,
    wanted: int,
    *,
    seed: int,
    effort: Effort,
    known: Sequence[Sample] = (),
    given: Sequence[Sample] = (),
) -> Found:
    """Find inputs that show much, the most telling first; the same ones for the same seed and effort.

    Args:
        ranges: of the model's inputs.
        ends: of its outputs.
        probe: runs inputs.
        wanted: how many to find at most.
        seed: of the random numbers.
        effort: how much is tried.
        known: inputs that are used anyhow: those that are found add to them.
        given: inputs to choose from; others are made up only where these leave an output stuck.

    Raises:
        DeployError: of the probe.
    """
    until, generator = time.process_time() + effort.limit_s, np.random.default_rng(seed)
    pool = _Pool(ends, probe, len(known))
    pool.add([*known, *given])
    best = pool.choose(min(wanted, _PARENTS))  # the first of all that would be chosen
    trials = max(effort.trials, wanted)
    tried, size, kinds = 0, max(2, -(-trials // _ROUNDS)), itertools.count()
    while tried < trials * (2 if pool.adds(best) else _PATIENCE) and not (tried and time.process_time() > until):
        enough = pool.adds(best) and (given or tried >= trials)
        if enough and not (pool.stuck(best) and pool.stuck(pool.choose(wanted))):
            break
        parents = pool.parents([*range(len(known)), *best])
        new = []
        for number in range(size):
            if number % 2 and parents:
                one, two = (parents[int(generator.integers(len(parents)))] for _ in range(2))
                new.append(changed(generator, ranges, one, two))
            else:
                new.append(made_up(generator, ranges, next(kinds)))
        pool.add(new)
        tried += size
        best = pool.choose(min(wanted, _PARENTS))
    chosen = pool.choose(wanted)
    first_made = len(known) + len(given)
    return Found(tuple(pool.samples[i] for i in chosen), sum(i >= first_made for i in chosen))


class _Pool:
    """Inputs that were tried, with what came of them.

    Args:
        ends: of the outputs.
        probe: runs inputs.
        known: how many of the first samples are used whatever is chosen.
    """

    def __init__(self, ends: Mapping[str, OutputEnds | None], probe: Probe, known: int) -> None:
        self._ends, self._probe, self._known = ends, probe, known
        self.samples: list[Sample] = []
        self._answers: dict[str, list[bytes]] = {name: [] for name in ends}
        self._telling: dict[str, list[bool]] = {name: [] for name in ends}
        self._levels: list[NDArray[np.int8]] = []
        self._weights: NDArray[np.float64] = np.zeros(0)

    def add(self, samples: Sequence[Sample]) -> None:
        """Try inputs, and keep them."""
        if not samples:
            return
        response = self._probe(stacked(samples))
        self.samples += samples
        parts: list[NDArray[np.int8]] = []
        for name, ends in self._ends.items():
            values = response.outputs[name].reshape(len(samples), -1)
            self._answers[name] += [hashlib.blake2b(row.tobytes()).digest() for row in values]
            self._telling[name] += [bool(told) for told in _telling(values, ends)]
            parts.append(output_levels(values, ends))
        parts.append(response.inner)
        self._levels += list(np.concatenate(parts, axis=1))
        self._weights = np.concatenate([np.full(part.shape[1], 1 / max(part.shape[1], 1)) for part in parts])

    def choose(self, count: int) -> list[int]:
        """Greedily the inputs, beside the known ones, that add most to what is seen; the best first."""
        if len(self.samples) <= self._known:
            return []
        levels = self._levels
        rows, unseen = self._rows, self._unseen.copy()
        answers = {name: set(answer[: self._known]) for name, answer in self._answers.items()}
        chosen: list[int] = []
        # What an input adds only gets less as others are taken: what it added earlier is a bound.
        bounds = [(-math.inf, sample) for sample in range(self._known, len(self.samples))]
        while bounds and len(chosen) < count:
            _, sample = heapq.heappop(bounds)
            new = self._weights[np.take(unseen, rows + levels[sample])].sum()
            adds = float(new) + self._merit(sample, answers)
            if bounds and adds < -bounds[0][0]:
                heapq.heappush(bounds, (-adds, sample))
            else:
                chosen.append(sample)
                unseen[rows + levels[sample]] = False
                for name, answer in self._answers.items():
                    answers[name].add(answer[sample])
        return chosen

    @functools.cached_property
    def _rows(self) -> NDArray[np.intp]:
        """Where the columns of an element begin: one for each level behind a first one, where -1 lands."""
        return np.arange(len(self._levels[0])) * (LEVELS + 1) + 1

    @functools.cached_property
    def _unseen(self) -> NDArray[np.bool_]:
        """The columns that the known inputs leave to be seen; there is nothing to see at -1."""
        unseen = np.ones(len(self._rows) * (LEVELS + 1), np.bool_)
        unseen[self._rows - 1] = False
        for levels in self._levels[: self._known]:
            unseen[self._rows + levels] = False
        return unseen

    def adds(self, chosen: Sequence[int]) -> bool:
        """Whether the best of what was chosen has an answer between the ends that no known input has."""
        known = range(self._known)
        return any(
            self._telling[name][i] and answer[i] not in {answer[k] for k in known}
            for name, answer in self._answers.items()
            for i in chosen[:1]
        )

    def parents(self, samples: Sequence[int]) -> list[Sample]:
        """Those whose answers lie between the ends, if any: what is near them has other such answers."""
        telling = [i for i in samples if any(told[i] for told in self._telling.values())]
        return [self.samples[i] for i in telling or samples]

    def _merit(self, sample: int, answers: Mapping[str, set[bytes]]) -> float:
        """Distinct answers come before everything else, unsaturated ones among them first."""
        return sum(
            (2.0 if self._telling[name][sample] else 1.0) * (answer[sample] not in answers[name])
            for name, answer in self._answers.items()
        )

    def stuck(self, chosen: Sequence[int]) -> bool:
        """Whether an output has hardly any answers between the ends of its range."""
        used = (*range(self._known), *chosen)
        wanted = min(_ENOUGH, len(used))
        return any(
            len({answer[i] for i in used if self._telling[name][i]}) < wanted
            for name, answer in self._answers.items()
        )


def _telling(values: NDArray[Any], ends: OutputEnds | None) -> NDArray[np.bool_]:
    """Per input, whether any element lies between the ends."""
    if ends is None or values.shape[1] == 0:
        return np.ones(len(values), np.bool_)
    return np.asarray(~ends.reached(values).all(axis=1))


def output_levels(values: NDArray[Any], ends: OutputEnds | None) -> NDArray[np.int8]:
    """Levels of some elements of an output, -1 at the ends of its range, and of its arg max.

    Args:
        values: ``[inputs, elements]``.
        ends: of its range; None for numbers that have none, of which any 16 different ones are different levels.

    Returns:
        ``[inputs, elements looked at + 1]``.
    """
    count = values.shape[1]
    if count == 0:
        return np.zeros((len(values), 0), np.int8)
    places = np.linspace(0, count - 1, min(count, _MOST_ELEMENTS)).astype(int)
    seen = np.nan_to_num(values[:, places].astype(float))
    if ends is None:
        levels = np.mod(seen, LEVELS).astype(np.int8)
    else:
        levels = np.clip((seen - ends.low) / (ends.high - ends.low) * LEVELS, 0, LEVELS - 1).astype(np.int8)
        levels[ends.reached(seen)] = -1
    largest = (np.nan_to_num(values.astype(float)).argmax(axis=1) % LEVELS).astype(np.int8)
    return np.concatenate([levels, largest[:, np.newaxis]], axis=1)


def unprobed(ranges: Mapping[str, InputRange], wanted: int, seed: int) -> list[Sample]:
    """Made-up inputs of all kinds, for a model that nothing here can run."""
    generator = np.random.default_rng(seed)
    return [made_up(generator, ranges, kind) for kind in range(wanted)]
