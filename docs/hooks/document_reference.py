"""Settings and JSON documents as pages and JSON schemas, read from the pydantic models that check them."""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from answer_schemas import ANSWERS, described, file_name, meanings_of
from cli_reference import commands
from pydantic import BaseModel

from deploy.advising.documents import AdviceDocument
from deploy.build_folder import CompileDocument
from deploy.cli.json_document import Head
from deploy.evaluating.documents import EvaluationDocument
from deploy.judging.verdict import Verdict
from deploy.judging.verification_record import VerificationRecord
from deploy.quantizing.quantization import QuantizationDocument
from deploy.searching.documents import Candidate, SearchResult
from deploy.settings.declared import Declared, declared_by
from deploy.settings.example import schema, template
from deploy.settings.options import shared_options
from deploy.settings.project_settings import TRUST_VARIABLE, VERBS
from deploy.sweeping.documents import SweepDocument

FILES: dict[str, tuple[type[BaseModel], str]] = {
    "verdict": (Verdict, "in the build folder: the last one of `check`, `run-fvp`, `run-board` and `verify`"),
    "compile": (CompileDocument, "in the build folder, as `compile.json`"),
    "verification": (VerificationRecord, "in the build folder, by `compile`, as `verification.json`"),
    "quantize": (QuantizationDocument, "in the build folder, by `compile` where it quantizes, as `quantize.json`"),
    "advice": (AdviceDocument, "in the build folder, by `compile` and `report --advice`, as `advice.json`"),
    "evaluate": (EvaluationDocument, "in the build folder, as `evaluate.json`"),
    "sweep": (SweepDocument, "in the folder of `sweep -o`, as `sweep.json`"),
    "search": (SearchResult, "in the folder of `search`, as `result.json`"),
    "candidate": (Candidate, "in the folder of `search`, a line of `candidates.jsonl`"),
}
"""Name of a document that lies in a folder -> its type, and where."""

Schema = Mapping[str, Any]


def schemas() -> dict[str, str]:
    """File name -> JSON Schema, of every document in a folder and of ``deploy.toml``."""
    documents = {
        f"{name}.schema.json": json.dumps(model.model_json_schema(mode="serialization"), indent=2) + "\n"
        for name, (model, _) in FILES.items()
    }
    return {**documents, "deploy.toml.schema.json": settings_schema()}


def documents_page() -> str:
    """All documents as tables; what they share stands once."""
    text = [
        "# JSON documents",
        "What [`--json`](json.md) writes begins with [the same keys](#head) whatever the verb, and says how the "
        "command ended. What lies in a build folder, and in the folders of `sweep` and `search`, has its own keys "
        "alone, and `schema_version`, which grows with every change that a reader has to know of. What is not "
        "known, or does not apply, is `null`.",
        "## head",
        *_object(Head.model_json_schema(mode="serialization")),
    ]
    in_folders = {model: name for name, (model, _) in FILES.items()}
    only_answers = {model: name for name, model in ANSWERS.items() if model not in in_folders}
    parts: dict[str, Schema] = dict(Head.model_json_schema(mode="serialization")["$defs"])
    for model, name in {**in_folders, **only_answers}.items():
        schema = model.model_json_schema(mode="serialization")
        parts |= schema.get("$defs", {})
        text += [f"## {name}", _written(name, model), *_object(schema, model)]
    text.append("## Parts")
    for name, part in sorted(parts.items()):
        text += [f"### {name}", *_object(part)]
    return "\n\n".join(text) + "\n"


def _written(name: str, model: type[BaseModel]) -> str:
    """Who writes a document, with its schemas."""
    answers = [f"[`{each}`](schemas/{file_name(each)})" for each, kind in ANSWERS.items() if kind is model]
    said = f"`--json`, behind the [head](#head): {', '.join(answers)}. " if answers else ""
    where = FILES[name][1] if name in FILES else ""
    return said + (f"{where[0].upper()}{where[1:]}: [JSON Schema](schemas/{name}.schema.json)." if where else "")


def _object(schema: Schema, model: type[BaseModel] | None = None) -> Iterable[str]:
    """Description and table of one object; with its type, also in the words of those that it is derived from."""
    lead, meanings = described(schema.get("description", ""))
    meanings |= meanings_of(model) if model else {}
    yield lead
    required = schema.get("required", ())
    rows = ["| key | type | |", "|---|---|---|"]
    for key, value in schema.get("properties", {}).items():
        mark = "" if key in required or "default" not in value else _default(value["default"])
        rows.append(f"| `{key}` | {_type(value)} | {_cell(meanings.get(key, ''))}{mark} |")
    yield "\n".join(rows)


def _default(value: object) -> str:
    return "" if value in (None, "", [], {}) else f" (default `{json.dumps(value)}`)"


def _cell(text: str) -> str:
    """A text in a table."""
    return text.replace("|", r"\|")


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
