"""Fills a verb's options in: command line, then environment, then ``deploy.toml``, then ``pyproject.toml``.

The merge itself is click's: settings become its ``default_map``, variables its ``envvar``. Values from files are
checked before, and their paths made relative to the working folder.
"""

from __future__ import annotations

import difflib
import functools
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from deploy.errors import BadInputError
from deploy.settings.declared import Declared, Kind, declared_by
from deploy.settings.options import shared_options
from deploy.settings.project_settings import VERBS, ProjectSettings

_LONGEST_QUOTE = 200
_LARGEST = 1e18

_TYPES: Mapping[Kind, tuple[type, ...]] = {
    "text": (str,),
    "path": (str,),
    "whole number": (int,),
    "number": (int, float),
    "switch": (bool,),
}


def check_keys(given: Iterable[str], known: Iterable[str], source: str) -> None:
    """Check that all keys are known.

    Raises:
        BadInputError: one is not; the nearest known one is named.
    """
    names = sorted(known)
    for key in given:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
            hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(names)}"
            raise BadInputError(f"{source}: unknown key `{key}`", hints=[hint])


def checked(declared: Declared, value: Any, source: str, folder: Path) -> Any:
    """A value as the command line would have it.

    Raises:
        BadInputError: it is of the wrong kind.
    """
    problem = _problem(declared, value)
    if problem is not None:
        raise BadInputError(
            f"{source}: `{declared.key}` = {_quoted(value)}: {problem}",
            hints=[f"`{declared.key}`: {declared.help}"],
        )
    if isinstance(value, str) and declared.is_path(value):
        return str(folder / Path(value).expanduser())
    return str(value) if declared.kind == "text" else value


def _quoted(value: Any) -> str:
    """A value as it stands in the file, unless it is a whole structure or longer than a line."""
    if isinstance(value, dict):
        return "{...}"
    if isinstance(value, list) and any(isinstance(each, list | dict) for each in value):
        return "[...]"
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."


def _problem(declared: Declared, value: Any) -> str | None:
    shared = declared.shared
    if declared.kind == "list of texts":
        fits = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return None if fits else "must be a list of texts"
    numbers = shared is not None and shared.sizes and isinstance(value, int)
    fits = isinstance(value, _TYPES[declared.kind]) or numbers
    if not fits or (isinstance(value, bool) and declared.kind != "switch"):
        return f"must be a {declared.kind}"
    if isinstance(value, str):
        if shared is not None and shared.choices and value not in shared.choices:
            return f"choose {', '.join(shared.choices)}"
        return "must not be empty" if not value else None
    if declared.kind == "switch" or numbers:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    if abs(value) > _LARGEST:
        return "is too large"
    if declared.minimum is not None and not value >= declared.minimum:
        return f"must be at least {declared.minimum}"
    if declared.maximum is not None and not value <= declared.maximum:
        return f"must be at most {declared.maximum}"
    return None


_TYPED = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


Around = Callable[[Mapping[str, Declared], dict[str, Any]], AbstractContextManager[None]]
"""What happens around a verb: it gets parameter -> declaration, and parameter -> value, which it may change."""


def settle(
    command: click.Command, project: ProjectSettings, verbs: Mapping[str, Any], around: Around | None = None
) -> dict[str, Any]:
    """Prepare a command line for the settings of a project.

    Every verb gets its environment variables and, for every switch, a way to switch it off again.

    Args:
        command: the group of all verbs, or of the one that is called.
        project: where it is called.
        verbs: all that there are: a settings file may have a table for each.
        around: entered when a verb's options are known, left when it has ended.

    Returns:
        The ``default_map`` to call it with.

    Raises:
        BadInputError: an unknown key, or a value of the wrong kind; of tables, that of the verb that is called is
            looked at.
    """
    known = {key for each in shared_options() for key in each.keys}
    for table in project.tables:
        check_keys(table.values, [*known, VERBS], table.source)
        check_keys((name.partition(" ")[0] for name in table.tables), verbs, f"{table.source} [{VERBS}]")
    return _below(command, project, "", around)


