"""Finds what is to be searched: of a model project, or of a function that the user names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deploy import user_function, zoo
from deploy.assignments import keywords_of
from deploy.build_folder import sha256_of_file
from deploy.errors import BadInputError
from deploy.searching.problem import Problem, Stage
from deploy.searching.proxy import use_one_thread
from deploy.searching.space import Description, Genome, Space
from deploy.zoo.model_source import ModelKind, parse

_ROLE = "search"
_SEED = "seed"


@dataclass(frozen=True)
class Searched:
    """What is searched, and how it was asked for: all options but the seed, and versions of the user's file."""

    model: str
    options: Mapping[str, Any]
    problem: Problem
    versions: Mapping[str, str] = field(default_factory=dict)


def find(model: str, assignments: Sequence[str], seed: int) -> Searched:
    """Find what is searched.

    Executing a ``FILE.py:function`` runs code of whoever wrote it.

    Raises:
        BadInputError: there is no such project, function or option; the project has no search, or the function
            returns something else than a :class:`Problem`.
        NotInstalledError: TensorFlow, or the project's data, is missing.
    """
    source = parse(model)
    if source.kind is ModelKind.PROJECT:
        project = zoo.find(source.project)
        if _ROLE not in project.functions:
            able = [f"models:{other.name}" for other in zoo.projects() if _ROLE in other.functions]
            raise BadInputError(
                f"{project.name} cannot be searched: its project.toml names no function for {_ROLE!r}, "
                "which gives search space, data and short training",
                hints=[f"projects that can be: {', '.join(able)}", "or FILE.py:function, see docs/search.md"],
            )
        text = f"models:{project.name}"
        problem, options = _called(zoo.function(project, _ROLE), assignments, seed, text)
        return Searched(text, options, problem)
    if source.kind is not ModelKind.FUNCTION:
        raise BadInputError(
            f"{model}: a {source.kind.value} cannot be searched", hints=["MODEL: models:NAME or FILE.py:function"]
        )
    use_one_thread()  # before the file computes something: threads cannot be changed after that
    function = user_function.load(model)
    with user_function.errors_reported(model):
        problem, options = _called(function, assignments, seed, model)
    file, _ = user_function.split(model)
    return Searched(model, options, _reported(model, problem), {file.name: sha256_of_file(file)})


def _called(
    function: Callable[..., Any], assignments: Sequence[str], seed: int, owner: str
) -> tuple[Problem, dict[str, Any]]:
    parameters = {
        name: each
        for name, each in inspect.signature(function).parameters.items()
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }
    defaults = {name: each.default for name, each in parameters.items() if name != _SEED}
    options = {**defaults, **keywords_of(function, assignments, owner)}
    if _SEED in options:
        raise BadInputError(f"--set {_SEED}={options[_SEED]}: the seed of a search is --seed")
    if missing := [name for name, value in options.items() if value is inspect.Parameter.empty]:
        raise BadInputError(f"{owner}: {missing[0]} has no default", hints=[f"--set {missing[0]}=VALUE"])
    problem = function(**options, **({_SEED: seed} if _SEED in parameters else {}))
    if not isinstance(problem, Problem):
        kind = f"{type(problem).__module__}.{type(problem).__name__}"
        raise BadInputError(f"{owner}: returned {kind}, expected a deploy.searching.problem.Problem")
    plain = (str, int, float, bool, type(None))
    return problem, {name: value if isinstance(value, plain) else str(value) for name, value in options.items()}


def _reported(reference: str, problem: Problem) -> Problem:
    """The user's problem: what its functions raise is an error of one line that names the file's."""

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            with user_function.errors_reported(reference):
                return function(*arguments)

        return call

    def stage(one: Stage) -> Stage:
        if isinstance(one.space, Space):
            return replace(one, space=space(one.space))
        following = guarded(one.space)
        return replace(one, space=lambda best: space(following(best)))

    def space(one: Space) -> Space:
        network: Callable[[Genome], Description] = guarded(one.network)
        return replace(one, network=network)

    return replace(
        problem,
        stages=tuple(map(stage, problem.stages)),
        build=guarded(problem.build),
        train=guarded(problem.train),
        layers=problem.layers and guarded(problem.layers),
        columns=guarded(problem.columns),
    )
