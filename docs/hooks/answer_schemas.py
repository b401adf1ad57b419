"""JSON Schemas of what verbs write with ``--json``, from the types that they are made of.

``make schemas`` writes them into docs/reference/schemas. They are open: a document may have more keys than its
schema knows, which is what a new version of deploy may add without another version of the document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import griffe
from pydantic import BaseModel

from deploy.build_folder import Document
from deploy.cli import answer_documents as answers
from deploy.cli.answers import COMPARISON, JUDGING_VERBS, VERSIONS, schema_name
from deploy.cli.json_document import Head
from deploy.doctor import Finding
from deploy.evaluating.documents import EvaluationDocument
from deploy.judging.verdict import Verdict
from deploy.optimizing.documents import OptimizeDocument
from deploy.quantizing.quantization import QuantizationDocument
from deploy.reporting.data.build_report import BuildReport
from deploy.reporting.documents import Comparison
from deploy.searching.documents import SearchResult
from deploy.sweeping.documents import SweepDocument

FOLDER = Path(__file__).parent.parent / "reference" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

ANSWERS: Mapping[str, type[BaseModel]] = {
    "quantize": QuantizationDocument,
    "compile": BuildReport,
    "optimize": OptimizeDocument,
    "report": BuildReport,
    COMPARISON: Comparison,
    "firmware": answers.FirmwareDocument,
    "run-fvp": Verdict,
    "run-board": Verdict,
    "verify": Verdict,
    "check": Verdict,
    "sweep": SweepDocument,
    "evaluate": EvaluationDocument,
    "search": SearchResult,
    "fvp-link": answers.FvpLinkDocument,
    "fvp-install": answers.FvpInstallDocument,
    "models-list": answers.ModelsListDocument,
    "models-card": answers.ModelsCardDocument,
    "models-build": answers.ModelsBuildDocument,
    "models-train": answers.ModelsTrainDocument,
    "models-data": answers.ModelsDataDocument,
    "doctor": answers.DoctorDocument,
    "init": answers.InitDocument,
    "status": answers.StatusDocument,
}
"""Name of a document -> what stands in it behind what all have in common."""


_DATACLASSES: Mapping[str, str | None] = {"Finding": Finding.__doc__}
"""Types that are no documents -> what they say of themselves, which older versions of pydantic leave out."""


def file_name(name: str) -> str:
    """The file of a document's schema: ``compile-1.json``."""
    return f"{name}-{VERSIONS[name]}.json"


def answer_schemas() -> dict[str, str]:
    """File name -> JSON Schema, of every document that ``--json`` writes."""
    return {file_name(name): json.dumps(answer_schema(name), indent=1) + "\n" for name in ANSWERS}


def answer_schema(name: str) -> dict[str, Any]:
    """The schema of one document.

    What the verb found is required where nothing stopped the command; of a verdict it always is.
    """
    head, found = (model.model_json_schema(mode="serialization") for model in (Head, ANSWERS[name]))
    own = found.get("required", [])
    parts = found.get("$defs", {}) | head["$defs"]
    always, otherwise = (own, []) if name in JUDGING_VERBS else ([], own)
    properties = head["properties"] | found["properties"] | head["properties"]  # in the order of the document
    properties["schema"] = {"const": schema_name(name)}
    meanings = meanings_of(ANSWERS[name]) | meanings_of(Head)
    return {
        "$schema": DIALECT,
        "$id": f"urn:ethosu-deploy:{name}:{VERSIONS[name]}",
        "title": schema_name(name),
        "description": described(found["description"])[0],
        "type": "object",
        "properties": {key: _property(each, meanings.get(key)) for key, each in properties.items()},
        "required": list(dict.fromkeys([*head["properties"], *always])),
        **({"if": {"properties": {"error": {"type": "null"}}}, "then": {"required": own}} if otherwise else {}),
        "$defs": {part: _part(part, each) for part, each in sorted(parts.items())},
    }


def _part(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """One of the types that a document is made of."""
    text, meanings = described(_DATACLASSES.get(name) or schema.get("description", ""))
    told = {**_property(schema, text), "properties": {}}
    for key, each in schema["properties"].items():
        told["properties"][key] = _property(each, meanings.get(key))
    return told


def _property(schema: Mapping[str, Any], meaning: str | None) -> dict[str, Any]:
    """What a value is, without what a reader has no use for, and open to further keys."""
    dropped = ("title", "description", "default", "propertyNames")  # the last is new in pydantic 2.10
    told = {key: value for key, value in schema.items() if key not in dropped}
    if isinstance(told.get("additionalProperties"), bool):  # false closes it, true says nothing
        del told["additionalProperties"]
    return {**({"description": meaning} if meaning else {}), **told}


def meanings_of(model: type[BaseModel]) -> dict[str, str]:
    """What a type and those that it is derived from say of each attribute."""
    meanings: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, Document):
            meanings |= described(each.__doc__ or "")[1]
    return meanings


def described(docstring: str) -> tuple[str, dict[str, str]]:
    """What a docstring says of its class, and of each attribute, in the words of JSON and Markdown."""
    texts: list[str] = []
    meanings: dict[str, str] = {}
    for section in griffe.Docstring(docstring).parse("google"):
        if section.kind is griffe.DocstringSectionKind.attributes:
            meanings = {item.name.rstrip("_"): _json_words(item.description) for item in section.value}
        elif section.kind is griffe.DocstringSectionKind.text:
            texts.append(section.value.replace("``", "`"))
    return "\n\n".join(texts), meanings


def _json_words(text: str) -> str:
    """The description of an attribute in one line; Python's None is null."""
    return re.sub(r"\bNone\b", "null", " ".join(text.split()).replace("``", "`"))


def write(folder: Path = FOLDER) -> None:
    """Write the schemas, and remove those of documents that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for name, text in answer_schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
