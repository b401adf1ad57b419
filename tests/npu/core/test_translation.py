"""The compiled core computes what NumPy computes, byte for byte, and leaves to it what it does not cover."""

from __future__ import annotations

import gc
import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deploy.npu import Architecture, MemoryAccessError, NpuError, UnsupportedError, WeightCache, execute
from deploy.npu import program as programs
from deploy.npu.core import library, translation
from deploy.npu.core.records import Tables
from deploy.npu.core.translation import TranslatedProgram
from deploy.npu.execution.feature_maps import read
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.workspace import Workspace
from deploy.npu.program import Program, decode, run
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import BlockOperation

from .. import fuzzing
from . import u85_random_operations
from .comparing import GENERATORS, INSTRUCTIONS, KINDS, compared
from .random_operations import U55

CORE = library.native()
U85 = Architecture("U85", 256)
VERSIONS = 4
"""Of the innermost loops on a processor that has all; on others the last one stands for those that are missing."""


def check(family: str, kind: str, seeds: range, version: int = -1) -> None:
    done = 0
    for seed in seeds:
        outcome = compared(family, kind, seed, min(version, len(CORE.VERSIONS) - 1))
        assert outcome.core == outcome.done, (seed, outcome.operations)
        assert outcome.same or not outcome.done, (seed, outcome.operations)
        done += outcome.done
    assert done > 0.8 * len(seeds)


def test_the_core_is_built() -> None:
    assert CORE is not None, "make setup builds it, with gcc and Python's headers"


def test_every_row_of_the_instruction_sets_is_compared() -> None:
    for family, generators in GENERATORS.items():
        rng = random.Random(0)  # noqa: S311 - repeatable, not secret
        made = [generate(rng) for generate in generators.values()]
        kinds = {
            type(one)
            for operations in made
            for one in (operations if isinstance(operations, list) else [operations])
        }
        assert kinds == {kind.operation for kind in INSTRUCTIONS[family].kinds}


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_operations_leave_the_same_memory_as_numpys(family: str, kind: str) -> None:
    check(family, kind, range(120))


@pytest.mark.parametrize("version", range(VERSIONS - 1))
@pytest.mark.parametrize("kind", ["convolution", "elementwise"])
def test_every_version_of_the_loops_computes_the_same(kind: str, version: int) -> None:
    check("u55", kind, range(1000, 1060), version)


@pytest.mark.slow
@pytest.mark.parametrize("version", range(VERSIONS))
@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_many_operations_leave_the_same_memory_as_numpys(family: str, kind: str, version: int) -> None:
    check(family, kind, range(2000 + 3000 * version, 5000 + 3000 * version), version)


def decoded(victim: fuzzing.Victim) -> Program:
    return decode(victim.stream, victim.architecture)


def arena() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, fuzzing.REGION_BYTES, np.uint8)


def after(victim: fuzzing.Victim, **words: object) -> np.ndarray:
    memory = arena()
    run(decoded(victim), {0: victim.constants, 1: memory, 2: memory}, WeightCache(), **words)
    return memory


def test_whole_programs_run_in_the_core_and_as_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for victim in fuzzing.victims():
        memory = Memory({0: victim.constants, 1: arena()}, victim.architecture.design)
        found, translated = after(victim), decoded(victim).translated(memory)
        assert translated is not None
        assert translated.left == ()
        with monkeypatch.context() as patch:
            patch.setattr(programs, "native", lambda: None)
            assert (after(victim) == found).all()
        # The interpreter may have its turn after every operation.
        with monkeypatch.context() as patch:
            patch.setattr(translation, "_BUDGET", 1)
            assert (after(victim) == found).all()


PARTS = [
    *(
        f"{map_}.region type height width depth zero_point first_piece pieces dense"
        for map_ in ("ifm", "ifm2", "ofm")
    ),
    "function table minimum maximum index_type rounding",
    *(f"{scale}.used multiplier shift away" for scale in ("scale", "operand_a", "operand_b")),
    "kernel_height kernel_width stride_y stride_x dilation_y dilation_x top left bottom right upscale",
    "first_stream streams",
    *(f"{sampling}.parts step offset" for sampling in ("vertical", "horizontal")),
    *(f"{ends}.region address length" for ends in ("source", "destination")),
    *(f"{rows}.region address step plane_step" for rows in ("indexed", "indices")),
]


