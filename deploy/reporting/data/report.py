"""Everything that the page of a build shows, collected from its folder: plain values with label and source."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deploy.advising.documents import AdviceDocument
from deploy.build_folder import BuildFolder, CompileDocument, Label
from deploy.compiling.vela_config import installed_config
from deploy.compiling.vela_reports import Cell, parse_summary
from deploy.debug_database import DebugDatabase
from deploy.errors import NotInstalledError
from deploy.evaluating.documents import EvaluationDocument
from deploy.hardware.npus import npu_named
from deploy.judging.verdict import Verdict
from deploy.judging.verification_record import VerificationRecord, record_of
from deploy.reporting.data.build_documents import (
    read_advice,
    read_evaluation,
    read_quantization,
    read_verdicts,
    vela_file,
)
from deploy.reporting.data.confusions import Confusion, confusions_of
from deploy.reporting.data.flash import Flash, flash_of
from deploy.reporting.data.memory_map import MemoryMap, Steps, memory_maps
from deploy.reporting.data.names import shown
from deploy.reporting.data.operator_graph import OperatorGraph, operator_graph
from deploy.reporting.data.operators import MEMORIES, OperatorRow, OperatorSchedule, operator_rows, read_schedule
from deploy.reporting.data.traffic import MovedBytes, Roof, bytes_per_cycle, roofs, traffic_of

if TYPE_CHECKING:
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


@dataclass(frozen=True)
class Provenance:
    """How numbers were obtained, and what produced them."""

    label: Label
    source: str


@dataclass(frozen=True)
class Report:
    """Everything the page shows.

    Attributes:
        document: ``compile.json``.
        quantization: ``quantize.json``; None where the model came quantized.
        from_schedule: provenance of what Vela's debug database and reports say.
        from_summary: provenance of what Vela's summary says.
        from_file: provenance of what the compiled file itself says.
        missing: why a part is not there, one sentence each.
        verdicts: command -> its last verdict on this build.
        confusions: command -> per output.
        evaluation: the last one of this build; None where there is none.
        created: when the report was written, in UTC.
        advice: what would make the model cheaper; None where nobody asked.
        checked: what ``compile`` found when it compared the operators; None where it did not.
        sram_limit: bytes of SRAM that the model may take; None where that is unknown.
    """

    document: CompileDocument
    quantization: QuantizationDocument | None
    operators: tuple[OperatorRow, ...]
    from_schedule: Provenance
    from_summary: Provenance
    from_file: Provenance
    memories: tuple[MemoryMap, ...]
    flash: Flash
    traffic: tuple[MovedBytes, ...]
    roofs: tuple[Roof, ...]
    graph: OperatorGraph
    missing: tuple[str, ...]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    confusions: dict[str, tuple[Confusion, ...]] = field(default_factory=dict)
    evaluation: EvaluationDocument | None = None
    environment: tuple[EnvironmentRow, ...] = ()
    created: str = ""
    advice: AdviceDocument | None = None
    checked: VerificationRecord | None = None
    sram_limit: int | None = None


def collect(build: BuildFolder) -> Report:
    """Everything the report shows about a build.

    Vela's own files may be missing; then the parts that rest on them are empty and ``missing`` says so.

    Raises:
        BadInputError: a model or document of the folder is damaged.
        NotInstalledError: LiteRT, which brings TFLite's schema, is missing.
    """
    verdicts = read_verdicts(build)
    compiled = collect_compilation(build)
    return replace(
        compiled,
        verdicts=verdicts,
        evaluation=read_evaluation(build),
        confusions={command: confusions_of(verdict) for command, verdict in verdicts.items()},
        environment=environment(build.document, compiled.quantization, verdicts),
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        advice=read_advice(build),
        checked=record_of(build),
    )


@functools.lru_cache(maxsize=4)
def collect_compilation(build: BuildFolder) -> Report:
    """The report without verdicts. It does not change any more, so it can be made while the target still runs.

    Raises:
        BadInputError: as :func:`collect`.
        NotInstalledError: as :func:`collect`.
    """
    document = build.document
    source, compiled = build.source_model, build.compiled_model
    constants_in_sram = _constants_in_sram(document)
    memories = {**MEMORIES, "OnChipFlash": "SRAM"} if constants_in_sram else MEMORIES
    summary = _summary(vela_file(build, "*_summary_*.csv"))
    schedule = read_schedule(build.debug, memories)
    macs_per_cycle = npu_named(document.npu).macs
    operators = operator_rows(document, source, schedule, macs_per_cycle)
    sram_limit = _sram_limit(document)
    maps = memory_maps(build.debug, _steps(operators, schedule), sram_limit)
    vela = f"Vela {document.versions.get('ethos-u-vela', '')}".strip()
    return Report(
        document=document,
        quantization=read_quantization(build),
        operators=operators,
        from_schedule=Provenance("estimate", f"{vela} debug database"),
        from_summary=Provenance("estimate", f"{vela} summary"),
        from_file=Provenance(
            "measured", "bytes of model_vela.tflite; the weights' share from Vela's debug database"
        ),
        memories=maps,
        flash=flash_of(source, compiled, schedule),
        traffic=traffic_of(summary, constants_in_sram=constants_in_sram),
        roofs=roofs(bytes_per_cycle(summary, constants_in_sram=constants_in_sram), macs_per_cycle, operators),
        graph=operator_graph(source, operators),
        missing=_missing(build.debug, summary),
        sram_limit=sram_limit,
    )


def _steps(operators: tuple[OperatorRow, ...], schedule: Mapping[int, OperatorSchedule]) -> Steps:
    found = Steps({}, {}, set())
    for row in operators:
        for step, taken in schedule.get(row.index, OperatorSchedule()).steps.items():
            if taken or step not in found.operators:
                found.operators[step] = f"{row.index} {row.type}"
            found.cycles[step] = found.cycles.get(step, 0) + taken
            if row.placement == "CPU":
                found.on_cpu.add(step)
    return found


def _sram_limit(document: CompileDocument) -> int | None:
    """What SRAM may hold: the part that the memory mode gives to the NPU, else the board's."""
    try:
        dedicated = installed_config().cache_bytes(document.memory_mode)
    except (NotInstalledError, KeyError):
        dedicated = None
    given = [size for size in (dedicated, document.sram_limit) if size]
    return min(given, default=None)


def _constants_in_sram(document: CompileDocument) -> bool:
    try:
        return installed_config().weight_memory(document.system_config, document.memory_mode) == "Sram"
    except (NotInstalledError, KeyError):
        return False


def _summary(text: str) -> dict[str, Cell]:
    try:
        return parse_summary(text)
    except ValueError:
        return {}


def _missing(debug: DebugDatabase, summary: Mapping[str, Cell]) -> tuple[str, ...]:
    said = []
    if not debug:
        said.append("Vela's debug database is not in the build folder: no limits, memory map and roofline")
    if not summary:
        said.append("Vela's summary is not in the build folder: no bandwidth and roofline")
    return tuple(said)