def typed(parameter: str) -> bool:
    """Whether an option of the running verb was typed, or set in the environment: not kept, and no default."""
    return click.get_current_context().get_parameter_source(parameter) in _TYPED


def _below(command: click.Command, project: ProjectSettings, name: str, around: Around | None) -> dict[str, Any]:
    if not isinstance(command, click.Group):
        return _verb(command, project, name, around)
    return {
        verb: _below(each, project, f"{name} {verb}".strip(), around) for verb, each in command.commands.items()
    }


def _verb(command: click.Command, project: ProjectSettings, name: str, around: Around | None) -> dict[str, Any]:
    function = getattr(command.callback, "__wrapped__", command.callback)
    if function is None:
        return {}
    by_parameter = {each.parameter: each for each in declared_by(function)}
    kept = _kept(tuple(by_parameter.values()), project, name)
    values: dict[str, Any] = {}
    for parameter in command.params:
        declared = by_parameter.get(parameter.name or "")
        if declared is None:
            continue
        variables = [f"{name} {key}" for key in declared.keys]
        variables += [*declared.keys, declared.key] if declared.shared is not None else variables[:1]
        parameter.envvar = _variable(variables)
        if isinstance(parameter, click.Option) and declared.kind == "switch" and not parameter.secondary_opts:
            parameter.secondary_opts = [f"--no-{long[2:]}" for long in parameter.opts if long.startswith("--")]
        if declared.key in kept:
            value = kept[declared.key]
            values[declared.parameter] = [value] if parameter.nargs == -1 else value
    command.callback = _dropping(command, by_parameter, around)
    return values


def _variable(names: Sequence[str]) -> str:
    """The variable that is set; of several the first, and the last where none is: messages name it."""
    variables = [f"DEPLOY_{name}".replace("-", "_").replace(" ", "_").upper() for name in names]
    return next((variable for variable in variables if variable in os.environ), variables[-1])


def _kept(options: tuple[Declared, ...], project: ProjectSettings, verb: str) -> dict[str, Any]:
    """Key -> value that the project's files give a verb; the strongest wins, a verb's table over the top."""
    found: dict[str, Any] = {}
    by_key = {key: each for each in options for key in each.keys[1:]} | {each.key: each for each in options}
    for table in project.tables:
        own = table.tables.get(verb, {})
        source = f"{table.source} [{VERBS}.{verb.replace(' ', '.')}]"
        check_keys(own, by_key, source)
        for declared in options:
            if (key := _spelled(declared, own)) is not None:
                found.setdefault(declared.key, checked(declared, own[key], source, project.folder))
    for table in project.tables:
        for declared in shared_options():
            if (key := _spelled(declared, table.values)) is not None:
                # Also where this verb does not take it: a mistake is told at once.
                value = checked(declared, table.values[key], table.source, project.folder)
                mine = by_key.get(declared.key)
                if mine is not None and mine.shared is not None:
                    found.setdefault(declared.key, value)
    return found


def _spelled(declared: Declared, values: Mapping[str, Any]) -> str | None:
    """The key under which an option stands in a table; None where it does not."""
    return next((key for key in declared.keys if key in values), None)


def _dropping(
    command: click.Command, by_parameter: Mapping[str, Declared], around: Around | None
) -> Callable[..., Any] | None:
    """The verb, called without kept values that belong to another option's kept value when that one was typed."""
    callback = command.callback
    owners = {each.key: each for each in by_parameter.values()}
    belonging = [
        (each, each.shared, owners[each.shared.belongs_to])
        for each in by_parameter.values()
        if each.shared is not None and each.shared.belongs_to in owners
    ]
    if callback is None:
        return callback

    @functools.wraps(callback)
    def call(**values: Any) -> Any:
        context = click.get_current_context()
        for each, shared, owner in belonging:
            typed = context.get_parameter_source(owner.parameter) in _TYPED
            applies = shared.belongs_if is None or shared.belongs_if(str(values[owner.parameter]))
            from_file = context.get_parameter_source(each.parameter) is ParameterSource.DEFAULT_MAP
            if typed and applies and from_file:
                values[each.parameter] = None
        with around(by_parameter, values) if around is not None else nullcontext():
            return callback(**values)

    return call
