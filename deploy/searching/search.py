"""Runs a search: decides what comes next from what was tried, tries it, keeps it, and sums up.

Everything is decided by the settings and the candidates so far, so that a search that was killed and continued
ends as one that was not.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deploy.build_folder import Figure
from deploy.errors import BadInputError
from deploy.files import write_bytes, write_text
from deploy.searching.documents import CYCLES, Candidate, ResultEntry, SearchResult, Settings, Tried
from deploy.searching.evolution import Individual, best, front, propose
from deploy.searching.problem import Problem
from deploy.searching.space import Description, Genome, Space
from deploy.searching.state import NETWORKS, SearchFolder

RESULT, BEST, BEST_NETWORK = "result.json", "best.json", "best.keras"


@dataclass(frozen=True)
class Trained:
    """A network after its training."""

    accuracy: Figure
    parameters: int
    content: bytes


@dataclass(frozen=True)
class Budget:
    """When a search ends, counted over all starts; all stages get an equal share. None is no bound."""

    trials: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Refuse a search without an end, or one that compares nothing."""
        if self.trials is None and self.minutes is None:
            raise BadInputError("a search needs --trials or --minutes")
        if self.trials is not None and self.trials < 2:
            raise BadInputError(f"--trials {self.trials}: two at least")
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise BadInputError(f"--minutes {self.minutes}: must be positive")

    def used(self, candidates: Sequence[Candidate]) -> float:
        """The share of it that was used; 1 and more means that the search is over."""
        spent = sum(candidate.seconds for candidate in candidates)
        trials = len(candidates) / self.trials if self.trials else 0.0
        return max(trials, spent / (60 * self.minutes) if self.minutes else 0.0)


@dataclass(frozen=True)
class Task:
    """What to try next."""

    stage: int
    genome: Genome
    network: Description


def next_task(
    problem: Problem, settings: Settings, budget: Budget, candidates: Sequence[Candidate]
) -> Task | None:
    """Decide what to try next: of the stage under way, or of the next one when its share is used or all was tried.

    Returns:
        None when the budget is used up or everything was tried.

    Raises:
        BadInputError: all networks of the first stage failed.
    """
    if budget.used(candidates) >= 1:
        return None
    under_way, last = candidates[-1].stage if candidates else 1, len(problem.stages)
    for number in range(under_way, last + 1):
        begun = [candidate.individual for candidate in candidates if candidate.stage == number]
        if number < last and begun and budget.used(candidates) >= number / last:
            continue
        space, known = _space(problem, settings, number, candidates)
        stage = problem.stages[number - 1]
        genome = propose(space, [*known, *begun], f"{settings.seed}:{stage.name}")
        if genome is not None:
            return Task(number, genome, space.describe(genome))
    return None


def chosen(settings: Settings, stage: int, candidates: Sequence[Candidate]) -> Candidate:
    """The network that a stage begins with: the best one of all earlier stages.

    Raises:
        BadInputError: all failed.
    """
    earlier = [candidate for candidate in candidates if candidate.stage < stage]
    winner = _best(settings, earlier)
    if winner is None:
        reason = next((candidate.reason for candidate in earlier if candidate.reason), "no network was tried")
        raise BadInputError(f"no network of stage {stage - 1} could be estimated or trained: {reason}")
    return winner


def _space(
    problem: Problem, settings: Settings, stage: int, candidates: Sequence[Candidate]
) -> tuple[Space, list[Individual]]:
    """The space of a stage, and what is known of it before anything of it was tried."""
    if stage == 1:
        return problem.stages[0].after(None), []
    start = chosen(settings, stage, candidates)
    space, own = problem.stages[stage - 1].after(start.network), start.individual
    return space, [] if space.known is None else [Individual(space.known, own.cycles, own.accuracy)]


def result_of(problem: Problem, settings: Settings, candidates: Sequence[Candidate]) -> SearchResult:
    """Sum up what was found so far."""
    names = [stage.name for stage in problem.stages]
    begun = max((candidate.stage for candidate in candidates), default=1)
    starts = [chosen(settings, stage, candidates).columns for stage in range(2, begun + 1)]
    winner = _best(settings, candidates)
    return SearchResult(
        settings=settings,
        stages=tuple(names),
        candidates=tuple(
            sum(candidate.stage == number for candidate in candidates) for number in range(1, len(names) + 1)
        ),
        outcomes=dict(sorted(Counter(candidate.status for candidate in candidates).items())),
        chosen=tuple(
            columns.get(name, " ".join(columns.values())) for name, columns in zip(names, starts, strict=False)
        ),
        front=tuple(
            ResultEntry(
                **{name: getattr(candidate, name) for name in Tried.model_fields},
                parameters=candidate.parameters or 0,
                file=f"{NETWORKS}/{candidate.number}.keras",
            )
            for candidate in trained_front(candidates)
        ),
        best=winner.number if winner is not None and winner.status == "trained" else None,
        legend=problem.legend,
    )


