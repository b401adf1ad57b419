"""Runs samples through Arm's prebuilt runner: one boot of Corstone-300 an input, several side by side.

The memory that the runner copies its outputs to is preloaded with random bytes: a dump that still holds them is
of memory that nobody wrote, and no answer.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import TargetError
from deploy.files import private_folder
from deploy.judging.answer import Answer
from deploy.judging.samples import Sample
from deploy.processes.supervisor import Ended
from deploy.simulators.fvp_command import DataFile, DumpFile, FvpRun, command_line
from deploy.simulators.fvp_locate import Simulator, environment
from deploy.simulators.fvp_process import simulators
from deploy.targets import runner_firmware as runner
from deploy.targets.target_text import last_lines
from deploy.tflite.model import Tensor

_GRACE_S = 15
_TELLING_BYTES = 8
"""Fewer random bytes than these could by chance be an honest answer; against the reference they fail anyway."""
_MAX_UART_BYTES = 8 * 1024 * 1024


class RunnerTarget:
    """Arm's runner with one model on one simulator.

    Args:
        simulator: what boots the firmware.
        firmware: the runner's ELF.
        model: the Vela-compiled ``.tflite``.
        macs: of the NPU to simulate.
        timing: whether the NPU's cycles matter.
        inputs: the model's input tensors by name, in the compiled model's order.
        outputs: the model's output tensors by name, in the compiled model's order.
        npu_expected: whether the model has operators on the NPU.
        timeout_s: seconds that one boot may take.
    """

    def __init__(
        self,
        simulator: Simulator,
        firmware: Path,
        model: Path,
        *,
        macs: int,
        timing: bool = False,
        inputs: Mapping[str, Tensor],
        outputs: Mapping[str, Tensor],
        npu_expected: bool,
        timeout_s: float,
    ) -> None:
        self._simulator = simulator
        self._firmware = firmware
        self._model = model
        self._macs = macs
        self._timing = timing
        self._inputs = dict(inputs)
        self._outputs = dict(outputs)
        self._npu_expected = npu_expected
        self._timeout_s = timeout_s
        self._processes = simulators()
        self._pool: ThreadPoolExecutor | None = None

    def answers(self, samples: tuple[Sample, ...], jobs: int) -> Iterator[Answer]:
        """Start the machines at once, and yield the answers in the order of the samples.

        Args:
            samples: one array per input, each.
            jobs: machines side by side.

        Raises:
            TargetError: an answer did not arrive whole; names the input.
        """
        self._pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="machine")
        futures = [self._pool.submit(self._answer, index, sample) for index, sample in enumerate(samples)]
        return (future.result() for future in futures)

    def close(self) -> None:
        """End all machines and wait until they are gone."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._processes.cancel()
            self._pool.shutdown()

    def _answer(self, index: int, sample: Sample) -> Answer:
        with private_folder("run") as folder:
            try:
                return self._boot(folder, sample)
            except TargetError as error:
                raise TargetError(f"input {index}: {error.message}", hints=error.hints, log=error.log) from error

    def _boot(self, folder: Path, sample: Sample) -> Answer:
        size = sum(tensor.nbytes for tensor in self._outputs.values())
        untouched = secrets.token_bytes(size)
        uart, dump, run = self._prepare(folder, sample, untouched)
        simulator = self._simulator
        words = command_line(simulator.command, run, simulator.fvp, simulator.release)
        started = time.monotonic()
        end = self._processes.run(
            words,
            timeout_s=self._timeout_s + _GRACE_S,
            environment=environment(simulator.command[0]),
        )
        wall_s = time.monotonic() - started
        sent = _read_bounded(uart, _MAX_UART_BYTES)
        self._check_end(end, sent)
        report = runner.read_report(sent, expected_bytes=size, npu_expected=self._npu_expected)
        raw = _read_bounded(dump, size + 1)
        if len(raw) != size:
            what = f"has {len(raw)}" if dump.exists() else "was not written; it should have"
            raise TargetError(f"the memory dump {what} bytes, the outputs are {size} bytes", log=_log(sent, end))
        if raw == untouched and size >= _TELLING_BYTES:
            raise TargetError("the memory of the outputs still holds what it held before", log=_log(sent, end))
        return Answer(_unpack(raw, self._outputs), report.counters, wall_s)

    def _prepare(self, folder: Path, sample: Sample, untouched: bytes) -> tuple[Path, Path, FvpRun]:
        """Lay out the files under short plain names: a user's may hold @ or commas, which the FVP splits at."""
        model, firmware, inputs, preload = (
            folder / name for name in ("model.tflite", "firmware.elf", "inputs.bin", "preload.bin")
        )
        model.symlink_to(self._model.resolve())
        firmware.symlink_to(self._firmware.resolve())
        inputs.write_bytes(b"".join(_bytes(sample[name]) for name in self._inputs))
        preload.write_bytes(untouched)
        uart, dump = folder / "uart0.log", folder / "outputs.bin"
        run = FvpRun(
            firmware=firmware,
            macs=self._macs,
            timing=self._timing,
            uart_file=uart,
            data=(
                DataFile(model, runner.MODEL_ADDRESS),
                DataFile(inputs, runner.INPUT_ADDRESS),
                DataFile(preload, runner.OUTPUT_ADDRESS),
            ),
            dumps=(DumpFile(dump, runner.OUTPUT_ADDRESS, len(untouched)),),
            time_limit_s=max(1, round(self._timeout_s)),
        )
        return uart, dump, run

    def _check_end(self, end: Ended, sent: bytes) -> None:
        log = _log(sent, end)
        limit = next((line.strip() for line in end.output.splitlines() if "Reason:" in line), None)
        if end.timed_out or (limit and b"\x04" not in sent):
            raise TargetError(
                f"no answer within {self._timeout_s:g} s: the firmware never sent its end of transmission (EOT)",
                log=log,
                hints=["`--timeout SECONDS` allows more"],
            )
        if end.status < 0:
            raise TargetError(f"the simulator was killed by signal {-end.status}", log=log)
        if end.status != 0:
            raise TargetError(f"the simulator ended with exit status {end.status}", log=log)


def _log(sent: bytes, end: Ended) -> tuple[str, ...]:
    """The last UART lines, and below them the simulator's own."""
    uart = last_lines(sent.decode("utf-8", "replace").replace("\r", ""))
    return (*uart, *(f"[simulator] {line}" for line in last_lines(end.output, 4)))


def _bytes(array: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def _unpack(raw: bytes, outputs: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    offset = 0
    for name, tensor in outputs.items():
        part = np.frombuffer(raw, dtype=tensor.dtype, count=tensor.elements, offset=offset)
        arrays[name] = part.reshape(tensor.shape)
        offset += tensor.nbytes
    return arrays


def _read_bounded(path: Path, limit: int) -> bytes:
    with contextlib.suppress(OSError), path.open("rb") as stream:
        return stream.read(limit)
    return b""
