"""The operators that Vela made for the NPU, and their tensors."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import tflite
from deploy.errors import BadInputError
from deploy.tflite import NPU_OPERATOR, Model, Operator, Tensor
from deploy.tflite.compiled import npu_operators


def model(*inputs: int) -> Model:
    tensors = tuple(Tensor(index, f"t{index}", (4,), "uint8", None, None) for index in range(5))
    return Model(b"", tensors, (Operator(0, NPU_OPERATOR, inputs, (4,), is_custom=True),), (), (), None, {})


def test_memory_of_the_npus_own_is_a_tensor_beside_the_arena() -> None:
    (shared,) = npu_operators(model(0, 1, 2, 2, 3))
    (dedicated,) = npu_operators(model(0, 1, 2, 3))
    assert not shared.has_fast_memory and dedicated.has_fast_memory
    assert (dedicated.payload.index, dedicated.constants.index, dedicated.payload_bytes) == (0, 1, b"")


@pytest.mark.parametrize("inputs", [(), (0, 1, 2), (0, 1, -1, 3)])
def test_too_few_inputs_are_refused_with_the_operator(inputs: tuple[int, ...]) -> None:
    with pytest.raises(BadInputError, match=r"operator 0 \(ethos-u\) has fewer than four inputs"):
        npu_operators(model(*inputs))


def test_a_model_before_vela_has_none(mlperf_tiny: dict[str, Path]) -> None:
    assert npu_operators(tflite.read(mlperf_tiny["keyword_spotting"])) == ()
