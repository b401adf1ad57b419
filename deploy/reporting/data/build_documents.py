"""The documents of a build folder beside ``compile.json``: quantization, verdicts, Vela's own files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.build_folder import MAX_DOCUMENT_BYTES, VELA_FOLDER, BuildFolder, document_text
from deploy.errors import BadInputError

if TYPE_CHECKING:
    from deploy.judging.verdict import Verdict
    from deploy.quantizing.quantization import QuantizationDocument

VERDICT_COMMANDS = ("run-board", "run-fvp", "verify")
"""Commands whose last verdict a build folder keeps, as ``<command>.json``."""


def read_quantization(path: Path) -> QuantizationDocument:
    """Read a ``quantize.json``.

    Raises:
        BadInputError: it cannot be read or is damaged.
    """
    from pydantic import ValidationError

    from deploy.quantizing.quantization import QuantizationDocument

    try:
        return QuantizationDocument.model_validate_json(document_text(path))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise BadInputError(f"{path}: cannot be read", hints=["run `deploy compile` again"]) from error


def verdict_path(build: BuildFolder, command: str) -> Path:
    """Where a build folder keeps the last verdict of ``command``."""
    return build.path / f"{command}.json"


def read_verdicts(build: BuildFolder) -> dict[str, Verdict]:
    """The last verdict of every command that judged this very build: command -> document.

    Verdicts on another compilation are left out.

    Raises:
        BadInputError: one cannot be read or is damaged.
    """
    found = {}
    for command in VERDICT_COMMANDS:
        path = verdict_path(build, command)
        if path.is_file():
            verdict = _read_verdict(path, command)
            if verdict.model_sha256 == build.document.compiled_sha256:
                found[command] = verdict
    return found


def _read_verdict(path: Path, command: str) -> Verdict:
    from pydantic import ValidationError

    from deploy.judging.verdict import Verdict

    try:
        return Verdict.model_validate_json(document_text(path))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise BadInputError(
            f"{path}: cannot be read", hints=[f"run `deploy {command}` again, or remove the file"]
        ) from error


def vela_file(build: BuildFolder, pattern: str) -> str:
    """The text of one of Vela's files, by glob pattern; empty where there is none or it is too large to read."""
    for path in sorted((build.path / VELA_FOLDER).glob(pattern)):
        try:
            if path.is_file() and path.stat().st_size <= MAX_DOCUMENT_BYTES:
                return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
    return ""
