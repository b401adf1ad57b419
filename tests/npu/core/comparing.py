"""What memory holds after a random operation by the core and by NumPy."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from deploy.npu import Architecture, NpuError, u55, u85
from deploy.npu.core.library import native
from deploy.npu.core.records import Record, Tables
from deploy.npu.core.translation import BAND_BYTES, TranslatedProgram
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.workspace import Packed, Workspace
from deploy.npu.instruction_set import InstructionSet, Kind
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.operations import Operation
from deploy.npu.stream.u85_operations import U85ConvolutionOperation
from deploy.npu.weights.unpacked import ChannelScales, Unpacked

from . import random_operations, u85_random_operations
from .numpy_packing import pack, parts_of
from .random_operations import INDICES, NUMBERS, REGION_BYTES


def invented(
    operation: ConvolutionOperation, _design: Any, streams: Sequence[Any], records: Sequence[Any]
) -> Unpacked:
    """Weights and scales that depend on the bytes of the streams alone; decoding has tests of its own."""
    rng = np.random.default_rng([int(part.astype(np.int64).sum()) for part in (*streams, *records)])
    depth, kernel = operation.ofm.depth, operation.kernel
    inner = 1 if operation.depthwise else operation.ifm.depth
    most = int(rng.choice([1, 20, 128, 255]))
    weights = rng.integers(-most, most + 1, (depth, kernel.height, kernel.width, inner)).astype(np.int16)
    bias = rng.integers(-(1 << int(rng.choice([3, 20, 39]))), 1 << int(rng.choice([3, 20, 39])), depth)
    multiplier = rng.integers(0, 1 << int(rng.choice([1, 15, 31, 32])), depth)
    return Unpacked(weights, ChannelScales(bias, multiplier, rng.integers(0, 64, depth)))


def _packed(
    operation: ConvolutionOperation, design: Any, streams: Sequence[Any], records: Sequence[Any]
) -> Packed:
    """The same as the core takes them."""
    content = (*streams, *records)
    return Packed(pack(parts_of(operation, invented(operation, design, streams, records), content)), content)


def _weights(operation: ConvolutionOperation, workspace: Workspace) -> Packed | None:
    return workspace.weights.packed(operation, workspace.memory, _packed)


def _instructions(found: InstructionSet, operation: type[Operation]) -> InstructionSet:
    """An instruction set with weights out of nowhere, so that every size and value of them occurs."""

    def with_invented_weights(kind: Kind[Any]) -> Kind[Any]:
        def translate(operation: ConvolutionOperation, tables: Tables) -> Record:
            assert kind.translate is not None
            record = kind.translate(operation, tables)
            return record if record.weights is None else record._replace(weights=partial(_weights, operation))

        return replace(kind, execute=partial(kind.execute, unpack=invented), translate=translate)

    kinds = (with_invented_weights(kind) if kind.operation is operation else kind for kind in found.kinds)
    return replace(found, kinds=tuple(kinds))


DESIGNS = {"u55": Architecture("U55", 128).design, "u85": Architecture("U85", 256).design}
INSTRUCTIONS = {
    "u55": _instructions(u55.U55, ConvolutionOperation),
    "u85": _instructions(u85.U85, U85ConvolutionOperation),
}
GENERATORS = {"u55": random_operations.GENERATORS, "u85": u85_random_operations.GENERATORS}
KINDS = [(family, kind) for family, generators in GENERATORS.items() for kind in generators]
"""All kinds of operations, each with the family whose it is."""


@dataclass
class Outcome:
    """What one random program came to.

    Attributes:
        done: whether NumPy computed it rather than refused it.
        core: whether the core did.
        same: whether all memory was the same afterwards.
    """

    operations: Sequence[Operation]
    done: bool
    core: bool
    same: bool


def _memory(family: str, seed: int, batch: int) -> Memory:
    rng = np.random.default_rng(seed)
    constants = rng.integers(0, 256, 4200, np.uint8)
    arena = rng.integers(0, 256, (batch, REGION_BYTES) if batch > 1 else REGION_BYTES, np.uint8)
    small = rng.integers(0, 20, (*arena.shape[:-1], 16)).astype("<i4")
    arena[..., INDICES : INDICES + 64] = small.view(np.uint8)
    numbers = rng.integers(-(1 << 47), 1 << 47, (*arena.shape[:-1], 2048)).astype("<i8")
    arena[..., NUMBERS:] = numbers.view(np.uint8)
    memory = Memory({0: constants, 1: arena, 2: arena}, DESIGNS[family])
    own = memory.bytes(None, 0, memory.size(None), write=True)
    own[...] = rng.integers(0, 256, own.shape, np.uint8)
    return memory


def compared(family: str, kind: str, seed: int, version: int = -1) -> Outcome:
    """Run one random operation of a kind, or some that belong together, in both ways, on the same memory."""
    rng = random.Random(f"{kind} {seed}")  # noqa: S311 - repeatable, not secret
    found = GENERATORS[family][kind](rng)
    operations = found if isinstance(found, list) else [found]
    batch, instructions = rng.choice([1, 1, 3]), INSTRUCTIONS[family]
    expected, memory = _memory(family, seed, batch), _memory(family, seed, batch)
    done = True
    try:
        for operation in operations:
            instructions.kind_of(operation).execute(operation, Workspace(expected))
    except NpuError:
        done = False
    core = native()
    assert core is not None
    bands = {"band_bytes": rng.choice([1, 2000, BAND_BYTES])}  # row by row, some rows at once, all of them
    program = TranslatedProgram(operations, instructions, memory, core, version=version, **bands)
    reached = program.on(Workspace(memory))(0, len(operations))
    arrays = zip(expected.arrays, memory.arrays, strict=True)
    same = all(a is b is None or (a is not None and b is not None and (a == b).all()) for a, b in arrays)
    return Outcome(operations, done, reached == len(operations), same)