@pytest.mark.parametrize("part", PARTS)
def test_members_that_are_given_together_stand_together_in_the_core(part: str) -> None:
    first, *others = part.split()
    outer = f"{first.partition('.')[0]}." if "." in first else ""
    places = [CORE.FIELDS[first], *(CORE.FIELDS[outer + other] for other in others)]
    assert places == list(range(places[0], places[0] + len(places)))


def test_a_program_is_translated_once_for_however_many_inputs_lie_side_by_side() -> None:
    victim = fuzzing.victims()[0]
    program = decoded(victim)

    def translated(items: int) -> TranslatedProgram | None:
        regions = {0: victim.constants, 1: np.stack([arena()] * items)}
        return program.translated(Memory(regions, victim.architecture.design))

    assert translated(2) is translated(5) is not None
    assert translated(1) is not translated(2)  # one item may write what several would share
    rows = np.stack([arena(), arena()[::-1], arena() ^ 85])
    for items in (3, 2, 1):
        whole = np.ascontiguousarray(rows[:items])
        run(program, {0: victim.constants, 1: whole, 2: whole}, WeightCache())
        for i in range(items):
            one = rows[i : i + 1].copy()
            run(decoded(victim), {0: victim.constants, 1: one, 2: one}, WeightCache())
            assert (one[0] == whole[i]).all()


def test_maps_that_operations_share_are_one_in_the_core_too() -> None:
    victim = fuzzing.victims()[0]
    operations = decoded(victim).operations
    memory = Memory({0: victim.constants, 1: arena()}, victim.architecture.design)
    tables = Tables(memory, CORE.NUMBERS)
    ofm = next(operation.ofm for operation in operations if isinstance(operation, BlockOperation))
    written, read_ = tables.map("ofm", ofm, write=True), tables.map("ifm", ofm)
    assert written["ofm.region"] == read_["ifm.region"]
    *_, first, count, _ = written["ofm.region"]
    assert (first, count) == (0, len(tables.pieces))
    memory.arrays[1].flags.writeable = False
    assert tables.map("ifm", ofm) == read_
    with pytest.raises(MemoryAccessError, match="read-only"):
        tables.map("ofm", ofm, write=True)


def test_a_program_that_runs_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    victim = fuzzing.victims()[0]
    program = decoded(victim)
    memory = Memory({0: victim.constants, 1: arena()}, victim.architecture.design)
    translated = program.translated(memory)
    assert translated is not None
    run_in_core = translated.on(Workspace(memory))
    monkeypatch.setattr(translated, "_found", lambda *_words: run_in_core(0, 1))
    with pytest.raises(ValueError, match="run already"):
        run_in_core(0, 1)
    monkeypatch.undo()
    assert run_in_core(0, 1) == 1
    for first, stop in ((-1, 1), (2, 1), (0, 9)):
        with pytest.raises(ValueError, match="no such operations"):
            run_in_core(first, stop)


def test_an_observer_sees_memory_after_every_operation() -> None:
    victim = fuzzing.victims()[0]
    seen = []
    found = after(
        victim, on_operation=lambda operation, memory: seen.append((operation.index, memory.arrays[1].copy()))
    )
    assert [index for index, _ in seen] == list(range(8))
    assert (seen[-1][1][0] == found).all()
    assert any((one != other).any() for (_, one), (_, other) in itertools.pairwise(seen))


def test_an_access_outside_a_region_is_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    victim, messages = fuzzing.victims()[0], []
    for core in (library.native, lambda: None):
        monkeypatch.setattr(programs, "native", core)
        with pytest.raises(MemoryAccessError) as caught:
            execute(victim.stream, {0: victim.constants, 1: np.zeros(9000, np.uint8)}, victim.architecture)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_reads_of_memory_that_nobody_wrote_are_found_as_ever() -> None:
    victim = fuzzing.victims()[0]
    regions = {0: victim.constants, 1: arena()}
    with pytest.raises(MemoryAccessError, match="nobody wrote"):
        execute(victim.stream, regions, victim.architecture, defined={0: [(0, victim.constants.size)]})


def test_changed_weights_are_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    victim = fuzzing.victims()[0]
    program, cache, results = decoded(victim), WeightCache(), []
    program = replace(program, operations=program.operations[:1])
    changed = victim.constants.copy()
    # A bias: nothing about the stream's length tells that it changed.
    changed[program.operations[0].scales[0].address + 1] += 100
    for constants in (victim.constants, changed, victim.constants):
        memory = arena()
        run(program, {0: constants, 1: memory}, cache)
        results.append(memory)
    assert (results[0] == results[2]).all()
    assert (results[0] != results[1]).any()
    monkeypatch.setattr(programs, "native", lambda: None)
    memory = arena()
    run(program, {0: changed, 1: memory}, cache)
    assert (memory == results[1]).all()


