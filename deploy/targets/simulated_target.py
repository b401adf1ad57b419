"""A simulator with firmware on it, as what runs samples: Arm's runner, or firmware that speaks the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from deploy.build_folder import sha256_of_bytes
from deploy.judging.answer import Answer
from deploy.judging.inputs import Sample, named_inputs
from deploy.simulators.fvp_locate import Simulator
from deploy.targets.runner_target import RunnerTarget
from deploy.tflite.model import Model

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
    """
    inputs = named_inputs(compiled)
    outputs = {name: compiled.tensors[index] for index, name in compiled.output_names().items()}
    npu_expected = any(operator.on_npu for operator in compiled.operators)
    if kind != RUNNER:
        from deploy.targets.firmware_target import Expectations, FirmwareTarget

        expectations = Expectations(sha256_of_bytes(compiled.content), inputs, outputs, npu_expected)
        return FirmwareTarget(simulator, firmware, expectations, macs=macs, timing=timing, timeout_s=timeout_s)
    return RunnerTarget(
        simulator,
        firmware,
        model,
        macs=macs,
        timing=timing,
        inputs=inputs,
        outputs=outputs,
        npu_expected=npu_expected,
        timeout_s=timeout_s,
    )
