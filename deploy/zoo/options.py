"""The options of a project's network, and the trained weights that belong to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from deploy.assignments import parse
from deploy.zoo.project import Pretrained, Project, function


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
