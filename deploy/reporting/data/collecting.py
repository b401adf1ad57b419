"""Collects what a build folder tells into the data model of the report: reads files, leaves the rest to others."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from deploy.build_folder import BuildFolder, CompileDocument
from deploy.compiling.vela_config import installed_config
from deploy.compiling.vela_reports import Cell, parse_summary
from deploy.debug_database import DebugDatabase
from deploy.errors import NotInstalledError
from deploy.hardware.npus import npu_named
from deploy.reporting.data.build_documents import (
    read_advice,
    read_evaluation,
    read_quantization,
    read_verdicts,
    vela_file,
)
from deploy.reporting.data.confusions import confusions_of
from deploy.reporting.data.environment import environment
from deploy.reporting.data.flash import flash_of
from deploy.reporting.data.live_tensors import memory_maps
from deploy.reporting.data.operator_graph import operator_graph
from deploy.reporting.data.operators import OperatorRow, operator_rows
from deploy.reporting.data.report import Provenance, Report
from deploy.reporting.data.roofs import roofs
from deploy.reporting.data.schedule import MEMORIES, OperatorSchedule, read_schedule
from deploy.reporting.data.traffic import bytes_per_cycle, traffic_of


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
    maps = memory_maps(build.debug, *_steps(operators, schedule), _limits(document))
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
    )


def _steps(
    operators: tuple[OperatorRow, ...], schedule: Mapping[int, OperatorSchedule]
) -> tuple[dict[int, str], dict[int, int], set[int]]:
    """Step of the schedule -> operator that runs in it, -> its cycles, and the steps of operators on the CPU."""
    names: dict[int, str] = {}
    cycles: dict[int, int] = {}
    on_cpu: set[int] = set()
    for row in operators:
        for step, taken in schedule.get(row.index, OperatorSchedule()).steps.items():
            if taken or step not in names:
                names[step] = f"{row.index} {row.type}"
            cycles[step] = cycles.get(step, 0) + taken
            if row.placement == "CPU":
                on_cpu.add(step)
    return names, cycles, on_cpu


def _limits(document: CompileDocument) -> dict[str, int | None]:
    """What SRAM may hold: the part that the memory mode gives to the NPU, else the board's; DRAM has no limit."""
    try:
        dedicated = installed_config().cache_bytes(document.memory_mode)
    except (NotInstalledError, KeyError):
        dedicated = None
    given = [size for size in (dedicated, document.sram_limit) if size]
    return {"SRAM": min(given, default=None)}


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