def test_packed_weights_outlive_the_memory_that_they_were_decoded_from() -> None:
    victim, cache = fuzzing.victims()[0], WeightCache(limit_bytes=1)
    program, content = decoded(victim), bytes(victim.constants)
    results = []
    for _ in range(3):
        # Of constants that nothing can change there is no copy: they stay as long as they are compared with.
        memory, constants = arena(), np.frombuffer(bytes(bytearray(content)), np.uint8)
        run(program, {0: constants, 1: memory, 2: memory}, cache)
        results.append(memory)
        del constants
        gc.collect()
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()


def test_weights_that_differ_within_a_batch_are_refused() -> None:
    victim = fuzzing.victims()[0]
    constants = np.stack([victim.constants, victim.constants])
    regions = {0: constants, 1: np.stack([arena(), arena()])}
    execute(victim.stream, regions, victim.architecture)
    constants[1, decoded(victim).operations[0].scales[0].address] += 1
    with pytest.raises(UnsupportedError, match="differ within a batch"):
        execute(victim.stream, regions, victim.architecture)


def test_a_batch_may_not_write_what_it_shares() -> None:
    victim = fuzzing.victims()[0]
    with pytest.raises(UnsupportedError, match="shares"):
        execute(victim.stream, {0: np.stack([victim.constants] * 2), 1: arena()}, victim.architecture)


def test_regions_that_overlap_in_part_are_numpys_in_a_batch() -> None:
    rows = np.zeros((3, 1000), np.uint8)
    flat = rows.reshape(-1)
    assert Memory({1: rows, 2: rows}, U55.design).shape is not None
    assert Memory({1: rows, 2: flat}, U55.design).shape is None
    assert Memory({1: flat, 2: flat[10:]}, U55.design).shape is not None


def test_a_chain_goes_to_and_fro_between_the_core_and_numpy() -> None:
    compared_chains = 0
    for seed in range(40):
        operations = u85_random_operations.chain(random.Random(seed))  # noqa: S311 - repeatable, not secret
        outcomes = [after_chain(operations, numpys) for numpys in itertools.product([False, True], repeat=3)]
        if all(outcome is not None for outcome in outcomes):
            compared_chains += 1
            for (reached, inside), (other, found) in itertools.pairwise(outcomes):
                assert (reached == other).all(), seed
                assert (inside == found).all(), seed
    assert compared_chains > 30


def after_chain(operations: list[Any], numpys: Sequence[bool]) -> tuple[np.ndarray, np.ndarray] | None:
    """What memory holds, and the map that an observer finds between the operations; None if one is refused."""
    instructions, constants = INSTRUCTIONS["u85"], np.random.default_rng(1).integers(0, 256, 4200, np.uint8)
    memory = Memory({0: constants, 1: np.stack([arena(), arena()[::-1]])}, U85.design)
    workspace = Workspace(memory)
    run_in_core = TranslatedProgram(operations, instructions, memory, CORE).on(workspace)
    inside = None
    for number, (operation, by_numpy) in enumerate(zip(operations, numpys, strict=True)):
        try:
            if by_numpy:
                instructions.kind_of(operation).execute(operation, workspace)
            else:
                assert run_in_core(number, number + 1) == number + 1
        except NpuError:
            return None
        if operation.ofm.chain is not None:
            inside = read(memory, operation.ofm)
    assert inside is not None
    return memory.arrays[1], inside


def test_a_map_that_an_operation_of_numpys_changed_is_not_taken_for_the_one_before() -> None:
    first, second, third = u85_random_operations.chain(random.Random(3))  # noqa: S311 - repeatable, not secret
    smaller = second.ofm._replace(chain=first.ofm.chain, depth=second.ofm.depth + 1)
    odd = replace(second, mode=ElementwiseMode.XOR, ofm=smaller)  # the core leaves it to NumPy, which refuses it
    memory = Memory({0: np.zeros(4200, np.uint8), 1: np.zeros(1 << 16, np.uint8)}, U85.design)
    going_on = replace(third, ifm2=first.ofm)
    program = TranslatedProgram([first, odd, going_on], U85.instruction_set, memory, CORE)
    assert program.left == (1, 2)


def test_every_kind_of_operation_says_what_the_core_takes() -> None:
    for family in ("U55", "U65", "U85"):
        kinds = Architecture(family, 256).instruction_set.kinds
        assert all(kind.translate is not None for kind in kinds)
