"""What is proposed: reproducible, new every time, and better than chance."""

import random

from hypothesis import given
from hypothesis import strategies as st

from deploy.searching.evolution import FOUNDERS, Individual, _ranks, best, front, propose
from deploy.searching.space import Genome, Space

individuals = st.builds(
    Individual,
    genome=st.tuples(st.integers(0, 9)),
    cycles=st.sampled_from([1.0, 2.0, 3.0, float("inf")]),
    accuracy=st.none() | st.sampled_from([0.1, 0.5, 0.9]),
)


def space_of(*options: int, ordered: bool = False) -> Space:
    return Space(options, ordered, lambda genome: {"genome": genome})


def tried(space: Space, count: int, seed: str) -> list[Individual]:
    """Cycles grow with the genes; accuracy with all but the last one."""
    found: list[Individual] = []
    while len(found) < count and (genome := propose(space, found, seed)) is not None:
        found.append(Individual(genome, 10.0 + sum(genome), sum(genome[:-1]) / 100))
    return found


@given(one=individuals, other=individuals)
def test_dominance_is_strict(one: Individual, other: Individual) -> None:
    assert not one.dominates(one)
    assert not (one.dominates(other) and other.dominates(one))


@given(st.lists(individuals, max_size=12))
def test_the_front_is_what_nothing_beats_and_beats_all_others(population: list[Individual]) -> None:
    optimal = front(population)
    assert bool(optimal) == bool(population)
    for one in population:
        on_front = any(one is other for other in optimal)
        assert on_front != any(other.dominates(one) for other in optimal)


def test_a_trained_network_comes_before_one_that_is_too_slow_and_that_before_a_failed_one() -> None:
    trained = Individual((0,), 9.0, 0.1)
    slow, slower = Individual((1,), 20.0, None), Individual((2,), 30.0, None)
    failed = Individual((3,), float("inf"), None)
    order = [trained, slow, slower, failed]
    for i, one in enumerate(order):
        assert all(one.dominates(other) for other in order[i + 1 :])
    assert best(order[1:], limited=True) is slow
    assert best([failed], limited=True) is None


def test_without_a_limit_twice_the_cycles_must_pay_in_accuracy() -> None:
    small = Individual((0,), 1e5, 0.80)
    assert best([small, Individual((1,), 2e5, 0.83)], limited=False) is small
    large = Individual((1,), 2e5, 0.86)
    assert best([small, large], limited=False) is large
    assert best([small, Individual((1,), 2e5, 0.801)], limited=True) != small


def test_ranks_are_the_fronts_peeled_off_one_by_one() -> None:
    population = [Individual((i,), float(i % 5), (i * 7 % 11) / 11) for i in range(40)]
    ranks, remaining, rank = _ranks(population), list(range(40)), 0
    while remaining:
        optimal = {id(one) for one in front([population[i] for i in remaining])}
        assert {i for i in remaining if id(population[i]) in optimal} == {i for i in range(40) if ranks[i] == rank}
        remaining, rank = [i for i in remaining if id(population[i]) not in optimal], rank + 1


def test_the_same_seed_and_history_propose_the_same() -> None:
    space = space_of(5, 5, 5, ordered=True)
    assert tried(space, 30, "1") == tried(space, 30, "1")
    assert tried(space, 30, "1") != tried(space, 30, "2")
    # A constant: another Python or another computer goes on with the search of this one.
    assert [one.genome for one in tried(space, 9, "1")][-4:] == [(1, 0, 1), (0, 1, 2), (1, 0, 3), (0, 1, 1)]


def test_nothing_is_proposed_twice_until_everything_was() -> None:
    for ordered in (True, False):
        space = space_of(3, 1, 4, 2, ordered=ordered)
        found = tried(space, 100, "7")
        assert len(found) == space.size == len({one.genome for one in found})
        assert propose(space, found, "7") is None


def test_proposals_are_inside_the_space() -> None:
    space = space_of(2, 9, 1, 3, ordered=True)
    for one in tried(space, 40, "3"):
        space.check(one.genome)


def test_it_finds_more_than_chance_does() -> None:
    space = space_of(9, 9, 8, 9, 8, 9)

    def hidden(genome: Genome) -> float:
        return -sum(abs(gene - 4) for gene in genome)

    def searched(seed: int) -> float:
        found: list[Individual] = []
        while len(found) < 60:
            genome = propose(space, found, str(seed))
            assert genome is not None
            found.append(Individual(genome, 1.0, 1 + hidden(genome) / 100))
        return max(hidden(one.genome) for one in found)

    def by_chance(seed: int) -> float:
        chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
        return max(hidden(tuple(map(chance.randrange, space.options))) for _ in range(60))

    assert FOUNDERS < 60
    assert sum(searched(seed) for seed in range(8)) > sum(by_chance(seed) for seed in range(8)) + 8
