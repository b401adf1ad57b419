"""Which build folder was written last, for verbs that are called without BUILD."""

from __future__ import annotations

import json
import os
from pathlib import Path

from deploy.errors import BadInputError
from deploy.files import read_bytes, write_text

FOLDER = Path("build")
"""Where build folders go by default, below the project's folder."""

_LAST_BUILD = FOLDER / ".last-build.json"


def remember_build(path: Path, project: Path) -> None:
    """Note which build folder was written last in a project: relative to it, so that a project can move.

    A folder that is not in the project is noted as where it is.
    """
    noted = str(path.absolute())
    as_named = (Path(os.path.normpath(path.absolute())), Path(os.path.normpath(project.absolute())))
    for place, whole in (as_named, (path.resolve(), project.resolve())):  # a link leads to one of them, or to both
        if place.is_relative_to(whole):
            noted = str(place.relative_to(whole))
            break
    write_text(project / _LAST_BUILD, json.dumps({"build": noted}) + "\n")


def has_last_build(project: Path) -> bool:
    """Whether ``compile`` wrote a build folder in a project."""
    return (project / _LAST_BUILD).is_file()


def last_build(project: Path) -> Path:
    """The build folder that ``compile`` wrote last in a project.

    Raises:
        BadInputError: there is none.
    """
    try:
        return project / str(json.loads(read_bytes(project / _LAST_BUILD))["build"])
    except (BadInputError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError(
            "no build folder was named and none was compiled from here",
            hints=["`deploy compile MODEL --npu U55-128` writes one", "or name it: `deploy run-fvp BUILD`"],
        ) from error
