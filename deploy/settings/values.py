"""Checks values from settings files, and makes their paths relative to the working folder."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError
from deploy.settings.declared import Declared, Kind

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

    Args:
        declared: the option.
        value: from TOML.
        source: names the file in errors.
        folder: that the file lies in.

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
