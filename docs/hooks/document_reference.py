"""Settings and JSON documents as pages and JSON schemas, read from the pydantic models that check them."""

from __future__ import annotations

import inspect
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import griffe
from cli_reference import commands
from pydantic import BaseModel

from deploy.advising.documents import AdviceDocument
from deploy.build_folder import CompileDocument
from deploy.evaluating.documents import EvaluationDocument
from deploy.judging.verdict import Verdict
from deploy.judging.verification_record import VerificationRecord
from deploy.optimizing.documents import OptimizeDocument
from deploy.quantizing.quantization import QuantizationDocument
from deploy.reporting.documents import Comparison
from deploy.searching.documents import Candidate, SearchResult
from deploy.settings.declared import Declared, declared_by
from deploy.settings.example import schema, template
from deploy.settings.options import shared_options
from deploy.settings.project_settings import TRUST_VARIABLE, VERBS
from deploy.sweeping.documents import SweepDocument

DOCUMENTS: dict[str, tuple[type[BaseModel], str]] = {
    "verdict": (Verdict, "`run-fvp`, `run-board`, `verify` and `check` with `--json`, and in the build folder"),
    "compile": (
        CompileDocument,
        "`compile`, as `compile.json` in the build folder; `report --format json`, with `advice` and "
        "`verification` beside",
    ),
    "verification": (VerificationRecord, "`compile`, as `verification.json` in the build folder"),
    "quantize": (QuantizationDocument, "`quantize --json`, and `compile` where it quantizes"),
    "advice": (AdviceDocument, "`compile` and `report --advice`, as `advice.json` in the build folder"),
    "optimize": (OptimizeDocument, "`optimize --json`"),
    "evaluate": (EvaluationDocument, "`evaluate`, as `evaluate.json` in the build folder, and `--json`"),
    "comparison": (Comparison, "`report A B --format json`"),
    "sweep": (SweepDocument, "`sweep --json`"),
    "search": (SearchResult, "`search`, as `result.json` in its folder"),
    "candidate": (Candidate, "`search`, a line of `candidates.jsonl`"),
}
"""Name of the schema -> the document and who writes it."""

Schema = Mapping[str, Any]


def schemas() -> dict[str, str]:
    """File name -> JSON Schema, of every document and of ``deploy.toml``."""
    documents = {
        f"{name}.schema.json": json.dumps(model.model_json_schema(mode="serialization"), indent=2) + "\n"
        for name, (model, _) in DOCUMENTS.items()
    }
    return {**documents, "deploy.toml.schema.json": settings_schema()}


def documents_page() -> str:
    """All documents as tables; what they share stands once."""
    text = [
        "# JSON documents",
        "Most documents carry `schema_version`, which grows with every change that a reader has to know of. What "
        "is not known, or does not apply, is `null`.",
    ]
    parts: dict[str, Schema] = {}
    for name, (model, writer) in DOCUMENTS.items():
        schema = model.model_json_schema(mode="serialization")
        parts |= schema.get("$defs", {})
        text += [
            f"## {name}",
            f"Written by {writer}. [JSON Schema](schemas/{name}.schema.json)",
            *_object(schema),
        ]
    text.append("## Parts")
    for name, part in sorted(parts.items()):
        text += [f"### {name}", *_object(part)]
    return "\n\n".join(text) + "\n"


def _object(schema: Schema) -> Iterable[str]:
    """Description and table of one object."""
    lead, meanings = _described(schema.get("description", ""))
    yield lead
    required = schema.get("required", ())
    rows = ["| key | type | |", "|---|---|---|"]
    for key, value in schema.get("properties", {}).items():
        mark = "" if key in required or "default" not in value else _default(value["default"])
        rows.append(f"| `{key}` | {_type(value)} | {meanings.get(key, '')}{mark} |")
    yield "\n".join(rows)


def _default(value: object) -> str:
    return "" if value in (None, "", [], {}) else f" (default `{json.dumps(value)}`)"


