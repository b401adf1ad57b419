"""How people name the figures that they hold a build to: short names, slips, figures that are not there yet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from deploy.reporting.data.build_documents import MEASURED_ON_TARGET
from deploy.reporting.data.comparing import direction

ALIASES = {
    "cycles": "total_cycles",
    "time": "inference_time",
    "sram": "sram_peak",
    "dram": "dram_peak",
    "weights": "weights_compressed",
    "size": "compiled_size",
}
"""Short names of figures."""

ALL_ACCURACIES = "accuracy"
"""Stands for the accuracy of every output."""

AFTER_A_RUN = frozenset([MEASURED_ON_TARGET])
"""Figures that a run on a target gives."""


def unknown(figure: str, names: Iterable[str]) -> tuple[str, str]:
    """What is wrong with the name of a figure that does not exist, and a hint.

    Args:
        figure: as it was typed.
        names: of the figures there are.
    """
    known = [*ALIASES, ALL_ACCURACIES, *names]
    near = difflib.get_close_matches(figure, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"figures: {', '.join(dict.fromkeys(known))}"
    return f"there is no figure {figure}", hint


def how_to_get(name: str, build: str) -> list[str]:
    """The command that gives a build a figure it does not have; empty where all builds have it."""
    if direction(name) == "higher":
        return [f"deploy evaluate {build or 'BUILD'} --data DATASET"]
    if name in AFTER_A_RUN:
        return [f"deploy run-fvp {build}"]
    return []
