"""What ``--json`` wrote, held against the schema that it names."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from deploy.cli.answers import PREFIX

SCHEMAS = Path(__file__).parent.parent / "docs" / "reference" / "schemas"
HEAD = ("schema", "deploy", "exit_status", "error", "notes", "written")


def answered(text: str) -> dict[str, Any]:
    """The document, which has every key that its schema requires and none that it does not know."""
    document = json.loads(text)
    assert tuple(document)[: len(HEAD)] == HEAD
    name, version = document["schema"].removeprefix(PREFIX).split("/")
    schema = json.loads((SCHEMAS / f"{name}-{version}.json").read_text())
    Draft202012Validator(schema).validate(document)
    Draft202012Validator(closed(schema)).validate(document)
    return document


def found(document: dict[str, Any]) -> dict[str, Any]:
    """What the verb found: the document without what all begin with."""
    return {key: value for key, value in document.items() if key not in HEAD}


def closed(schema: Any) -> Any:
    """The schema that knows every key: published ones are open to those of later versions."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if schema.get("type") == "object" and "properties" in schema else {}
    return {key: closed(value) for key, value in schema.items()} | more
