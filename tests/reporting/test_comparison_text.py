"""A comparison on a terminal: verdicts, and of each operator cycles, memory and difference from the reference."""

from __future__ import annotations

import io

from reporting.compile_documents import build_figures, document, operator
from rich.console import Console

from deploy.reporting.data.comparing import compare
from deploy.reporting.documents import OperatorChange
from deploy.reporting.text.comparison import print_comparison


def test_memory_and_outputs_of_operators_stand_below_their_cycles_within_80_columns() -> None:
    builds = compare([build_figures(name, of=document(operator(0), operator(1))) for name in ("a", "b")])
    change = {"type": "CONV_2D", "name": "layer", "before": 1, "after": 1}
    changes = (
        OperatorChange(change="cycles", cycles_before=5, cycles_after=9, sram_before=9, sram_after=9, **change),
        OperatorChange(change="memory", sram_before=2048, sram_after=1024, **change),
        OperatorChange(change="outputs", lsb_before=0, lsb_after=2, **change),
    )
    first, other = builds.builds
    other = other.model_copy(update={"operators": changes, "verdict": "fail"})
    console = Console(file=io.StringIO(), width=80)
    print_comparison(builds.model_copy(update={"builds": (first, other)}), console)
    text = console.file.getvalue()
    assert "optimised for Performance; verdict: No verdict yet" in " ".join(text.split())
    assert "verdict: FAIL" in text
    lines = [line.split() for line in text.splitlines() if "CONV_2D" in line]
    assert [line[2:-1] for line in lines] == [
        ["5", "9", "+4"],
        ["2.0", "KiB", "1.0", "KiB", "-1.0", "KiB"],
        ["0", "2", "+2"],
    ]
    assert max(map(len, text.splitlines())) <= 80
