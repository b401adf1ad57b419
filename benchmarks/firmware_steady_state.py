"""Firmware that stays up: time per input on the open Corstone-300 after one boot, and where that time goes.

    python benchmarks/firmware_steady_state.py BUILD [BUILD ...] [--inputs X.npz] [--count 200] [--runner 200]

For each build folder: boots the ``npu`` firmware once and feeds ``--count`` inputs through its mailbox, and a
quarter of them over the UART, and through files and over the UART of the same machine behind its command line,
as Arm's FVP is; has Arm's runner answer ``--runner`` of them; runs all on the host's NPU model.
Prints times, and whether all gave the same bytes. The protocol's share is the time of a request with one byte
less, which is refused once it has arrived; the NPU's share is the host model's time for the same input; the
rest is register accesses through the debugger, and everything else. Processor time is this process's and
QEMU's, and depends less on what else the computer does.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.build_folder import BuildFolder
from deploy.errors import TargetError
from deploy.firmware_project import firmware_build
from deploy.hardware.npus import npu_named
from deploy.judging.answer import Answer
from deploy.judging.build_models import Models, read_models
from deploy.judging.inputs import given_inputs, random_inputs
from deploy.judging.samples import Sample
from deploy.simulators.fvp_locate import Simulator, find
from deploy.targets import runner_firmware
from deploy.targets.expectations import Expectations
from deploy.targets.firmware_link import FirmwareLink
from deploy.targets.firmware_target import FirmwareTarget
from deploy.targets.protocol import Type, packed
from deploy.targets.runner_target import RunnerTarget
from deploy.verifying.npu_inference import NpuInference

UART_ROUNDS = 30
WARM = 5
TIMEOUT_S = 120


class Stopwatch:
    """Seconds per item of an iteration."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def over(self, items: Iterator[Any]) -> Iterator[Any]:
        while True:
            started = time.perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            self.seconds.append(time.perf_counter() - started)
            yield item

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) if self.seconds else float("nan")


def uart_seconds(target: FirmwareTarget, samples: tuple[Sample, ...], names: list[str]) -> float:
    """Median time to send inputs, coded as usual, and be told that they are one byte short."""
    seconds = []
    payloads = [b"".join(sample[name].tobytes() for name in names)[:-1] for sample in samples[:UART_ROUNDS]]
    original = FirmwareLink.infer

    def measure(link: FirmwareLink, *_arguments: object) -> None:
        for payload in payloads:
            started = time.perf_counter()
            coded = packed(payload)
            kind, sent = (Type.INFER_PACKED, coded) if len(coded) < len(payload) else (Type.INFER, payload)
            try:
                link.request(kind, sent, Type.RESULT, TIMEOUT_S)
            except TargetError:
                seconds.append(time.perf_counter() - started)
        raise StopMeasuringError

    FirmwareLink.infer = measure  # type: ignore[assignment,method-assign]
    try:
        list(target.answers(({},), 1))
    except StopMeasuringError:
        pass
    finally:
        FirmwareLink.infer = original  # type: ignore[method-assign]
    return statistics.median(seconds)


class StopMeasuringError(Exception):
    """Ends a conversation when the measurement is over."""


def processor_s() -> float:
    """Processor time of this process and of those that it has started and that still run."""
    ticks = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(") ", 1)[1].split()
                if int(fields[1]) == os.getpid():
                    ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def steady(target: FirmwareTarget, samples: tuple[Sample, ...]) -> tuple[list[Answer], float]:
    """Answers, and processor seconds an input once the first ones are answered, while the machine still runs."""
    arriving, answers = target.answers(samples, 1), []
    marks = {}
    for answer in arriving:
        answers.append(answer)
        if len(answers) in (WARM, len(samples)):
            marks[len(answers)] = processor_s()
    return answers, (marks[len(samples)] - marks[WARM]) / (len(samples) - WARM)


def same(ours: list[Sample], theirs: list[Sample]) -> str:
    """How many of the answers are equal, bit for bit."""
    pairs = list(zip(ours, theirs, strict=False))
    equal = sum(all(a[name].tobytes() == b[name].tobytes() for name in a) for a, b in pairs)
    return f"{equal} of {len(pairs)} equal, bit for bit"


