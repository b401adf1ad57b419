"""QUANTIZE and DEQUANTIZE on the CPU: after their kernels were asked once, the same results without them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from tflite_writer import GraphWriter

from deploy.judging.oracles import MakeKernels, OptimisedKernels, TflmKernels
from deploy.judging.reference import ReferenceKernels
from deploy.tflite import Tensor, load
from deploy.tflite.single_operator import OperatorFiles
from deploy.verifying import learned_operators
from deploy.verifying.cpu_operators import CpuOperator
from deploy.verifying.learned_operators import LearnedOperator, can_be_learned, learned


@pytest.fixture(params=["compiled", "NumPy"], autouse=True)
def _in_either_form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "NumPy":
        monkeypatch.setattr(learned_operators, "native", lambda: None)


Kind = tuple[str, float | None, int]
"""Type, scale and zero point of a tensor."""

FLOAT: Kind = ("float32", None, 0)


def operator_of(
    code: str,
    given: Kind,
    made: Kind,
    shape: Sequence[int] = (1, 7, 3),
    kernels: Sequence[MakeKernels] = (ReferenceKernels,),
) -> CpuOperator:
    writer = GraphWriter()
    tensors = [writer.tensor(name, shape, *kind) for name, kind in (("given", given), ("made", made))]
    writer.operator(code, [tensors[0]], [tensors[1]])
    model = load(writer.finish({"given": tensors[0]}, {"made": tensors[1]}), source="written")
    [operator] = model.operators
    return CpuOperator(operator, model, OperatorFiles(model).content(operator), kernels)


class Counted:
    """An operator that counts how often its kernels are asked."""

    def __init__(self, operator: CpuOperator) -> None:
        self.times, self._run = 0, operator.run_batch
        operator.run_batch = self._counted  # type: ignore[method-assign]
        [self._given], [self._made] = operator.inputs, operator.outputs

    def _counted(self, *words: object, **named: object) -> dict[int, np.ndarray]:
        self.times += 1
        return self._run(*words, **named)  # type: ignore[arg-type]

    def expected(self, array: np.ndarray) -> np.ndarray:
        return self._run({self._given.index: array}, len(array))[self._made.index]


def compared(operator: CpuOperator, array: np.ndarray) -> int:
    """Compares what is learned with the kernels; how often these were asked after they had been asked once."""
    counted, quick = Counted(operator), LearnedOperator(operator)
    [given], [made] = operator.inputs, operator.outputs
    quick.run_batch({given.index: np.zeros((1, *given.shape), given.dtype)})
    counted.times = 0
    found = quick.run_batch({given.index: array}, len(array))[made.index]
    expected = counted.expected(array)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    return counted.times


def floats_at_the_steps(scale: float, zero_point: int, bottom: int) -> np.ndarray:
    """All floats near those at which a level begins, and others, as a batch for the operators of these tests."""
    steps = ((np.arange(-3, 260) + bottom - zero_point - 0.5) * np.float64(np.float32(scale))).astype(np.float32)
    found = [steps]
    for towards in (-np.inf, np.inf):
        moved = steps
        for _ in range(4):
            moved = np.nextafter(moved, np.float32(towards))
            found.append(moved)
    rng = np.random.default_rng(1)
    found += [rng.uniform(-300, 300, 2000).astype(np.float32) * np.float32(scale)]
    found += [np.array([0.0, -0.0, 1e-45, -1e-45, scale * 2.0**29, -scale * 2.0**29], np.float32)]
    floats = np.concatenate(found)
    return np.resize(floats, (-(-floats.size // 21), 1, 7, 3))


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "kernels"),
    [
        ("int8", 0.1, 3, ReferenceKernels),
        ("int8", 0.1, 3, TflmKernels),
        ("int8", 2.0**-7, 0, ReferenceKernels),
        ("int8", 1 / 3, -128, ReferenceKernels),
        ("int8", 1 / 3, -128, TflmKernels),
        ("int8", 3e-5, 127, ReferenceKernels),
        ("uint8", 0.007, 100, ReferenceKernels),
    ],
)
def test_quantized_floats_are_the_kernels_at_every_step(
    dtype: str, scale: float, zero_point: int, kernels: MakeKernels
) -> None:
    operator = operator_of("QUANTIZE", FLOAT, (dtype, scale, zero_point), kernels=(kernels,))
    array = floats_at_the_steps(scale, zero_point, int(np.iinfo(dtype).min))
    assert compared(operator, array) == 0


@pytest.mark.parametrize(
    ("code", "given", "made"),
    [
        ("DEQUANTIZE", ("int8", 0.3, -5), FLOAT),
        ("DEQUANTIZE", ("uint8", 0.01, 200), FLOAT),
        ("QUANTIZE", ("uint8", 0.02, 128), ("int8", 0.02, 0)),
        ("QUANTIZE", ("int8", 0.1, 4), ("int8", 0.013, -7)),
    ],
)
def test_bytes_become_what_the_kernels_make_of_them(code: str, given: Kind, made: Kind) -> None:
    array = np.resize(np.arange(256, dtype=np.uint8).view(given[0]), (13, 1, 7, 3))
    assert compared(operator_of(code, given, made), array) == 0


def test_one_element_is_enough_for_a_tensor() -> None:
    operator = operator_of("QUANTIZE", FLOAT, ("int8", 0.25, 9), shape=(1,))
    assert compared(operator, np.linspace(-40, 40, 999, dtype=np.float32).reshape(-1, 1)) == 0


@pytest.mark.parametrize("beyond", [np.inf, -np.inf, np.nan, 3e38, -3e38])
def test_kernels_are_asked_for_floats_that_they_do_not_define(beyond: float) -> None:
    operator = operator_of("QUANTIZE", FLOAT, ("int8", 0.1, 3))
    array = np.zeros((2, 1, 7, 3), np.float32)
    array[1, 0, 4, 2] = beyond
    assert compared(operator, array) == 1


@pytest.mark.parametrize("made", [("int16", 0.001, 0), ("int8", 1e36, 0), ("int8", 1e-40, 0)])
def test_kernels_are_asked_each_time_where_not_every_level_is_known(made: Kind) -> None:
    array = np.linspace(-2, 2, 42, dtype=np.float32).reshape(2, 1, 7, 3)
    assert compared(operator_of("QUANTIZE", FLOAT, made), array) == 1


def test_kernels_are_asked_for_floats_whose_squares_vanish() -> None:
    operator = operator_of("QUANTIZE", FLOAT, ("int8", 1e-33, 0), (1, 1))
    counted, quick = Counted(operator), LearnedOperator(operator)
    [given] = operator.inputs
    quick.run_batch({given.index: np.zeros((1, *given.shape), given.dtype)})
    counted.times = 0
    quick.run_batch({given.index: np.full((1, *given.shape), 2e-23, given.dtype)})  # beyond what they define
    assert counted.times == 1


def test_operators_are_learned_of_reference_kernels_alone() -> None:
    words = ("QUANTIZE", FLOAT, ("int8", 0.1, 3))
    assert can_be_learned(operator_of(*words))
    assert not can_be_learned(operator_of(*words, kernels=(OptimisedKernels,)))
    assert not can_be_learned(operator_of("LOGISTIC", ("int8", 0.1, 3), ("int8", 1 / 256, -128)))


def tensor(dtype: str) -> Tensor:
    from deploy.tflite.model import Quantization

    return Tensor(0, "t", (64,), dtype, None if dtype == "float32" else Quantization((0.5,), (0,)), None)


def test_the_steps_are_those_of_the_kernels_not_of_a_formula() -> None:
    def ask(elements: np.ndarray) -> np.ndarray:
        """As kernels that begin every level one float later."""
        lower = np.nextafter(np.nextafter(elements.astype(np.float32), np.float32(-np.inf)), np.float32(-np.inf))
        return np.clip(np.floor(lower.astype(np.float64) / 0.5 + 0.5), -128, 127).astype(np.int8)

    rule = learned(ask, tensor("float32"), tensor("int8"))
    assert rule is not None
    array = floats_at_the_steps(0.5, 0, -128)
    np.testing.assert_array_equal(rule(array), ask(array))
    assert (rule(array) != np.clip(np.floor(array / 0.5 + 0.5), -128, 127)).any()


@pytest.mark.parametrize("shift", [0.3, -0.3])
def test_kernels_that_round_in_another_way_are_asked_each_time(shift: float) -> None:
    def ask(elements: np.ndarray) -> np.ndarray:
        return np.clip(np.floor(elements / 0.5 + 0.5 + shift), -128, 127).astype(np.int8)

    assert learned(ask, tensor("float32"), tensor("int8")) is None


def test_kernels_by_which_more_becomes_less_are_asked_each_time() -> None:
    def ask(elements: np.ndarray) -> np.ndarray:
        return np.clip(-np.floor(elements / 0.5 + 0.5), -128, 127).astype(np.int8)

    assert learned(ask, tensor("float32"), tensor("int8")) is None


def test_learning_takes_no_more_memory_than_some_of_its_tensors() -> None:
    operator = operator_of("QUANTIZE", FLOAT, ("int8", 0.25, 9), shape=(1, 96, 96, 3))
    [given], [made] = operator.inputs, operator.outputs
    operator.run_batch({given.index: np.zeros((1, *given.shape), given.dtype)})  # its process has begun
    quick, places = LearnedOperator(operator), (np.zeros(given.shape, np.float32), np.empty(made.shape, np.int8))
    tracemalloc.start()
    try:
        assert quick.run_in(*places)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (places[1] == 9).all()
    assert peak < 4.75 * given.nbytes
