"""Packs the weights of a program in a thread of its own, while it is translated and runs for the first time.

Weights that the stream moves before it uses them are packed where they come from: nothing has to be copied.
What is packed is an offer: the core holds the streams that it comes from against what memory holds when the
operation runs, as it does whenever it uses packed weights. So nothing has to be agreed on, and a wrong guess about
what memory is going to hold costs time alone.

The thread does not wait for the interpreter, which translates meanwhile: the core has all that there is to pack at
once, and rooms for it that the prepared program has, too, and uses as soon as they are filled. Small ones come
first: to ask for one takes longer than to pack it. Then the thread begins at the program's end, where the run
arrives last. It is over when the run is.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.npu.core.library import native
from deploy.npu.core.weights import Packing
from deploy.npu.errors import NpuError
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.workspace import Key, Packed, Workspace, key_of, lasting
from deploy.npu.instruction_set import InstructionSet
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.operations import AddressRange, Operation
from deploy.npu.stream.origins import with_origins
from deploy.npu.weights.unpacked import Streams

_WORTH_A_THREAD = 1 << 17
"""Bytes of streams."""
_SMALL = 1 << 14
"""Bytes of a convolution's streams that are packed before others, in some 30 us."""
_BLOCK = 1 << 22
"""Bytes of a block of rooms; for so many NumPy asks Linux for large pages, of which few have to be fetched."""
_ALIGNMENT = 64


class _Job(NamedTuple):
    """A convolution and its streams, in memory that nothing can change.

    Attributes:
        ranges: where that memory is.
    """

    operation: ConvolutionOperation
    pack: Packing
    weights: Streams
    scales: Streams
    ranges: tuple[AddressRange, ...]

    @property
    def size(self) -> int:
        """Bytes of weight streams."""
        return sum(part.size for part in self.weights)


class _Begun(NamedTuple):
    """Weights that are to be packed.

    Attributes:
        key: of the cache.
        words: of their order.
        packed: as they will be.
    """

    key: Key
    job: _Job
    words: NDArray[np.int64]
    packed: Packed


class _Rooms:
    """Room of zeros, from blocks: whoever fills it, and not who takes it, waits for the host's memory.

    Args:
        limit_bytes: that there are, all rooms together.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._left = limit_bytes
        self._block = np.zeros(0, np.uint8)

    def take(self, size: int) -> NDArray[np.uint8]:
        """Room of that many bytes.

        Raises:
            MemoryError: there is none left.
        """
        self._left -= size
        if self._left < 0:
            raise MemoryError
        if size > self._block.size:
            self._block = np.zeros(max(size, _BLOCK), np.uint8)
        room, self._block = self._block[:size], self._block[-(-size // _ALIGNMENT) * _ALIGNMENT :]
        return room


@contextlib.contextmanager
def weights_ahead(
    operations: Sequence[Operation], instructions: InstructionSet, workspace: Workspace
) -> Iterator[Mapping[int, Packed]]:
    """Packed weights by the numbers of operations, or room that is filled later; all at once if they are few."""
    memory, core = workspace.memory, native()
    if core is None or memory.shape is None:
        yield {}
        return
    jobs = _jobs(operations, instructions, memory)
    jobs.sort(key=lambda job: (job.size > _SMALL, -job.operation.index))
    offered, over = dict[int, Packed](), bytearray(1)
    work = _begin(jobs, core, workspace, offered)
    words = (core, work, workspace, offered, over)
    if os.cpu_count() == 1 or sum(job.size for job in jobs) < _WORTH_A_THREAD:
        _pack(*words)
        yield offered
        return
    thread = threading.Thread(target=_pack, args=words, name="weights ahead")
    thread.start()
    try:
        yield offered
    finally:
        over[0] = 1
        thread.join()


def _begin(
    jobs: Sequence[_Job], core: ModuleType, workspace: Workspace, offered: dict[int, Packed]
) -> list[_Begun]:
    """Offer weights that are packed already, and room for the others: one for all that have the same."""
    design, rooms = workspace.memory.design, _Rooms(workspace.weights.limit_bytes)
    begun: list[_Begun] = []
    same: dict[tuple[Key, tuple[AddressRange, ...]], Packed] = {}
    for job in jobs:
        operation, pack, streams, records, ranges = job
        with contextlib.suppress(NpuError, MemoryError):  # the run says what is wrong, where it gets there
            key, parts = key_of(operation, design, pack, streams, records), (*streams, *records)
            found = workspace.weights.known_packed(key, parts) or same.get((key, ranges))
            if found is None:
                words = pack.words(core, operation, design)
                found = same[key, ranges] = Packed(rooms.take(core.packed_bytes(words, len(parts))), parts)
                begun.append(_Begun(key, job, words, found))
            offered[operation.index] = found
    return begun


def _pack(
    core: ModuleType, begun: Sequence[_Begun], workspace: Workspace, offered: dict[int, Packed], over: bytearray
) -> None:
    cache, design, numbers = workspace.weights, workspace.memory.design, core.NUMBERS
    work = [(each.words, each.job.weights, each.job.scales, each.packed.weights) for each in begun]
    with contextlib.suppress(MemoryError):
        for (key, job, _, packed), outcome in zip(begun, core.pack(work, over), strict=True):
            if outcome == numbers["PACKED"]:
                cache.keep_packed(key, packed)
            elif outcome == numbers["TOO_WIDE"] and not over[0]:
                wider = cache.pack_streams(job.operation, design, job.pack, job.weights, job.scales)
                offered |= {} if wider is None else {job.operation.index: wider}


def _jobs(operations: Sequence[Operation], instructions: InstructionSet, memory: Memory) -> list[_Job]:
    jobs: list[_Job] = []
    for operation, ranges in with_origins(operations):
        pack = instructions.kind_of(operation).pack
        parts = [_constant(part, memory) for part in ranges]
        streams = [part for part in parts if part is not None]
        if pack is not None and streams and len(streams) == len(parts):
            count = len(operation.weights)
            jobs.append(_Job(operation, pack, streams[:count], streams[count:], ranges))
    return jobs


def _constant(stream: AddressRange, memory: Memory) -> NDArray[np.uint8] | None:
    """The bytes of a stream where nothing can change them."""
    try:
        rows = memory.bytes(stream.region, stream.address, stream.length)
    except NpuError:
        return None
    first: NDArray[np.uint8] = rows[0]
    return first if len(rows) == 1 and lasting(first) is first else None
