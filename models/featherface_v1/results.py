"""What the card of FeatherFace V1 shows beside Vela's estimates: what the forms of its blocks save."""

from __future__ import annotations

from typing import Final

from deploy.build_folder import Document
from deploy.zoo.card_results import CardResults, npu_tables

NPU: Final = "U55-128"
"""What the forms are compared on."""


class FormFigures(Document):
    """Estimates of the two forms.

    Attributes:
        what: is computed, with the size of the map.
        usual: how it is usually written.
        used: how it is written here.
        usual_cycles: Vela's estimate; operators on the CPU are not in it.
        usual_cpu_operators: operators that stay on the CPU.
        used_cycles: Vela's estimate.
        used_cpu_operators: operators that stay on the CPU.
    """

    what: str
    usual: str
    used: str
    usual_cycles: int
    usual_cpu_operators: int
    used_cycles: int
    used_cpu_operators: int


class Results(CardResults):
    """Everything that was measured.

    Attributes:
        forms: the building blocks as usually written and as used here.
    """

    forms: tuple[FormFigures, ...] = ()


def tables(results: Results) -> str:
    """Markdown between the card's markers."""
    lines = [
        npu_tables(results),
        "",
        f"Forms of the building blocks on {NPU} (cycles, estimates by Vela):",
        "",
        "| what | usual form | cycles | form used here | cycles |",
        "|---|---|---:|---|---:|",
    ]
    for item in results.forms:
        before, after = (
            f"{cycles:,}" + (f", and {count} on the CPU" if count else "")
            for cycles, count in (
                (item.usual_cycles, item.usual_cpu_operators),
                (item.used_cycles, item.used_cpu_operators),
            )
        )
        lines.append(f"| {item.what} | {item.usual} | {before} | {item.used} | {after} |")
    return "\n".join(lines)
