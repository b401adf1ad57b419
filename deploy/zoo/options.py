"""Options of a network as ``--set KEY=VALUE`` gives them: of model projects and of users' own functions."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.errors import BadInputError
from deploy.zoo.project import Pretrained, Project, function

_TRUE, _FALSE = frozenset(["true", "yes", "on", "1"]), frozenset(["false", "no", "off", "0"])


def options(project: Project, assignments: Sequence[str] = ()) -> Any:
    """The project's options with some of them set.

    Args:
        project: whose options.
        assignments: ``KEY=VALUE`` each; a mapping is written ``heads=garment:10,kind:5``.

    Returns:
        An instance of the project's options dataclass.

    Raises:
        BadInputError: an unknown key (the nearest is named), or a value of the wrong kind or range.
    """
    defaults = function(project, "options")()
    kept = {field.name: getattr(defaults, field.name) for field in dataclasses.fields(defaults)}
    return dataclasses.replace(defaults, **parse(assignments, kept, project.name))


def assignments_of(chosen: Mapping[str, Any]) -> tuple[str, ...]:
    """Values as ``--set`` takes them: the opposite of :func:`parse`."""
    return tuple(f"{key}={_show(value)}" for key, value in chosen.items())


def pretrained(project: Project, chosen: Any) -> Pretrained | None:
    """The trained weights that the project brings for these options; None where it brings none."""
    defaults = type(chosen)()
    for candidate in project.pretrained:
        fits = (
            getattr(chosen, field.name) == candidate.options.get(field.name, getattr(defaults, field.name))
            for field in dataclasses.fields(chosen)
            if field.name not in candidate.any
        )
        if all(fits):
            return candidate
    return None


def parse(assignments: Sequence[str], defaults: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Read assignments as values of the types that the defaults have.

    Args:
        assignments: ``KEY=VALUE`` each.
        defaults: option -> default; ``None`` for one that takes the text as it is.
        owner: who has these options, for messages.

    Returns:
        Option -> value, for those that were assigned.

    Raises:
        BadInputError: an unknown key (the nearest is named), one that stands twice, or a value of the wrong kind.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise BadInputError(f"--set {assignment}: must be KEY=VALUE", hints=[_known_options(defaults)])
        if key not in defaults:
            near = difflib.get_close_matches(key, defaults, n=1)
            raise BadInputError(
                f"--set {assignment}: {owner} has no option {key!r}"
                + (f"; did you mean {near[0]!r}?" if near else ""),
                hints=[_known_options(defaults)],
            )
        if key in changes:
            raise BadInputError(f"--set {assignment}: {key} stands twice")
        changes[key] = _value(assignment, text, defaults[key])
    return changes


def _known_options(defaults: Mapping[str, Any]) -> str:
    if not defaults:
        return "it has no options"
    return "options and their defaults: " + " ".join(assignments_of(defaults))


def _show(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{k}:{v}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(assignment: str, text: str, default: Any) -> Any:
    """Read an option's value as the type that its default has."""
    try:
        if isinstance(default, bool):
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError("true or false")
            return text.lower() in _TRUE
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
        if isinstance(default, Mapping):
            pairs = [part.partition(":") for part in text.split(",")]
            if len({name for name, _, _ in pairs}) != len(pairs):
                raise ValueError("a name stands twice")
            return {name.strip(): int(number) for name, _, number in pairs}
        if isinstance(default, tuple):
            kind = type(default[0]) if default else str
            return tuple(kind(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise BadInputError(f"--set {assignment}: not a usable value: {error}") from error
    return text
