"""Packs the weights of a program in a thread of its own, while it is translated and runs for the first time.

Weights that the stream moves before it uses them are packed where they come from: nothing has to be copied.
What is packed is an offer: the core holds the streams that it comes from against what memory holds when the
operation runs, as it does whenever it uses packed weights. So nothing has to be agreed on, and a wrong guess about
what memory is going to hold costs time alone. The thread begins at the program's end, where the run arrives last,
and is over when the run is.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.npu.core.library import native
from deploy.npu.errors import NpuError
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.workspace import Pack, Packed, WeightCache, Workspace, lasting
from deploy.npu.instruction_set import InstructionSet
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.dma import Transfer
from deploy.npu.stream.operations import AddressRange, Operation
from deploy.npu.weights.unpacked import Streams

_WORTH_A_THREAD = 1 << 17
"""Bytes of streams."""
_LATEST = 64
"""Transfers among which the one that brought a stream is looked for: it comes shortly before."""


class _Job(NamedTuple):
    """A convolution and its streams, in memory that nothing can change."""

    operation: ConvolutionOperation
    pack: Pack
    weights: Streams
    scales: Streams


@contextlib.contextmanager
def weights_ahead(
    operations: Sequence[Operation], instructions: InstructionSet, workspace: Workspace
) -> Iterator[Mapping[int, Packed]]:
    """Packed weights by the numbers of operations: more of them as time goes by; all at once if few."""
    memory = workspace.memory
    jobs = [] if native() is None or memory.shape is None else _jobs(operations, instructions, memory)
    found: dict[int, Packed] = {}
    over = threading.Event()
    words = (jobs, memory, workspace.weights, found, over)
    if os.cpu_count() == 1 or sum(part.size for job in jobs for part in job.weights) < _WORTH_A_THREAD:
        _pack(*words)
        yield found
        return
    thread = threading.Thread(target=_pack, args=words, name="weights ahead")
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _pack(
    jobs: Sequence[_Job], memory: Memory, cache: WeightCache, found: dict[int, Packed], over: threading.Event
) -> None:
    for operation, pack, *streams in reversed(jobs):
        if over.is_set():
            return
        with contextlib.suppress(NpuError, MemoryError):  # the run says what is wrong, where it gets there
            packed = cache.pack_streams(operation, memory.design, pack, *streams)
            if packed is not None:
                found[operation.index] = packed


def _jobs(operations: Sequence[Operation], instructions: InstructionSet, memory: Memory) -> list[_Job]:
    jobs: list[_Job] = []
    moved: list[tuple[AddressRange, AddressRange]] = []
    for operation in operations:
        if isinstance(operation, Transfer):
            moved += [] if operation.moved is None else [operation.moved]
        elif isinstance(operation, ConvolutionOperation):
            pack = instructions.kind_of(operation).pack
            parts = [_constant(stream, moved, memory) for stream in operation.streams]
            streams = [part for part in parts if part is not None]
            if pack is not None and streams and len(streams) == len(parts):
                count = len(operation.weights)
                jobs.append(_Job(operation, pack, streams[:count], streams[count:]))
    return jobs


def _constant(
    stream: AddressRange, moved: Sequence[tuple[AddressRange, AddressRange]], memory: Memory
) -> NDArray[np.uint8] | None:
    """The bytes of a stream where nothing can change them: itself, or what was moved there last."""
    for source, target in reversed(moved[-_LATEST:]):
        offset = stream.address - target.address
        if target.region == stream.region and 0 <= offset <= target.length - stream.length:
            stream = AddressRange(source.region, source.address + offset, stream.length)
            break
    try:
        rows = memory.bytes(stream.region, stream.address, stream.length)
    except NpuError:
        return None
    first: NDArray[np.uint8] = rows[0]
    return first if len(rows) == 1 and lasting(first) is first else None
