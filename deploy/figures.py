"""Figures in words, the same wherever they are shown: what they are called, and their values. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.build_folder import Figure

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


NAMES = tuple(_TITLES)
"""Of figures that are there whatever the model; those of an output have its name at their end."""


def title_of(name: str) -> str:
    """What a figure of that name is called for people: ``SRAM peak``."""
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


def number(value: float | None, digits: int = 4) -> str:
    """A number for people; a dash for none."""
    if value is None:
        return "-"
    return f"{int(value):,}" if value == int(value) else f"{value:.{digits}g}"


def percent(share: float | None, digits: int = 2) -> str:
    """A share of one in percent, ``91.02 %``; a dash for none."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def sources_of(figures: Sequence[Figure]) -> list[str]:
    """What produced the figures, one line a source: ``estimate: Vela 5.2.0 summary``."""
    return list(dict.fromkeys(f"{figure.label}: {figure.source}" for figure in figures if figure.source))
