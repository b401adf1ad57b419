"""NPU model and reference kernels on the workers of a Dask cluster: batches cut into chunks, each a job."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from deploy import tflite
from deploy.dask_cluster import cluster
from deploy.errors import BadInputError, DeployError, TargetError
from deploy.executors import Workers, check_told, gather, told
from deploy.hardware.npus import npu_named
from deploy.inspection import Inspection, look_at_versions, same_versions
from deploy.judging.build_models import Models
from deploy.judging.opinion import one_oracle
from deploy.judging.oracles import Oracle
from deploy.judging.sample_bytes import pack_samples, unpack_samples
from deploy.judging.samples import Sample, Stacked, stacked
from deploy.verifying.host_session import HostSession, host_origin

CHUNK = 64
"""Samples of one job: as many as the NPU model runs side by side."""

BATCH = 2048
"""Samples that the workers share out among them before the next ones are read."""

_LIMIT_S = 1800.0
"""Seconds within which some chunk must end; a shared cluster may be busy."""


class ClusterHost:
    """The NPU model and the reference on a cluster's workers. Use as a context manager.

    Args:
        address: of Dask's scheduler.
        models: of the build.
        npu: that it was compiled for, by name.
        oracle: which kernels are the reference, as :func:`deploy.judging.opinion.one_oracle` takes it.

    Attributes:
        batch: how many inputs to hand over at once.
        origin: the NPU model of this package, which every worker has.
        references: which kernels the workers ran.
    """

    def __init__(self, address: str, models: Models, npu: str, oracle: str) -> None:
        self.batch, self.origin = BATCH, host_origin(npu)
        self.references: set[str] = set()
        self._address, self._models, self._npu, self._oracle = address, models, npu, oracle
        self._stack = contextlib.ExitStack()
        self._workers: Workers | None = None

    def __enter__(self) -> ClusterHost:
        """Connect, and inspect the workers.

        Raises:
            BadInputError, NotInstalledError, TargetError: see :func:`deploy.dask_cluster.cluster`.
        """
        needs = same_versions("numpy", "ai-edge-litert", npu_model=True)
        self._workers = self._stack.enter_context(cluster(self._address, Inspection(look_at_versions, needs)))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def begin(self, samples: Sequence[Sample]) -> Callable[[Callable[[int], None]], tuple[Stacked, Stacked]]:
        """Hand out the chunks of a batch.

        Returns:
            What waits for them: takes a function that is told how many samples are done; gives what the NPU model
            and what the reference says, output name -> ``[samples, *shape]``.
        """
        workers = self._workers
        if workers is None:
            raise RuntimeError("chunks are handed out within the context")
        source, compiled = (workers.share(model.content) for model in (self._models.source, self._models.compiled))
        futures: dict[Future[Any], int] = {}
        for first in range(0, len(samples), CHUNK):
            content = pack_samples(samples[first : first + CHUNK])
            future = workers.executor.submit(run_both, source, compiled, self._npu, self._oracle, content)
            futures[future] = first
        return functools.partial(self._collect, workers, futures, len(samples))

    def _collect(
        self, workers: Workers, futures: dict[Future[Any], int], count: int, done: Callable[[int], None]
    ) -> tuple[Stacked, Stacked]:
        found: dict[int, dict[str, Any]] = {}

        def called(first: int) -> str:
            return f"inputs {first} to {min(first + CHUNK, count) - 1} of a batch"

        for first, result in gather(workers, futures, limit_s=_LIMIT_S, called=called):
            check_told(result)
            found[first] = result
            done(min(len(found) * CHUNK, count))
        self.references |= {result["name"] for result in found.values()}
        both = [stacked(list(_in_order(found, who))) for who in ("target", "reference")]
        if any(len(values) != count for values in (*both[0].values(), *both[1].values())):
            raise TargetError(f"{workers.where}: other than {count} answers for {count} inputs")
        return both[0], both[1]


def run_both(source: bytes, compiled: bytes, npu: str, oracle: str, samples: bytes) -> dict[str, Any]:
    """On a worker: run samples with the NPU model and with the reference kernels.

    Args:
        source: the quantized model.
        compiled: what Vela made of it.
        npu: that it was compiled for.
        oracle: which kernels.
        samples: of :func:`deploy.judging.sample_bytes.pack_samples`.

    Returns:
        ``target`` and ``reference``, the bytes of an ``.npz`` each, and ``name``: which kernels ran; or an error.
    """
    try:
        session, reference = _prepared(source, compiled, npu, oracle, threading.get_ident())
        inputs = unpack_samples(samples)
        said = {
            "target": pack_samples([answer.outputs for answer in session.answers(inputs)]),
            "reference": pack_samples(reference.run_all(inputs)),
        }
        return {**said, "name": reference.name}
    except DeployError as error:
        return told(error)


@functools.lru_cache(maxsize=8)
def _prepared(source: bytes, compiled: bytes, npu: str, oracle: str, _thread: int) -> tuple[HostSession, Oracle]:
    """Both, once for each thread of a worker: neither serves two at a time."""
    session = HostSession(tflite.load(compiled, source="the compiled model"), npu_named(npu))
    return session, one_oracle(tflite.load(source, source="the model"), oracle)


def _in_order(found: dict[int, dict[str, Any]], who: str) -> Iterator[Sample]:
    for first in sorted(found):
        yield from unpack_samples(found[first][who])


def check_options(*, sequence: bool) -> None:
    """Check that inputs can be shared out.

    Raises:
        BadInputError: they are a sequence.
    """
    if sequence:
        raise BadInputError("--sequence is for one machine: workers of --scheduler share the inputs out")
