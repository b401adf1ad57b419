"""The ``deploy.toml`` that ``deploy init`` writes, and the JSON Schema of such files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deploy.settings.declared import Declared, Kind
from deploy.settings.options import shared_options
from deploy.settings.project_files import project_files
from deploy.settings.project_settings import VERBS

_JSON_TYPES: Mapping[Kind, Any] = {
    "text": {"type": "string"},
    "path": {"type": "string"},
    "whole number": {"type": "integer"},
    "number": {"type": "number"},
    "switch": {"type": "boolean"},
    "list of texts": {"type": "array", "items": {"type": "string"}},
}


def template(folder: Path, model: str | None = None) -> str:
    """The text of a commented ``deploy.toml``: every key with what it means, set where the folder shows it.

    The model that was chosen, or the only one in the folder, becomes ``model``; files with the usual names become
    ``calibration``, ``data`` and ``labels``. Everything else stays a comment with an example.
    """
    found = project_files(folder).kept(model)
    lines = [
        "# Options of the `deploy` command for this project; the command line and variables DEPLOY_<KEY> win.",
        "# Paths are relative to this folder. With model and calibration set, the everyday commands are:",
        "#     deploy compile --npu U55-128",
        "#     deploy run-fvp",
    ]
    for declared in shared_options():
        example = declared.shared.example if declared.shared else None
        mark = "" if declared.key in found else "# "
        value = json.dumps(found.get(declared.key, example))
        lines += ["", f"# {declared.help}", f"{mark}{declared.key} = {value}"]
    lines += [
        "",
        "# What one verb alone takes, or takes differently, stands in its table:",
        f"# [{VERBS}.run-fvp]",
        '# json = "verdict.json"',
    ]
    return "\n".join(lines) + "\n"


def schema(verbs: Mapping[str, Iterable[Declared]]) -> dict[str, Any]:
    """The JSON Schema of ``deploy.toml``, from what each verb (``run-fvp``, ``models build``) takes."""
    document = _object(shared_options())
    tables: dict[str, Any] = {}
    for verb, options in verbs.items():
        place = tables
        *above, last = verb.split()
        for name in above:
            place = place.setdefault(name, {"type": "object", "properties": {}})["properties"]
        place[last] = _object(options)
    document["properties"][VERBS] = {"type": "object", "additionalProperties": False, "properties": tables}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "deploy.toml", **document}


def _object(options: Iterable[Declared]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **{key: _property(each) for each in options for key in each.keys[1:]},
            **{each.key: _property(each) for each in options},
        },
    }


def _property(declared: Declared) -> dict[str, Any]:
    found = dict(_JSON_TYPES[declared.kind])
    if declared.shared is not None and declared.shared.choices:
        found["enum"] = list(declared.shared.choices)
    if declared.shared is not None and declared.shared.sizes:
        found["type"] = ["string", "integer"]
    bounds = {"minimum": declared.minimum, "maximum": declared.maximum}
    return {
        **found,
        **{name: value for name, value in bounds.items() if value is not None},
        "description": declared.help,
    }
