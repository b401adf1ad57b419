"""Where tensors lie in the arena: what Vela writes, and nothing that TFLM would refuse."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from deploy import tflite
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.tflite import Model, Tensor
from deploy.tflite.compiled import ARENA_METADATA, arena_end, arena_offsets, npu_operators


def model(*, subgraphs: tuple[int, ...] = (2,), count: int = 2, offsets: tuple[int, ...] = (0, 16)) -> Model:
    tensors = tuple(Tensor(index, f"t{index}", (1, 16), "int8", None, None) for index in range(2))
    data = struct.pack(f"<3i{len(offsets)}i", 0, len(subgraphs), count, *offsets)
    return Model(b"", tensors, (), (0,), (1,), None, {ARENA_METADATA: data}, subgraphs)


@pytest.fixture(scope="module")
def compiled(mlperf_tiny: dict[str, Path]) -> Model:
    """For a memory mode with an SRAM of the NPU's own."""
    source = tflite.read(mlperf_tiny["keyword_spotting"])
    return VELA.compile(source, compile_options(npu_named("U65-256"))).model


def test_every_tensor_of_velas_output_has_an_offset_and_constants_have_none(compiled: Model) -> None:
    offsets = arena_offsets(compiled)
    assert len(offsets) == len(compiled.tensors)
    for tensor in compiled.tensors:
        assert (offsets[tensor.index] >= 0) is (tensor.data is None), tensor


def test_the_npu_s_own_memory_can_be_left_out_of_the_arena(compiled: Model) -> None:
    (operator,) = npu_operators(compiled)
    offsets = arena_offsets(compiled)
    assert operator.has_fast_memory
    whole, arena = arena_end(compiled, offsets), arena_end(compiled, offsets, leave_out={operator.fast.index})
    assert arena == offsets[operator.scratch.index] + operator.scratch.nbytes
    assert whole >= offsets[operator.fast.index] + operator.fast.nbytes


def test_the_arena_ends_with_its_last_tensor() -> None:
    assert arena_end(model(), (0, 16)) == 32
    assert arena_end(model(), (-1, -1)) == 0


def test_of_several_subgraphs_the_first_ones_offsets_are_taken() -> None:
    assert arena_offsets(model(subgraphs=(2, 3), count=5, offsets=(0, 16, 7, 7, 7))) == (0, 16)


@pytest.mark.parametrize(
    "damaged",
    [
        model(count=1, offsets=(0,)),
        model(count=3, offsets=(0, 16, 32)),
        model(count=2, offsets=(0,)),
        model(count=2, offsets=(0, 16, 32)),
        model(subgraphs=(2, 3)),
        model(count=-1, offsets=()),
        replace(model(), metadata={ARENA_METADATA: b"\0" * 7}),
    ],
)
def test_another_number_of_offsets_than_of_tensors_is_refused(damaged: Model) -> None:
    with pytest.raises(BadInputError, match="OfflineMemoryAllocation metadata does not match"):
        arena_offsets(damaged)


def test_an_impossible_place_is_refused() -> None:
    with pytest.raises(BadInputError, match="places a tensor at -2"):
        arena_offsets(model(offsets=(0, -2)))


def test_a_model_that_vela_did_not_write_is_refused() -> None:
    with pytest.raises(BadInputError, match="no OfflineMemoryAllocation") as caught:
        arena_offsets(replace(model(), metadata={}))
    assert caught.value.hints == ("compile it with Vela first",)
