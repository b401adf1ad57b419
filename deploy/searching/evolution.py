"""Proposes what to try next: a small evolution of fronts, as NSGA-II ranks them.

The proposal is a function of the seed and of what was tried so far, and of nothing else: no state has to be kept
for a search to continue as if it had never stopped. (Optuna's samplers hold the state of their random numbers in
memory only: a study that is loaded again goes on differently.)
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.searching.space import Genome, Space

FOUNDERS = 6
"""Networks drawn at random before the first ones are bred."""

LATENCY_WEIGHT = 0.07
"""Without a limit, a network with twice the cycles must be 5 % more accurate (Tan et al., arXiv:1807.11626)."""

_DRAWS = 200


@dataclass(frozen=True)
class Individual:
    """A network that was tried.

    Attributes:
        genome: what it is.
        cycles: of an inference, estimated; infinite where it failed.
        accuracy: 0 to 1; None where it was not trained, because it failed or has too many cycles.
    """

    genome: Genome
    cycles: float
    accuracy: float | None

    def dominates(self, other: Individual) -> bool:
        """Whether it is better in one respect and worse in none; trained ones come before all others."""
        if self.accuracy is None or other.accuracy is None:
            if self.accuracy is None and other.accuracy is None:
                return self.cycles < other.cycles
            return other.accuracy is None
        if (self.cycles, self.accuracy) == (other.cycles, other.accuracy):
            return False
        return self.cycles <= other.cycles and self.accuracy >= other.accuracy

    def merit(self, *, limited: bool) -> tuple[float, float]:
        """What the best one has most of: accuracy within a limit of cycles, else accuracy weighed by cycles."""
        if self.accuracy is None:
            return -1.0, -self.cycles
        weighed = self.accuracy if limited else self.accuracy * float(max(self.cycles, 1.0) ** -LATENCY_WEIGHT)
        return weighed, -self.cycles


def front(individuals: Sequence[Individual]) -> list[Individual]:
    """Those that no other dominates."""
    return [one for one in individuals if not any(other.dominates(one) for other in individuals)]


def best(individuals: Sequence[Individual], *, limited: bool) -> Individual | None:
    """The one with the most merit, the earliest of equals; one that was not trained only where none was.

    None where all failed.
    """
    usable = [one for one in individuals if one.cycles < float("inf")]
    return max(usable, key=lambda one: one.merit(limited=limited), default=None)


def propose(space: Space, tried: Sequence[Individual], seed: str) -> Genome | None:
    """The next genome to try; never one that was tried. The narrowest network is the first.

    Returns:
        None when the whole space was tried.
    """
    known = {one.genome for one in tried}
    if len(known) >= space.size:
        return None
    if space.ordered and not tried:
        return (0,) * len(space.options)  # if this one is above the limit, all are
    chance = random.Random(f"{seed}:{len(tried)}")  # noqa: S311 - reproducible, not secret
    ranks = _ranks(tried)
    for _ in range(_DRAWS):
        genome = _drawn(space, chance) if len(tried) < FOUNDERS else _child(space, tried, ranks, chance)
        if genome not in known:
            return genome
    return _nearby(space, known, chance)


def _drawn(space: Space, chance: random.Random) -> Genome:
    return tuple(chance.randrange(options) for options in space.options)


def _child(space: Space, tried: Sequence[Individual], ranks: list[int], chance: random.Random) -> Genome:
    """Two parents, each the better of two; then one gene on average changes, at least one."""
    mother, father = (_parent(tried, ranks, chance) for _ in range(2))
    genes = [chance.choice(pair) for pair in zip(mother, father, strict=True)]
    certain = chance.randrange(len(genes))
    for i, options in enumerate(space.options):
        if options > 1 and (i == certain or chance.random() < 1 / len(genes)):
            genes[i] = _mutated(genes[i], options, space.ordered, chance)
    return tuple(genes)


def _parent(tried: Sequence[Individual], ranks: list[int], chance: random.Random) -> Genome:
    pair = [chance.randrange(len(tried)) for _ in range(2)]
    return tried[min(pair, key=lambda i: ranks[i])].genome


def _mutated(gene: int, options: int, ordered: bool, chance: random.Random) -> int:
    if ordered:
        return chance.choice([other for other in (gene - 1, gene + 1) if 0 <= other < options])
    return chance.choice([other for other in range(options) if other != gene])


def _nearby(space: Space, known: set[Genome], chance: random.Random) -> Genome:
    """Counting on from a random genome: the first that was not tried."""
    genome = list(_drawn(space, chance))
    while tuple(genome) in known:
        for i, options in enumerate(space.options):
            genome[i] = (genome[i] + 1) % options
            if genome[i]:
                break
    return tuple(genome)


def _ranks(tried: Sequence[Individual]) -> list[int]:
    """Of each: 0 on the front, 1 on the front of the others, and so on."""
    beaten = [[j for j, other in enumerate(tried) if one.dominates(other)] for one in tried]
    beating = Counter(j for those in beaten for j in those)
    ranks = [0] * len(tried)
    current, rank = [i for i in range(len(tried)) if not beating[i]], 0
    while current:
        following = []
        for i in current:
            ranks[i] = rank
            for j in beaten[i]:
                beating[j] -= 1
                if not beating[j]:
                    following.append(j)
        current, rank = following, rank + 1
    return ranks
