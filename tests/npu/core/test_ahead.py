"""Weights that are packed ahead of the run that uses them: the same results, and no thread afterwards."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from ethosu import mlw_codec

from deploy.npu import WeightCache, WeightStreamError, u55
from deploy.npu import program as programs
from deploy.npu.core import ahead, library
from deploy.npu.core.translation import TranslatedProgram
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.workspace import Packed, Workspace
from deploy.npu.program import Program, decode, run
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.operations import AddressRange

from .. import builders, fuzzing
from .numpy_packing import parsed

VICTIM = fuzzing.victims()[0]
PLACE = 40_000
"""In the arena, where streams are moved."""


def moving() -> Program:
    """A transfer that moves the streams of a convolution to the arena, and the convolution."""
    program = decode(VICTIM.stream, VICTIM.architecture)
    convolution = program.operations[0]
    start = min(stream.address for stream in convolution.streams)
    stop = max(stream.address + stream.length for stream in convolution.streams)

    def moved(streams: tuple[AddressRange, ...]) -> tuple[AddressRange, ...]:
        return tuple(each._replace(region=1, address=each.address - start + PLACE) for each in streams)

    transfer = DmaOperation(0, "NPU_OP_DMA_START", 0, 0, start, 1, PLACE, stop - start)
    weights, scales = moved(convolution.weights), moved(convolution.scales)
    return replace(program, operations=(transfer, replace(convolution, index=1, weights=weights, scales=scales)))


def arena() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, fuzzing.REGION_BYTES, np.uint8)


def after(program: Program, constants: np.ndarray = VICTIM.constants) -> np.ndarray:
    memory = arena()
    run(program, {0: constants, 1: memory}, WeightCache())
    return memory


@pytest.mark.parametrize("worth_a_thread", [0, 1 << 30])
def test_what_is_packed_ahead_gives_the_same_results_and_leaves_no_thread(
    worth_a_thread: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(programs, "native", lambda: None)
        expected = after(moving())
    begun: list[str] = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (begun.append(thread.name), start(thread))[1])
    monkeypatch.setattr(ahead, "_WORTH_A_THREAD", worth_a_thread)
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 2)
    before = threading.enumerate()
    assert (after(moving()) == expected).all()
    assert threading.enumerate() == before
    assert len(begun) == (worth_a_thread == 0)


def test_streams_are_packed_where_a_transfer_takes_them_from(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_asked(*_words: object) -> None:
        raise AssertionError("weights come from where they were packed")

    monkeypatch.setattr(WeightCache, "packed", not_asked)
    program, workspace = moving(), Workspace(Memory({0: VICTIM.constants, 1: arena()}, VICTIM.architecture.design))
    with ahead.weights_ahead(program.operations, program.architecture.instruction_set, workspace) as found:
        assert list(found) == [1]
        assert all(np.may_share_memory(part, VICTIM.constants) for part in found[1].content)
    after(program)


def test_weights_that_memory_does_not_hold_are_not_used() -> None:
    program, core = moving(), library.native()
    assert core is not None
    instructions, design = program.architecture.instruction_set, program.architecture.design
    changed = VICTIM.constants.copy()
    [scales] = decode(VICTIM.stream, VICTIM.architecture).operations[0].scales
    changed[scales.address + 1] += 100  # a bias: nothing about the streams' lengths tells
    others = Workspace(Memory({0: np.frombuffer(changed.tobytes(), np.uint8), 1: arena()}, design))
    with ahead.weights_ahead(program.operations, instructions, others) as offered:
        assert list(offered) == [1]
    memory = Memory({0: VICTIM.constants, 1: arena()}, design)
    translated = TranslatedProgram(program.operations, instructions, memory, core)
    assert translated.on(Workspace(memory), offered)(0, 2) == 2
    assert (memory.arrays[1] == after(program)).all()


def test_a_damaged_stream_is_the_same_error_and_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_WORTH_A_THREAD", 0)
    program, damaged = moving(), VICTIM.constants.copy()
    first = program.operations[0].source
    damaged[first : first + 200] = 0xFF
    constants, before = np.frombuffer(damaged.tobytes(), np.uint8), threading.enumerate()
    messages = []
    for core in (library.native, lambda: None):
        monkeypatch.setattr(programs, "native", core)
        with pytest.raises(WeightStreamError) as caught:
            after(moving(), constants)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert threading.enumerate() == before


def offered_by(program: Program, workspace: Workspace) -> dict[int, Packed]:
    with ahead.weights_ahead(program.operations, program.architecture.instruction_set, workspace) as found:
        return dict(found)


def test_room_that_is_not_filled_is_not_used() -> None:
    program, core = moving(), library.native()
    assert core is not None
    memory = Memory({0: VICTIM.constants, 1: arena()}, program.architecture.design)
    [packed] = offered_by(program, Workspace(memory)).values()
    empty = {1: packed._replace(weights=np.zeros_like(packed.weights))}
    translated = TranslatedProgram(program.operations, program.architecture.instruction_set, memory, core)
    assert translated.on(Workspace(memory), empty)(0, 2) == 2
    assert (memory.arrays[1] == after(program)).all()


def test_operations_with_the_same_weights_have_one_room() -> None:
    program = moving()
    transfer, convolution = program.operations
    twice = replace(program, operations=(transfer, convolution, replace(convolution, index=2)))
    found = offered_by(twice, Workspace(Memory({0: VICTIM.constants, 1: arena()}, program.architecture.design)))
    assert found[1] is found[2]
    assert found[1].weights.any()


def test_weights_that_are_packed_already_are_offered_at_once() -> None:
    program = moving()
    memory, cache = Memory({0: VICTIM.constants, 1: arena()}, program.architecture.design), WeightCache()
    first = offered_by(program, Workspace(memory, cache))
    assert offered_by(program, Workspace(memory, cache))[1] is first[1]


def test_no_more_room_is_reserved_than_the_cache_would_keep() -> None:
    program = moving()
    memory = Memory({0: VICTIM.constants, 1: arena()}, program.architecture.design)
    assert not offered_by(program, Workspace(memory, WeightCache(limit_bytes=100)))
    assert list(offered_by(program, Workspace(memory, WeightCache(limit_bytes=100_000)))) == [1]


def test_weights_of_more_than_8_bits_are_packed_ahead_too() -> None:
    stream = mlw_codec.encode(np.random.default_rng(0).integers(-250, 250, 16 * 32).tolist())
    content = np.frombuffer(bytes(stream) + bytes(160), np.uint8)
    operation = builders.convolution(
        builders.feature_map((1, 1, 32)),
        builders.feature_map((1, 1, 16)),
        weights=(AddressRange(0, 0, len(stream)),),
        scales=(AddressRange(0, len(stream), 160),),
    )
    workspace, core = Workspace(Memory({0: content}, VICTIM.architecture.design)), library.native()
    assert core is not None
    program = Program(VICTIM.architecture, (operation,), True, 0)
    found = offered_by(program, workspace)[operation.index]
    assert found is workspace.weights.packed(operation, workspace.memory, u55.U55.kind_of(operation).pack)
    assert parsed(found.weights).weights.dtype == np.int16


def test_nothing_is_begun_once_it_is_over() -> None:
    core = library.native()
    assert core is not None
    [operation] = [each for each in decode(VICTIM.stream, VICTIM.architecture).operations if each.index == 0]
    streams, records = (
        [VICTIM.constants[part.address : part.address + part.length] for part in parts]
        for parts in (operation.weights, operation.scales)
    )
    words = u55.U55.kind_of(operation).pack.words(core, operation, VICTIM.architecture.design)
    room = np.zeros(core.packed_bytes(words, len(streams) + len(records)), np.uint8)
    job = (words, streams, records, room)
    assert core.pack([job], bytearray([1])) != [core.NUMBERS["PACKED"]]
    assert not room.any()
    assert core.pack([job, job], bytearray(1)) == 2 * [core.NUMBERS["PACKED"]]
    with pytest.raises(ValueError, match="no byte that says when it is over"):
        core.pack([job], b"")


def test_memory_that_may_change_is_not_packed_ahead() -> None:
    program, constants = moving(), VICTIM.constants.copy()
    workspace = Workspace(Memory({0: constants, 1: arena()}, VICTIM.architecture.design))
    with ahead.weights_ahead(program.operations, program.architecture.instruction_set, workspace) as found:
        assert not found
