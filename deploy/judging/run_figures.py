"""The figures of a run on target, each labelled: estimates, the target's counters, times and accuracy."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from deploy.build_folder import CompileDocument, Figure, Label
from deploy.figures import SHARE
from deploy.hardware.npus import npu_named
from deploy.judging.answer import Answer
from deploy.judging.origin import FirmwareRecord, Platform
from deploy.judging.verdict import Prediction

_ESTIMATES = ("inference_time", "total_cycles", "sram_peak", "dram_peak", "flash")


def run_figures(
    document: CompileDocument,
    platform: Platform | None,
    firmware: FirmwareRecord | None,
    answers: Sequence[Answer],
    predictions: Sequence[Prediction],
    *,
    elapsed_s: float,
    where: str = "this computer",
) -> tuple[Figure, ...]:
    """All figures of a run, in the order they are shown.

    Args:
        document: of the build that ran.
        platform: what ran it.
        firmware: what was booted.
        answers: of the target, at least one.
        predictions: with true labels where these are known.
        elapsed_s: wall time of the whole run.
        where: what the target ran on.
    """
    estimates = (document.figure(name) for name in _ESTIMATES)
    return (
        *(figure for figure in estimates if figure is not None),
        *_target_cycles(platform, answers),
        *_times(firmware, answers, elapsed_s, where),
        *accuracy_figures(document, platform, predictions),
    )


def _target_cycles(platform: Platform | None, answers: Sequence[Answer]) -> Iterator[Figure]:
    cycles = [answer.counters["NPU ACTIVE"] for answer in answers if "NPU ACTIVE" in answer.counters]
    if cycles and platform:
        # The open model computes its cycles from the command stream, and Arm's FVP counts them only when it is
        # asked to; a board counts.
        labels: dict[str, Label] = {"arm": "simulated" if platform.timing else "estimate", "board": "measured"}
        source = f"NPU ACTIVE counter of {platform.version or platform.executable}"
        if platform.kind == "open":
            # Firmware does not tell it how fast the board's memories are meant to be.
            npu = npu_named(platform.npu)
            source += f", with the memories of {npu.system_config} and {npu.memory_mode}"
        yield Figure(
            name="target_npu_active_cycles",
            value=statistics.median(cycles),
            unit="cycles",
            label=labels.get(platform.kind, "estimate"),
            source=source,
        )


def _times(
    firmware: FirmwareRecord | None, answers: Sequence[Answer], elapsed_s: float, where: str
) -> Iterator[Figure]:
    begins_anew = firmware is not None and firmware.kind == "runner"
    yield _measured(
        "boot_to_answer" if begins_anew else "request_to_answer",
        statistics.median(answer.wall_s for answer in answers),
        f"median wall time of {len(answers)} {'runs of the firmware' if begins_anew else 'inputs'} on {where}",
    )
    yield _measured("wall_time", elapsed_s, f"the whole run of {len(answers)} inputs on {where}")


def _measured(name: str, seconds: float, source: str) -> Figure:
    return Figure(name=name, value=round(seconds, 4), unit="s", label="measured", source=source)


def accuracy_figures(
    document: CompileDocument, platform: Platform | None, predictions: Sequence[Prediction]
) -> Iterator[Figure]:
    """The share of labelled inputs that each output names rightly; nothing for outputs without labels."""
    label: Label = "measured" if platform is not None and platform.kind == "board" else "simulated"
    for output in document.outputs:
        known = [p for p in predictions if p.output == output.name and p.true is not None]
        if known:
            yield Figure(
                name=f"accuracy_{output.name}",
                value=sum(p.target == p.true for p in known) / len(known),
                unit=SHARE,
                label=label,
                source=f"{len(known)} labelled inputs on {document.npu}",
            )