def _described(docstring: str) -> tuple[str, dict[str, str]]:
    """Text of a class, and what it says about each attribute."""
    texts: list[str] = []
    meanings: dict[str, str] = {}
    for section in griffe.Docstring(docstring).parse("google"):
        if section.kind is griffe.DocstringSectionKind.attributes:
            meanings = {item.name: _cell(item.description) for item in section.value}
        elif section.kind is griffe.DocstringSectionKind.text:
            texts.append(_code(section.value))
    return "\n\n".join(texts), meanings


def _code(text: str) -> str:
    return text.replace("``", "`")


def _cell(text: str) -> str:
    """The description of an attribute in a table of JSON, where Python's None is null."""
    return re.sub(r"\bNone\b", "null", _code(" ".join(text.split()))).replace("|", r"\|")


def _type(schema: Schema) -> str:
    """The type of a value, with a link where it is a part."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    kind = schema.get("type")
    if kind == "array":
        parts = schema.get("prefixItems")
        inner = ", ".join(_type(part) for part in parts) if parts else _type(schema.get("items", {}))
        return f"list of {inner}"
    if kind == "object":
        value = schema.get("additionalProperties")
        return f"name to {_type(value)}" if isinstance(value, dict) and value else "object"
    return str(kind or "any")


def settings_page() -> str:
    """The keys of ``deploy.toml``, and the file that ``deploy init`` writes."""
    with tempfile.TemporaryDirectory() as empty:
        example = template(Path(empty))
    return "\n\n".join(
        [
            "# deploy.toml",
            "Options of `deploy`, kept with a project: in `deploy.toml`, and in the table `[tool.deploy]` of "
            "`pyproject.toml`. The nearest folder that has one of them is the project's: the working folder, or "
            "one above it. Paths are relative to that folder. Every key is optional and named as the option is; "
            "`memory-mode` and `memory_mode` are the same. An unknown key is an error that names the nearest "
            "known one. [JSON Schema](schemas/deploy.toml.schema.json)",
            "The command line wins over the environment (`DEPLOY_NPU=U55-256`), that over `deploy.toml`, that "
            "over `pyproject.toml`. A switch that is kept is switched off by `--no-...`: `--no-timing`. What "
            "belongs to a kept model or to kept data (`set`, `labels`, and `calibration` where `models:NAME` "
            "is typed) is not used where others are typed. `data` serves `quantize` and `compile`, too, where "
            "there is no `calibration`; `inputs` is an older name of `data`.",
            "A file that belongs to another user is refused, as git does, since settings can name programs to "
            f"run; `{TRUST_VARIABLE}=FOLDER` reads it nevertheless.",
            _options_table(shared_options()),
            "## Tables of verbs",
            "What one verb alone takes, or takes differently, stands in its table: `json = 'verdict.json'` in "
            f"`[{VERBS}.run-fvp]`, `epochs = 3` in `[{VERBS}.models.train]`. Its keys are the verb's options "
            "([command line](command-line.md)); its variables have the verb in their name: "
            f"`DEPLOY_RUN_FVP_JSON`. In `[{VERBS}.firmware]`, `build` is the folder and `compile_it` the switch "
            "`--build`.",
            "## What `deploy init` writes",
            "Into an empty folder; keys whose files it finds are set instead of commented out.",
            f"```toml\n{example.strip()}\n```",
        ]
    )


def _options_table(options: Iterable[Declared]) -> str:
    rows = [f"| `{each.key}` | {each.kind} | {_cell(each.help)} |" for each in options]
    return "\n".join(["| key | type | |", "|---|---|---|", *rows])


def settings_schema() -> str:
    """The JSON Schema of ``deploy.toml``."""
    verbs = {
        context.command_path.removeprefix("deploy "): declared_by(inspect.unwrap(context.command.callback))
        for context in commands()
        if context.command.callback is not None
    }
    return json.dumps(schema(verbs), indent=2) + "\n"
