"""Runs samples on the simulators of a Dask cluster: cut into chunks, each a job of its own, merged in order.

A chunk's answers count once, when they arrive whole; the chunks of a worker that is lost are run again on others.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import tflite
from deploy.dask_cluster import cluster
from deploy.errors import DeployError, TargetError
from deploy.executors import Workers, check_told, gather, told
from deploy.files import private_folder
from deploy.hardware.npus import npu_named
from deploy.inspection import Inspection, look_at_versions, same_versions
from deploy.judging.answer import Answer
from deploy.judging.sample_bytes import pack_samples, unpack_samples
from deploy.judging.samples import Sample
from deploy.simulators.fvp_locate import Simulator, find
from deploy.targets.simulated_target import simulated_target

CHUNKS_PER_SLOT = 4
"""So many chunks a worker, so that a slow one does not keep the others waiting at the end."""

MOST_SAMPLES = 64
MOST_BYTES = 8 * 1024 * 1024
"""Of one chunk: what a lost worker costs."""

_GRACE_S = 15.0
_BOOT_S = 600.0
_INPUT = re.compile(r"input (\d+): ")


@dataclass(frozen=True)
class BootOrder:
    """What workers have to boot.

    Attributes:
        kind: of firmware: ``runner``, or anything else for firmware that speaks the protocol.
        npu: ``U55-128`` and so on.
        fvp: the simulator as the user named it; None for the default.
        timing: whether the NPU's cycles matter.
        timeout_s: seconds that one boot of the runner, or one input on other firmware, may take.
    """

    kind: str
    npu: str
    fvp: str | None
    timing: bool
    timeout_s: float


class ClusterTarget:
    """The simulators of a cluster's workers.

    Args:
        address: of Dask's scheduler.
        boot: what to boot.
        simulator: what this computer would use; the workers must have the same.
        firmware: the ELF.
        model: the Vela-compiled model.
    """

    def __init__(self, address: str, boot: BootOrder, simulator: Simulator, firmware: Path, model: bytes) -> None:
        self._address = address
        self._how = {
            "kind": boot.kind,
            "npu": boot.npu,
            "fvp": boot.fvp or ("open" if simulator.kind == "open" else None),
            "timing": boot.timing,
            "timeout_s": boot.timeout_s,
            "simulator": [simulator.kind, simulator.version],
        }
        self._timeout_s = boot.timeout_s
        self._firmware, self._model = firmware, model
        self._stack = contextlib.ExitStack()
        self._workers: Workers | None = None

    def answers(self, samples: tuple[Sample, ...], _jobs: int) -> Iterator[Answer]:
        """Hand out the chunks at once, and yield the answers in the order of the samples.

        The workers of the first call answer those after it, too.

        Raises:
            NotInstalledError: workers lack something: all of them are named.
            TargetError: an answer did not arrive whole (the input is named), or the cluster is gone.
        """
        workers = self._workers
        if workers is None:
            needs = {**same_versions(npu_model=True), **self._how}
            opened = cluster(self._address, Inspection(look_at_simulator, needs))
            workers = self._workers = self._stack.enter_context(opened)
        chunks = cut(samples, workers.slots)
        model, firmware = workers.share(self._model), workers.share(self._firmware.read_bytes())
        futures: dict[Future[Any], int] = {}
        for index, (first, chunk) in enumerate(chunks):
            future = workers.executor.submit(run_chunk, model, firmware, self._how, pack_samples(chunk), first)
            futures[future] = index
        limit_s = _BOOT_S + (self._timeout_s + _GRACE_S) * max(len(chunk) for _, chunk in chunks)
        return _in_order(workers, futures, chunks, limit_s)

    def close(self) -> None:
        """Cancel what has not begun and leave the cluster."""
        self._stack.close()


def cut(samples: Sequence[Sample], slots: int) -> list[tuple[int, Sequence[Sample]]]:
    """Cut samples into chunks: the index of the first sample of each, and its samples."""
    bytes_each = max(sum(array.nbytes for array in samples[0].values()), 1)
    size = -(-len(samples) // (slots * CHUNKS_PER_SLOT))
    size = max(1, min(size, MOST_SAMPLES, MOST_BYTES // bytes_each))
    return [(first, samples[first : first + size]) for first in range(0, len(samples), size)]


def run_chunk(model: bytes, firmware: bytes, how: Mapping[str, Any], samples: bytes, first: int) -> dict[str, Any]:
    """On a worker: boot, feed the samples of a chunk, return the answers.

    Args:
        model: the Vela-compiled model.
        firmware: the ELF.
        how: the fields of :class:`BootOrder`, and the simulator's kind and version.
        samples: of :func:`pack_samples`.
        first: index of the first of them among all samples.

    Returns:
        ``outputs`` as the bytes of an ``.npz``, ``counters`` and ``wall_s`` a sample; or ``error``, ``hints``,
        ``log`` and ``exit_status``.
    """
    try:
        npu, simulator = npu_named(how["npu"]), _simulator(how)
        compiled = tflite.load(model, source="the compiled model")
        with private_folder("chunk") as folder:
            (folder / "model.tflite").write_bytes(model)
            (folder / "firmware.elf").write_bytes(firmware)
            target = simulated_target(
                how["kind"],
                simulator,
                folder / "firmware.elf",
                folder / "model.tflite",
                compiled,
                macs=npu.macs,
                timing=how["timing"],
                timeout_s=how["timeout_s"],
            )
            try:
                answers = list(target.answers(unpack_samples(samples), 1))
            finally:
                target.close()
        return {
            "outputs": pack_samples([answer.outputs for answer in answers]),
            "counters": [answer.counters for answer in answers],
            "wall_s": [answer.wall_s for answer in answers],
        }
    except DeployError as error:
        return told(error, _INPUT.sub(lambda match: f"input {int(match[1]) + first}: ", error.message))


def look_at_simulator(needs: Mapping[str, Any]) -> dict[str, list[str]]:
    """On a worker: whether it has the versions and the simulator of the computer that asks.

    Args:
        needs: of :func:`deploy.inspection.same_versions`, and ``npu``, ``fvp`` and ``simulator`` as in
            :func:`run_chunk`.
    """
    found = look_at_versions(needs)
    try:
        _simulator(needs)
    except DeployError as error:
        found["lacks"].append(error.message)
    return found


def _simulator(how: Mapping[str, Any]) -> Simulator:
    simulator = find(npu_named(how["npu"]), how["fvp"])
    if [simulator.kind, simulator.version] != how["simulator"]:
        raise TargetError(
            f"the worker on {socket.gethostname()} has another simulator: {simulator.version}; "
            f"this computer has {how['simulator'][1]}"
        )
    return simulator


def _in_order(
    workers: Workers,
    futures: Mapping[Future[Any], int],
    chunks: Sequence[tuple[int, Sequence[Sample]]],
    limit_s: float,
) -> Iterator[Answer]:
    arrived: dict[int, dict[str, Any]] = {}
    following = 0

    def called(index: int) -> str:
        first, chunk = chunks[index]
        return f"inputs {first} to {first + len(chunk) - 1}"

    for index, result in gather(workers, futures, limit_s=limit_s, called=called):
        arrived[index] = result
        while following in arrived:
            yield from _answers(arrived.pop(following), len(chunks[following][1]))
            following += 1


def _answers(result: Mapping[str, Any], size: int) -> Iterator[Answer]:
    check_told(result)
    outputs = unpack_samples(result["outputs"])
    if not len(outputs) == len(result["counters"]) == len(result["wall_s"]) == size:
        raise TargetError(f"a worker sent {len(outputs)} answers for {size} inputs")
    for values, counters, wall_s in zip(outputs, result["counters"], result["wall_s"], strict=True):
        yield Answer(values, counters, wall_s)
