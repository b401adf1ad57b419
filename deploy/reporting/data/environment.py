"""The environment table: every version and hash that the build and its verdicts name, and who named it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.build_folder import CompileDocument
from deploy.reporting.data.names import shown

if TYPE_CHECKING:
    from deploy.judging.verdict import Verdict
    from deploy.quantizing.quantization import QuantizationDocument


@dataclass(frozen=True)
class EnvironmentRow:
    """What was used, and by which commands."""

    name: str
    value: str
    commands: tuple[str, ...]


def environment(
    document: CompileDocument, quantization: QuantizationDocument | None, verdicts: Mapping[str, Verdict]
) -> tuple[EnvironmentRow, ...]:
    """One row per name and value: a version that all commands share stands once."""
    found: dict[tuple[str, str], list[str]] = {}

    def add(command: str, name: str, value: str) -> None:
        commands = found.setdefault((shown(name), shown(value, 300)), [])
        if command not in commands:
            commands.append(command)

    if quantization is not None:
        for name, version in quantization.versions.items():
            add("quantize", name, version)
    for name, version in document.versions.items():
        add("compile", name, version)
    for command, verdict in verdicts.items():
        for name, version in verdict.versions.items():
            add(command, name, version)
        if verdict.platform is not None:
            platform = verdict.platform
            add(command, "platform", f"{platform.version} ({platform.kind}): {platform.executable}")
        if verdict.firmware is not None:
            add(command, "firmware", f"{verdict.firmware.kind}, SHA-256 {verdict.firmware.sha256}")
        if verdict.input_sha256:
            add(command, "inputs", f"SHA-256 {verdict.input_sha256}")
    add("compile", "model", f"SHA-256 {document.source_sha256}")
    add("compile", "compiled model", f"SHA-256 {document.compiled_sha256}")
    return tuple(EnvironmentRow(name, value, tuple(commands)) for (name, value), commands in found.items())