def runner_answers(
    build: BuildFolder, models: Models, simulator: Simulator, samples: tuple[Sample, ...]
) -> Iterator[Answer]:
    """Arm's runner: one boot, and a reset an input."""
    npu = npu_named(build.document.npu)
    target = RunnerTarget(
        simulator,
        runner_firmware.runner_path(npu, simulator.fvp),
        build.compiled,
        macs=npu.macs,
        inputs=models.inputs,
        outputs=models.outputs,
        npu_expected=True,
        timeout_s=TIMEOUT_S,
    )
    return target.answers(samples, 1)


def measure(path: Path, inputs: Path | None, count: int, runner_count: int) -> None:
    """Print one build's numbers."""
    build = BuildFolder.open(path)
    npu, models = npu_named(build.document.npu), read_models(build)
    found = given_inputs(inputs, models.compiled, count) if inputs else random_inputs(models.compiled, count)
    samples = found.samples
    simulator = find(npu, "open")
    firmware = firmware_build.npu_firmware(build)
    expectations = Expectations(build.document.compiled_sha256, models.inputs, models.outputs, npu_expected=True)

    def target(machine: Simulator = simulator) -> FirmwareTarget:
        return FirmwareTarget(machine, firmware, expectations, macs=npu.macs, timeout_s=TIMEOUT_S)

    began = time.perf_counter()
    answers, busy = steady(target(), samples)
    total = time.perf_counter() - began
    walls = [answer.wall_s for answer in answers[1:]]
    per_input = statistics.median(walls)
    mailbox = FirmwareLink.use_mailbox
    FirmwareLink.use_mailbox = lambda _link, _memory: None  # type: ignore[assignment,method-assign]
    few = samples[: max(len(samples) // 4, 2 * WARM)]
    by_uart, uart_busy = steady(target(), few)
    FirmwareLink.use_mailbox = mailbox  # type: ignore[method-assign]
    program = dataclasses.replace(simulator, command=("/usr/bin/env", *simulator.command))
    by_files = list(target(program).answers(few, 1))
    files = FirmwareLink.use_files
    FirmwareLink.use_files = lambda _link, _folder: None  # type: ignore[assignment,method-assign]
    by_line = list(target(program).answers(few, 1))
    FirmwareLink.use_files = files  # type: ignore[method-assign]
    inference = NpuInference(models.compiled, npu)
    host = Stopwatch()
    host_outputs = list(host.over(inference.run(sample) for sample in samples))
    uart = uart_seconds(target(), samples, list(models.inputs))
    outputs = [answer.outputs for answer in answers]
    print(f"\n{build.document.model} on {npu.name}: {len(samples)} inputs ({found.source}), one boot")
    print(f"  whole run {total:.2f} s; first answer after boot {total - sum(walls):.2f} s")
    print(
        f"  steady state {1000 * per_input:.1f} ms per input, {1 / per_input:.1f} inputs/s "
        f"(mean {len(walls) / sum(walls):.1f})"
    )
    print(f"  processor time {1000 * busy:.1f} ms per input: {1 / busy:.1f} inputs/s of one core")
    print(f"    over the UART {1000 * uart_busy:.1f} ms: {uart_busy / busy:.1f} times as much")
    print(f"    protocol              {1000 * uart:6.1f} ms")
    print(f"    NPU model             {1000 * host.median:6.1f} ms")
    print(f"    registers, interrupt  {1000 * (per_input - uart - host.median):6.1f} ms (the rest)")
    print(f"  host NPU model: {same(outputs, host_outputs)}")
    by_files_s, by_line_s = (
        statistics.median(answer.wall_s for answer in each[1:]) for each in (by_files, by_line)
    )
    print(
        f"  behind its command line {1000 * by_files_s:.1f} ms per input by files, {1000 * by_line_s:.1f} by UART"
    )
    print(f"  by files: {same(outputs, [answer.outputs for answer in by_files])}")
    print(f"  over the UART: {same(outputs, [answer.outputs for answer in by_uart])}")
    if runner_count:
        boots = Stopwatch()
        theirs = list(boots.over(runner_answers(build, models, simulator, samples[:runner_count])))
        print(f"  runner firmware: {same(outputs, [answer.outputs for answer in theirs])}")
        print(f"  it takes {1000 * boots.median:.1f} ms per input: {boots.median / per_input:.1f} times as long")


def main() -> None:
    """Parse the command line and measure each build."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("builds", nargs="+", type=Path)
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--runner", type=int, default=200)
    arguments = parser.parse_args()
    for path in arguments.builds:
        measure(path, arguments.inputs, arguments.count, arguments.runner)


if __name__ == "__main__":
    main()
