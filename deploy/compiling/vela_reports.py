"""Parses what Vela writes: the summary and per-layer CSV files, its warnings, and the figures that reports use."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from deploy.build_folder import Figure, OperatorRecord
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.vela_config import installed_config

if TYPE_CHECKING:
    from deploy.debug_database import Scheduled

Cell = str | float | int

_WARNING = re.compile(r"^Warning \([^)]*\) operator: (?P<operator>[^,]+), ofm: '(?P<ofm>.*)'$")


@dataclass(frozen=True)
class Fallback:
    """An operator that Vela leaves on the CPU, and why.

    Attributes:
        reason: Vela's words, its lines joined by ``; ``.
    """

    operator: str
    ofm: str
    reason: str


@dataclass(frozen=True)
class VelaLayer:
    """One row of the per-layer report.

    Attributes:
        cells: column -> value, as Vela wrote them.
        source_operator: index of the operator in the source model that it stems from; None when unknown.
    """

    cells: dict[str, Cell]
    source_operator: int | None

    @property
    def on_cpu(self) -> bool:
        """Whether the row is an operator left on the CPU."""
        return self.cells.get("Target") == "CPU"

    def number(self, column: str) -> int:
        """An integer cell; 0 when it is absent, or the ``NaN`` of a model without anything on the NPU."""
        value = self.cells.get(column, 0)
        return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def parse_summary(text: str) -> dict[str, Cell]:
    """The one data row of the summary CSV: column -> number or text.

    Raises:
        ValueError: there is no data row.
    """
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        raise ValueError("the summary has no data row")
    return {column: _cell(value) for column, value in rows[-1].items()}


def parse_layers(per_layer: str, schedule: Sequence[Scheduled]) -> tuple[VelaLayer, ...]:
    """The per-layer CSV joined with the schedule of the debug database.

    Both have the same rows in the same order (observed in Vela 5.2.0; checked here row by row, and without the
    join where they differ). Names with quotes read differently in the two files, which escape neither; then the
    numbers have to agree.
    """
    rows = list(csv.DictReader(io.StringIO(per_layer)))
    layers = [VelaLayer({column: _cell(value) for column, value in row.items()}, None) for row in rows]
    same_names = [row.get("Name") for row in rows] == [operation.name for operation in schedule]
    numbers = [(layer.number("Op Cycles"), layer.number("MAC Count")) for layer in layers]
    if not same_names and numbers != [(operation.cycles, operation.macs) for operation in schedule]:
        return tuple(layers)
    return tuple(
        VelaLayer(layer.cells, operation.source) for layer, operation in zip(layers, schedule, strict=True)
    )


def parse_fallbacks(log: str) -> tuple[Fallback, ...]:
    """The ``Warning (supported operators)`` blocks of Vela's standard output."""
    found = []
    lines = iter(log.splitlines())
    for line in lines:
        match = _WARNING.match(line)
        if match is None:
            continue
        reason = []
        for following in lines:
            if not following.strip():
                break
            reason.append(following.strip().removeprefix("Reason: "))
        found.append(Fallback(match["operator"].strip(), match["ofm"], "; ".join(reason)))
    return tuple(found)


def _cell(value: str | None) -> Cell:
    text = value or ""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


_KIB = 1024


def summary_number(summary: Mapping[str, Cell], column: str) -> float:
    """A number of the summary; 0 for none."""
    value = summary.get(column, 0)
    return float(value) if isinstance(value, int | float) else 0.0


def figures_of(
    summary: dict[str, Cell], operators: tuple[OperatorRecord, ...], options: CompileOptions, tool: str
) -> tuple[Figure, ...]:
    """Figures of a compilation.

    Args:
        summary: the row of Vela's summary CSV.
        operators: of the source model, with their placement.
        options: what was compiled for.
        tool: ``Vela 5.2.0``, named as the source of every figure.
    """
    config, number = installed_config(), partial(summary_number, summary)
    on_chip_flash = number("on_chip_flash_memory_used")
    sram = number("sram_memory_used")
    flash = number("off_chip_flash_memory_used")
    sram_traffic, flash_traffic = number("sram_total_bytes"), number("off_chip_flash_total_bytes")
    if config.weight_memory(options.system_config, options.memory_mode) == "Sram":
        # With Sram_Only, Vela counts the weights as on-chip flash although they lie in the SRAM.
        sram, sram_traffic = sram + on_chip_flash, sram_traffic + number("on_chip_flash_total_bytes")
    else:
        flash, flash_traffic = flash + on_chip_flash, flash_traffic + number("on_chip_flash_total_bytes")
    cpu = sum(operator.placement == "CPU" for operator in operators)
    values = [
        ("inference_time", number("inference_time") * 1000, "ms"),
        ("core_clock", number("core_clock") / 1e6, "MHz"),
        ("npu_cycles", number("cycles_npu"), "cycles"),
        ("total_cycles", number("cycles_total"), "cycles"),
        ("macs", number("nn_macs"), "MAC"),
        ("sram_peak", round(sram * _KIB), "bytes"),
        ("flash", round(flash * _KIB), "bytes"),
        ("dram_peak", round(number("dram_memory_used") * _KIB), "bytes"),
        ("weights_original", number("total_original_weights"), "bytes"),
        ("weights_compressed", number("total_npu_encoded_weights"), "bytes"),
        ("sram_bandwidth", sram_traffic, "bytes/inference"),
        ("flash_bandwidth", flash_traffic, "bytes/inference"),
        ("dram_bandwidth", number("dram_total_bytes"), "bytes/inference"),
        ("cpu_operators", cpu, "operators"),
        ("npu_operators", len(operators) - cpu, "operators"),
    ]
    return tuple(
        Figure(name=name, value=value, unit=unit, label="estimate", source=f"{tool} summary")
        for name, value, unit in values
    )
