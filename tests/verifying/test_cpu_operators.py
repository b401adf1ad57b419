"""Operators left on the CPU: each alone on LiteRT's kernels, exactly what they compute inside the whole model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.errors import TargetError
from deploy.judging.inputs import random_inputs
from deploy.judging.reference import ReferenceKernels
from deploy.tflite import Model, Operator, read
from deploy.tflite.single_operator import OperatorFiles
from deploy.verifying.cpu_operators import CpuOperator, cpu_operators


@pytest.fixture(scope="module")
def model(mlperf_tiny: dict[str, Path]) -> Model:
    return read(mlperf_tiny["keyword_spotting"])


def test_operator_after_operator_computes_what_the_whole_model_computes(model: Model) -> None:
    [sample] = random_inputs(model, 1, seed=5).samples
    values = {index: sample[name] for index, name in model.input_names().items()}
    for operator in cpu_operators(model, "ethos-u").values():
        values |= operator.run({tensor.index: values[tensor.index] for tensor in operator.inputs})
    expected = ReferenceKernels(model).run(sample)
    for index, name in model.output_names().items():
        np.testing.assert_array_equal(values[index], expected[name])


def test_constants_belong_to_the_operator_and_activations_are_its_inputs(model: Model) -> None:
    operators = cpu_operators(model, "ethos-u")
    convolution = operators[1]
    assert convolution.code == "CONV_2D"
    assert [tensor.index for tensor in convolution.inputs] == [model.operators[1].inputs[0]]
    assert [tensor.shape for tensor in convolution.outputs] == [(1, 25, 5, 64)]


def test_the_npu_s_own_operators_are_left_out(model: Model) -> None:
    assert len(cpu_operators(model, "SOFTMAX")) == len(model.operators) - 1


def test_operators_of_resource_variables_are_memory_and_need_no_kernel(model: Model) -> None:
    stateful = Operator(index=0, code="VAR_HANDLE", inputs=(), outputs=(0,))
    other = Model(**{**vars(model), "operators": (stateful, *model.operators[1:])})
    assert sorted(cpu_operators(other, "ethos-u")) == list(range(1, len(model.operators)))


def test_another_shape_than_the_model_states_is_an_error_of_the_target(model: Model) -> None:
    operator = cpu_operators(model, "ethos-u")[0]
    [tensor] = operator.inputs
    with pytest.raises(TargetError, match=r"CPU operator 0 \(QUANTIZE\)"):
        operator.run({tensor.index: np.zeros((1, 2), np.float32)})


def test_other_kernels_can_be_asked(model: Model) -> None:
    from deploy.judging.oracles import OptimisedKernels

    softmax = next(operator for operator in model.operators if operator.code == "SOFTMAX")
    content = OperatorFiles(model).content(softmax)
    [tensor] = CpuOperator(softmax, model, content).inputs
    logits = np.arange(12, dtype=np.int8).reshape(tensor.shape)
    reference = CpuOperator(softmax, model, content).run({tensor.index: logits})
    optimised = CpuOperator(softmax, model, content, (OptimisedKernels,)).run({tensor.index: logits})
    [index] = reference
    assert np.abs(reference[index].astype(int) - optimised[index]).max() <= 1