def trained_front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The trained candidates that no other beats, fewest cycles first."""
    trained = [candidate for candidate in candidates if candidate.status == "trained"]
    individuals = [candidate.individual for candidate in trained]
    optimal = {id(one) for one in front(individuals)}
    kept = [one for one, individual in zip(trained, individuals, strict=True) if id(individual) in optimal]
    return sorted(kept, key=lambda candidate: (candidate.individual.cycles, candidate.number))


class Search:
    """One search, begun or continued.

    Raises:
        BadInputError: fewer trials than stages.
    """

    def __init__(
        self,
        folder: SearchFolder,
        problem: Problem,
        settings: Settings,
        budget: Budget,
        *,
        estimate: Callable[[Description], tuple[Figure, ...]],
        train: Callable[[Description], Trained],
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        if budget.trials is not None and budget.trials < len(problem.stages):
            raise BadInputError(f"--trials {budget.trials}: {len(problem.stages)} at least, one for each stage")
        self._folder, self._problem, self._settings, self._budget = folder, problem, settings, budget
        self._estimate, self._train, self._on_progress = estimate, train, on_progress

    def run(self) -> SearchResult:
        """Run to the end of the budget and write the result.

        Raises:
            BadInputError: all networks of the first stage failed, or the folder cannot be written.
            NotInstalledError: something that all networks need is missing.
        """
        self._check()
        candidates = self._folder.candidates
        self._progress()
        while (task := next_task(self._problem, self._settings, self._budget, candidates)) is not None:
            self._folder.append(self._try(task))
            self._folder.prune_networks({candidate.number for candidate in trained_front(candidates)})
            self._progress()
        result = result_of(self._problem, self._settings, candidates)
        self._write(result)
        return result

    def _check(self) -> None:
        """What an earlier run has left must be what it would have tried."""
        for candidate in self._folder.candidates:
            before = self._folder.candidates[: candidate.number]
            mine = 1 <= candidate.stage <= len(self._problem.stages)
            if mine:
                space, _ = _space(self._problem, self._settings, candidate.stage, before)
                space.check(candidate.genome)
                mine = candidate.network == space.describe(candidate.genome)
            if not mine:
                raise BadInputError(
                    f"{self._folder.path}: candidate {candidate.number} is none of this search",
                    hints=["-o another folder"],
                )

    def _try(self, task: Task) -> Candidate:
        number, began = len(self._folder.candidates), time.monotonic()
        fields = {
            "number": number,
            "stage": task.stage,
            "genome": task.genome,
            "network": task.network,
            "columns": self._problem.columns(task.network),
        }
        figures: tuple[Figure, ...] = ()
        limit = self._settings.limit_cycles
        try:
            figures = self._estimate(task.network)
            cycles = next(figure.value for figure in figures if figure.name == CYCLES)
            if limit is not None and cycles > limit:
                fields |= {"status": "too slow", "reason": f"{cycles:,.0f} cycles, the limit is {limit:,}"}
            else:
                trained = self._train(task.network)
                figures = (*figures, trained.accuracy)
                self._folder.keep_network(number, trained.content)
                fields |= {"status": "trained", "parameters": trained.parameters}
        except BadInputError as error:
            fields |= {"status": "failed", "reason": error.message}
        seconds = round(time.monotonic() - began, 3)
        return Candidate.model_validate({**fields, "figures": figures, "seconds": seconds})

    def _write(self, result: SearchResult) -> None:
        path = self._folder.path
        for entry in result.front:  # deleted by somebody: its training gives the same again
            if not self._folder.network_file(entry.number).is_file():
                self._folder.keep_network(entry.number, self._train(entry.network).content)
        if (winner := result.best_entry) is not None:
            write_bytes(path / BEST_NETWORK, self._folder.network_file(winner.number).read_bytes())
            write_text(path / BEST, winner.model_dump_json(indent=2) + "\n")
        write_text(path / RESULT, result.model_dump_json(indent=2) + "\n")

    def _progress(self) -> None:
        done = len(self._folder.candidates)
        used = self._budget.used(self._folder.candidates)
        by_time = round(done / used) if used else done + 1
        self._on_progress(done, min(filter(None, (self._budget.trials, max(by_time, done)))))


def _best(settings: Settings, candidates: Sequence[Candidate]) -> Candidate | None:
    individuals = [candidate.individual for candidate in candidates]
    winner = best(individuals, limited=settings.limit_cycles is not None)
    return next((one for one, own in zip(candidates, individuals, strict=True) if own is winner), None)
