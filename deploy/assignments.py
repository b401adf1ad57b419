"""``--set KEY=VALUE``: options of a network, of a model project or of a user's own function."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deploy.errors import BadInputError

_TRUE, _FALSE = frozenset(["true", "yes", "on", "1"]), frozenset(["false", "no", "off", "0"])
_TYPES = {"int": int, "float": float, "bool": bool, "str": str}


def assignments_of(chosen: Mapping[str, Any]) -> tuple[str, ...]:
    """Values as ``--set`` takes them: the opposite of :func:`parse`."""
    return tuple(f"{key}={_show(value)}" for key, value in chosen.items())


def keywords_of(function: Callable[..., Any], assignments: Sequence[str], owner: str) -> dict[str, Any]:
    """Read assignments as keyword arguments of a function.

    A value is read as the type of the parameter's default, else of its annotation (``int``, ``float``, ``bool``,
    ``str``), else taken as text.

    Raises:
        BadInputError: the function has no such parameter (its parameters are named), or a value is of the wrong
            kind.
    """
    if not assignments:
        return {}
    defaults: dict[str, Any] = {}
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:  # classes and built-in functions that tell nothing
        raise BadInputError(f"--set {assignments[0]}: {owner} does not say what it takes") from error
    for name, parameter in parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            continue
        if parameter.default not in (parameter.empty, None):
            defaults[name] = parameter.default
        else:
            annotated = parameter.annotation
            kind = annotated if isinstance(annotated, str) else getattr(annotated, "__name__", "")
            defaults[name] = _TYPES.get(kind.partition(" |")[0], str)()
    return parse(assignments, defaults, owner)


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
