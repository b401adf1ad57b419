"""A simulator with firmware on it, as what runs samples: Arm's runner, or firmware that speaks the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from deploy.judging.answer import Answer
from deploy.judging.samples import Sample
from deploy.simulators.fvp_locate import Simulator
from deploy.targets.expectations import Expectations
from deploy.targets.runner_target import RunnerTarget
from deploy.tflite import Model

RUNNER = "runner"


class Target(Protocol):
    """What runs samples: one boot an input, one boot for all, or a board."""

    def answers(self, samples: tuple[Sample, ...], jobs: int) -> Iterator[Answer]:
        """Yield the answers in the order of the samples; TargetError if one does not arrive whole."""

    def close(self) -> None:
        """End what still runs."""


def simulated_target(
    kind: str,
    simulator: Simulator,
    firmware: Path,
    model: Path,
    compiled: Model,
    *,
    macs: int,
    timing: bool,
    timeout_s: float,
    sequence: bool = False,
) -> Target:
    """The target for a kind of firmware.

    Args:
        kind: ``runner``, or anything else for firmware that speaks the protocol.
        simulator: what boots the firmware.
        firmware: its ELF.
        model: file of the Vela-compiled model.
        compiled: the same, read.
        macs: of the NPU to simulate.
        timing: whether the NPU's cycles matter.
        timeout_s: seconds that one boot of the runner, or one input on other firmware, may take.
        sequence: whether the samples are one sequence, in which the model keeps its state; not with ``runner``.
    """
    expectations = Expectations.of(compiled)
    if kind != RUNNER:
        from deploy.targets.firmware_target import FirmwareTarget

        return FirmwareTarget(
            simulator,
            firmware,
            expectations,
            macs=macs,
            timing=timing,
            timeout_s=timeout_s,
            sequence=sequence,
        )
    return RunnerTarget(
        simulator,
        firmware,
        model,
        macs=macs,
        timing=timing,
        inputs=expectations.inputs,
        outputs=expectations.outputs,
        npu_expected=expectations.npu_expected,
        timeout_s=timeout_s,
    )
