"""The open Corstone-300 with an NPU that has a fault: ``wrong_npu.py STREAM:OFFSET:BYTE OPTIONS``.

STREAM counts the command streams that run after a boot, from 0; ``*`` is any. After the operation that begins at
OFFSET of the stream one bit of its result is flipped, in element (of a transfer: byte) number BYTE. Where OFFSET
is ``all``, that happens to every transfer between memories.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from deploy.corstone import cli
from deploy.npu import registers
from deploy.npu.execution.destinations import destinations
from deploy.npu.execution.feature_maps import views
from deploy.npu.execution.memory import Memory
from deploy.npu.program import Program, run
from deploy.npu.stream.dma import Transfer
from deploy.npu.stream.operations import BlockOperation, Operation

stream, offset, byte = sys.argv.pop(1).split(":")
streams = 0


def flip(operation: Operation, memory: Memory) -> None:
    if isinstance(operation, Transfer):
        region = operation.writes[0].region
        if region is not None:
            places = destinations(operation, memory)
            memory.bytes(region, int(places[int(byte) % len(places)]), 1, write=True)[...] ^= 1
    elif isinstance(operation, BlockOperation):
        view = views(memory, operation.ofm)[0]
        index = np.unravel_index(int(byte) % view[0].size, view[0].shape)
        view[(0, *index)] ^= np.array(0x40, view.dtype)


def wrong(program: Program, regions: Any, cache: Any) -> None:
    global streams
    number, streams = streams, streams + 1

    def observe(operation: Operation, memory: Memory) -> None:
        every = offset == "all" and isinstance(operation, Transfer)
        if stream in ("*", str(number)) and (every or str(operation.offset) == offset):
            flip(operation, memory)

    run(program, regions, cache, observe)


registers.run = wrong  # type: ignore[assignment]
sys.exit(cli.main())
