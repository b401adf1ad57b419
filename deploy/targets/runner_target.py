"""Runs samples through Arm's prebuilt runner: one run of it an input, on machines side by side.

The memory that the runner copies its outputs to is preloaded with random bytes: a dump that still holds them is
of memory that nobody wrote, and no answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.corstone.applications import Range
from deploy.errors import TargetError
from deploy.judging.answer import Answer
from deploy.judging.samples import Sample
from deploy.simulators.fvp_locate import Simulator
from deploy.targets import runner_firmware as runner
from deploy.targets.runner_boot import runner_boots
from deploy.targets.runner_run import RunnerSettings
from deploy.tflite import Tensor

_TELLING_BYTES = 8
"""Fewer random bytes than these could by chance be an honest answer; against the reference they fail anyway."""


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
        self._boots = runner_boots(RunnerSettings(simulator, firmware, macs, timing, timeout_s))
        self._model = model
        self._inputs = dict(inputs)
        self._outputs = dict(outputs)
        self._npu_expected = npu_expected
        self._pool: ThreadPoolExecutor | None = None

    def get_ready(self) -> None:
        """Have a machine start beside what the caller does; where each run is a process of its own, nothing."""
        self._boots.get_ready()

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
        self._boots.cancel()
        if self._pool is not None:
            self._pool.shutdown()

    def _answer(self, index: int, sample: Sample) -> Answer:
        try:
            return self._run(sample)
        except TargetError as error:
            raise TargetError(f"input {index}: {error.message}", hints=error.hints, log=error.log) from error

    def _run(self, sample: Sample) -> Answer:
        size = sum(tensor.nbytes for tensor in self._outputs.values())
        untouched = secrets.token_bytes(size)
        started = time.monotonic()
        boot = self._boots.boot(
            self._model,
            b"".join(_bytes(sample[name]) for name in self._inputs),
            data={runner.OUTPUT_ADDRESS: untouched},
            dumps=[Range(runner.OUTPUT_ADDRESS, size)],
        )
        wall_s = time.monotonic() - started
        report = runner.read_report(boot.sent, expected_bytes=size, npu_expected=self._npu_expected)
        (raw,) = boot.dumped
        if raw is None or len(raw) != size:
            what = "was not written; it should have" if raw is None else f"has {len(raw)}"
            raise TargetError(f"the memory dump {what} bytes, the outputs are {size} bytes", log=boot.log)
        if raw == untouched and size >= _TELLING_BYTES:
            raise TargetError("the memory of the outputs still holds what it held before", log=boot.log)
        return Answer(_unpack(raw, self._outputs), report.counters, wall_s)


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
