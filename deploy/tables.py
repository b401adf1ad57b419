"""Tables and figures as every report prints them: read at 80 columns and without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deploy.build_folder import Figure

if TYPE_CHECKING:
    from rich.table import Table

SHARE = "1"
"""Unit of a figure that is a share of one, shown in percent."""

_TITLES = {
    "inference_time": "inference time",
    "core_clock": "NPU clock",
    "total_cycles": "cycles, total",
    "npu_cycles": "cycles, NPU computing",
    "macs": "multiply-accumulates",
    "npu_operators": "operators on the NPU",
    "cpu_operators": "operators on the CPU",
    "sram_peak": "SRAM peak",
    "flash": "flash",
    "dram_peak": "DRAM peak",
    "weights_original": "weights",
    "weights_compressed": "weights, compressed",
    "sram_bandwidth": "SRAM traffic",
    "flash_bandwidth": "flash traffic",
    "dram_bandwidth": "DRAM traffic",
    "target_npu_active_cycles": "NPU active on target",
    "boot_to_answer": "boot to answer, median",
    "request_to_answer": "request to answer, median",
    "wall_time": "wall time",
    "source_size": "model before Vela",
    "compiled_size": "model after Vela",
}


def figure_title(figure: Figure) -> str:
    """What a figure is called for people: ``SRAM peak``."""
    return title_of(figure.name)


def title_of(name: str) -> str:
    """What a figure of that name is called for people."""
    return _TITLES.get(name, name.replace("_", " "))


def format_figure(figure: Figure) -> str:
    """A figure's value for people: ``0.403 ms``, ``50.6 KiB``, ``12,505,748 MAC``, ``91.02 %``."""
    if figure.unit == SHARE:
        return f"{figure.value:.2%}"
    if figure.unit.startswith("bytes"):
        return f"{format_bytes(figure.value)}{figure.unit.removeprefix('bytes')}"
    if figure.value == int(figure.value):
        return f"{int(figure.value):,} {figure.unit}"
    return f"{figure.value:.4g} {figure.unit}"


def format_bytes(value: float) -> str:
    """Bytes for people, in powers of 1024: ``512 B``, ``50.6 KiB``, ``3.00 MiB``."""
    if value < 1024:
        return f"{int(value)} B"
    return f"{value / 1024:,.1f} KiB" if value < 1024 * 1024 else f"{value / 1024 / 1024:,.2f} MiB"


def table_of(title: str) -> Table:
    """An empty table in the house style."""
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE, pad_edge=False)


def figures_table(title: str, figures: Sequence[Figure]) -> Table:
    """Figures with their labels; ``sources_of`` tells below the table what produced them."""
    table = table_of(title)
    table.add_column("figure", min_width=22)
    table.add_column("value", justify="right", min_width=18)
    table.add_column("label")
    for figure in figures:
        table.add_row(figure_title(figure), format_figure(figure), figure.label)
    return table


def sources_of(figures: Sequence[Figure]) -> list[str]:
    """What produced the figures, one line a source: ``estimate: Vela 5.2.0 summary``."""
    return list(dict.fromkeys(f"{figure.label}: {figure.source}" for figure in figures if figure.source))
