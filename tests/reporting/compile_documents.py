"""Small ``compile.json`` contents and figures of builds, written by hand, for comparisons of known outcome."""

from __future__ import annotations

from typing import Any

from deploy.build_folder import CompileDocument, Figure, Label, OperatorRecord
from deploy.reporting.data.build_documents import BuildFigures


def operator(
    index: int, type_: str = "CONV_2D", name: str = "", *, cycles: int | None = 100, cpu: bool = False
) -> OperatorRecord:
    return OperatorRecord(
        index=index,
        type=type_,
        name=name or f"net/layer_{index}/out;net/fused",
        placement="CPU" if cpu else "NPU",
        reason="no such kernel" if cpu else None,
        npu_cycles=None if cpu else cycles,
    )


def document(*operators: OperatorRecord, **fields: Any) -> CompileDocument:
    defaults: dict[str, Any] = {
        "model": "net",
        "npu": "U55-128",
        "accelerator": "ethos-u55-128",
        "system_config": "Ethos_U55_High_End_Embedded",
        "memory_mode": "Shared_Sram",
        "optimise": "Performance",
        "source_sha256": "s",
        "compiled_sha256": "c",
        "inputs": (),
        "outputs": (),
        "figures": (),
        "versions": {"ethos-u-vela": "5.2.0"},
    }
    return CompileDocument(**{**defaults, "operators": operators, **fields})


def figure(name: str, value: float, unit: str = "cycles", label: Label = "estimate", source: str = "") -> Figure:
    return Figure(name=name, value=value, unit=unit, label=label, source=source)


def build_figures(
    name: str, *figures: Figure, of: CompileDocument | None = None, inputs: dict[str, str] | None = None
) -> BuildFigures:
    return BuildFigures(name, of or document(), {item.name: item for item in figures}, inputs or {})
