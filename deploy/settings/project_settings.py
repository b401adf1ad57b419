"""Finds a project's settings: ``deploy.toml`` and ``[tool.deploy]`` of ``pyproject.toml``, here or further up."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError
from deploy.streams import check_readable_file

SETTINGS_FILE = "deploy.toml"
PYPROJECT = "pyproject.toml"

VERBS = "verb"
"""The table of tables of verbs: ``[verb.run-fvp]``. Some verbs are called as keys are."""

_MAX_BYTES = 1 << 20
_ENDLESS_KEY = re.compile(r"(?<![A-Za-z0-9_-])(?:[A-Za-z0-9_-]++\.){50}")
"""A key of so many parts takes the parser minutes."""

TRUST_VARIABLE = "DEPLOY_TRUST"
"""Environment variable: folders, separated by colons, whose settings are read although others own them."""


@dataclass(frozen=True)
class Table:
    """Keys of one file.

    Attributes:
        source: names the file, and the table in it, in errors.
        values: key, with underscores -> value.
        tables: verb (``run-fvp``, ``models build``) -> what only that verb takes.
    """

    source: str
    values: Mapping[str, Any]
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class ProjectSettings:
    """A project's folder and settings.

    Attributes:
        folder: that the settings lie in, and paths in them are relative to, as seen from the working folder; the
            working folder itself where there are none.
        tables: the strongest first.
    """

    folder: Path = Path()
    tables: tuple[Table, ...] = ()

    def kept(self, key: str, verb: str) -> Any:
        """What the files keep for an option of a verb, as it stands there; None where they keep nothing."""
        for values in (*(table.tables.get(verb, {}) for table in self.tables), *(t.values for t in self.tables)):
            if key in values:
                return values[key]
        return None


def find(start: Path | None = None) -> ProjectSettings:
    """Find the settings that hold in a folder (default: the working one): the nearest upward, as git and cargo do.

    Raises:
        BadInputError: a file is not TOML, or belongs to another user (settings may name programs to run).
    """
    start = start or Path()
    here = start.absolute()
    for folder in (here, *here.parents):
        tables = tuple(_tables(folder, shown=_seen_from(start, here, folder)))
        if tables:
            return ProjectSettings(_seen_from(start, here, folder), tables)
    return ProjectSettings(start)


def _seen_from(start: Path, here: Path, folder: Path) -> Path:
    """A folder at or above ``here``, as a user in ``start`` would write it."""
    return start if folder == here else Path(os.path.relpath(folder, here)) if start == Path() else folder


def _tables(folder: Path, shown: Path) -> Iterable[Table]:
    own, common = folder / SETTINGS_FILE, folder / PYPROJECT
    if os.path.lexists(own):
        yield _table(_toml(own, shown / SETTINGS_FILE), str(shown / SETTINGS_FILE))
    if common.is_file():
        found = _mapping(_toml(common, shown / PYPROJECT, ours=False).get("tool")).get("deploy")
        if found is not None:
            _check_owner(common, shown / PYPROJECT)
            yield _table(_mapping(found), f"{shown / PYPROJECT} [tool.deploy]")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _table(content: dict[str, Any], source: str) -> Table:
    if not isinstance(content.get(VERBS, {}), dict):
        raise BadInputError(f"{source}: `{VERBS}` holds tables, one a verb", hints=[f"[{VERBS}.run-fvp]"])
    values = {_key(key): value for key, value in content.items() if key != VERBS}
    tables: dict[str, Mapping[str, Any]] = {}
    pending = [(_dashed(name), value) for name, value in _mapping(content.get(VERBS)).items()]
    while pending:  # a verb below a verb is a table in a table
        name, value = pending.pop()
        inner = _mapping(value)
        tables[name] = {_key(key): each for key, each in inner.items() if not isinstance(each, dict)}
        pending += [(f"{name} {_dashed(key)}", each) for key, each in inner.items() if isinstance(each, dict)]
    return Table(source, values, tables)


def _dashed(text: str) -> str:
    return text.replace("_", "-")


def _key(text: str) -> str:
    return text.replace("-", "_")


def _toml(path: Path, shown: Path, *, ours: bool = True) -> dict[str, Any]:
    """Read a file; one that is not only ours may be unreadable, and is checked for its owner once it names us."""
    if ours:
        _check_owner(path, shown)
    try:
        check_readable_file(path)
        if path.stat().st_size > _MAX_BYTES:
            raise BadInputError(f"{shown}: larger than the {_MAX_BYTES} bytes that are read")
        text = path.read_text(encoding="utf-8")
        if _ENDLESS_KEY.search(text):
            raise RecursionError("nested too deeply")
        return tomllib.loads(text)
    except OSError as error:
        raise BadInputError(f"{shown}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # ValueError for numbers that are too long, too
        raise BadInputError(f"{shown}: not valid TOML: {error}") from error


def _check_owner(path: Path, shown: Path) -> None:
    """Settings name models, simulators and firmware, so that another user's would run that user's programs.

    Root may do that anyhow, and root by way of sudo is the user who called it.
    """
    try:
        owner = path.stat().st_uid
    except OSError as error:
        raise BadInputError(f"{shown}: cannot be read: {error.strerror}") from error
    trusted = {os.geteuid(), 0}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        trusted.add(int(os.environ["SUDO_UID"]))
    if owner in trusted:
        return
    folders = {Path(entry).absolute() for entry in os.environ.get(TRUST_VARIABLE, "").split(os.pathsep) if entry}
    if path.parent not in folders:
        raise BadInputError(
            f"{shown}: belongs to another user (uid {owner}), and settings can name programs to run",
            hints=[f"{TRUST_VARIABLE}={path.parent} reads it nevertheless", "or work in a folder of your own"],
        )
