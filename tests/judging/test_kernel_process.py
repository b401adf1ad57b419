"""Kernels that crash, hang, fill the memory or answer nonsense: an error of their model, and of nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tflite_writer import GraphWriter

from deploy.errors import BadInputError
from deploy.judging import kernel_process
from deploy.judging.interpreters import Interpreter, Order
from deploy.judging.kernel_process import KernelProcess
from deploy.judging.oracles import OptimisedKernels, TflmKernels, tflm_installed
from deploy.judging.reference import InnerTensors, ReferenceKernels
from deploy.tflite import Model, load

needs_tflm = pytest.mark.skipif(not tflm_installed(), reason="tflite-micro is not installed")

_made = kernel_process.made


def relu(elements: int = 4, name: str = "x") -> Model:
    writer = GraphWriter()
    x, y = (writer.tensor(each, [1, elements], "int8", 0.5) for each in (name, "y"))
    writer.operator("RELU", [x], [y])
    return load(writer.finish({name: x}, {"y": y}))


SAMPLE = {"x": np.array([[-3, -1, 0, 5]], np.int8)}


class _Doing:
    """An interpreter that does something instead of an inference."""

    def __init__(self, does: Callable[[], Any]) -> None:
        self._does = does

    def run(self, inputs: Sequence[NDArray[Any]], *, keep_state: bool) -> list[NDArray[Any]]:
        return [self._does()]

    def tensors(self, indices: Iterable[int]) -> dict[int, NDArray[Any]]:
        return {index: self._does() for index in indices}


@pytest.fixture
def four_do(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has kernels do something with models of four elements; those of others are as they are."""

    def do(does: Callable[[], Any], *, at_once: bool = False) -> None:
        def made(order: Order, content: bytes) -> Interpreter:
            if load(content).tensors[0].elements != 4:
                return _made(order, content)
            return does() if at_once else _Doing(does)

        monkeypatch.setattr(kernel_process, "made", made)

    return do


def complaining() -> None:
    os.write(2, b"many words\nCheck failed: 0 <= 1e9\n")
    os.abort()


def segmentation_fault() -> None:
    os.kill(os.getpid(), 11)


@pytest.mark.parametrize("kernels", [ReferenceKernels, OptimisedKernels, TflmKernels])
def test_a_crash_while_running_names_oracle_signal_and_last_words(
    four_do: Callable[..., None], kernels: type[ReferenceKernels]
) -> None:
    if kernels is TflmKernels and not tflm_installed():
        pytest.skip("tflite-micro is not installed")
    four_do(complaining)
    oracle = kernels(relu())
    message = rf"{kernels.library} crashes while running the model \(SIGABRT\): Check failed: 0 <= 1e9"
    for _ in range(2):  # it is not tried a second time
        with pytest.raises(BadInputError, match=message):
            oracle.run(SAMPLE)


def test_a_crash_while_preparing_names_oracle_and_signal(four_do: Callable[..., None]) -> None:
    four_do(segmentation_fault, at_once=True)
    with pytest.raises(BadInputError, match=r"LiteRT crashes while preparing the model \(SIGSEGV\)"):
        ReferenceKernels(relu())


def test_models_beside_one_that_crashes_go_on_in_a_new_process(four_do: Callable[..., None]) -> None:
    four_do(segmentation_fault)
    process = KernelProcess()
    crashing, other = ReferenceKernels(relu(), process=process), ReferenceKernels(relu(2), process=process)
    sample = {"x": np.array([[-1, 7]], np.int8)}
    assert other.run(sample)["y"].tolist() == [[0, 7]]
    with pytest.raises(BadInputError, match="SIGSEGV"):
        crashing.run(SAMPLE)
    with pytest.raises(BadInputError, match="the process that kept the state has ended"):
        other.run(sample, keep_state=True)
    assert other.run(sample)["y"].tolist() == [[0, 7]]
    life = process.life
    with pytest.raises(BadInputError, match="SIGSEGV"):
        crashing.run(SAMPLE)
    assert process.life is life is not None


def test_kernels_that_hang_are_ended(four_do: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_process, "_RUN_S", 0.3)
    four_do(lambda: time.sleep(60))
    with pytest.raises(BadInputError, match="LiteRT does not finish running the model within 0 s"):
        ReferenceKernels(relu()).run(SAMPLE)


def test_kernels_that_want_all_memory_fail_alone(four_do: Callable[..., None]) -> None:
    four_do(lambda: bytearray(1 << 50))
    with pytest.raises(BadInputError, match="LiteRT cannot run the model: MemoryError"):
        ReferenceKernels(relu()).run(SAMPLE)


def test_the_same_numbers_in_another_shape_are_the_output(four_do: Callable[..., None]) -> None:
    four_do(lambda: np.arange(4, dtype=np.int8).reshape(4, 1))
    assert ReferenceKernels(relu()).run(SAMPLE)["y"].tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize("answer", [np.zeros((1, 5), np.int8), np.zeros((1, 4), np.int16)])
def test_outputs_of_another_size_are_refused_by_name(
    four_do: Callable[..., None], answer: NDArray[np.int8]
) -> None:
    four_do(lambda: answer)
    with pytest.raises(BadInputError, match=r"output y: .* make it \[\d, \d\], the model file says \[1, 4\]"):
        ReferenceKernels(relu()).run(SAMPLE)


def test_several_inferences_are_answered_in_order_however_many_fit_in_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel_process, "_MAX_BODY_BYTES", 10)
    kernels = ReferenceKernels(relu())
    samples = [{"x": np.full((1, 4), value, np.int8)} for value in range(5)]
    assert [outputs["y"].tolist() for outputs in kernels.run_all(samples)] == [[[value] * 4] for value in range(5)]
    assert kernels.run_all([]) == []


def test_inferences_side_by_side_are_those_one_by_one() -> None:
    kernels = ReferenceKernels(relu())
    together = np.random.default_rng(0).integers(-128, 128, (7, 1, 4), np.int8)
    found = kernels.run_batch({"x": together}, 7)["y"]
    assert found.shape == (7, 1, 4)
    for given, computed in zip(together, found, strict=True):
        assert kernels.run({"x": given})["y"].tolist() == computed.tolist() == np.maximum(given, 0).tolist()
    with pytest.raises(BadInputError, match=r"the data is int8\[7, 1, 4\], the model takes int8\[6, 1, 4\]"):
        kernels.run_batch({"x": together}, 6)


def test_many_models_share_a_process_and_those_that_nobody_holds_are_dropped() -> None:
    process = KernelProcess()
    for _ in range(20):
        assert ReferenceKernels(relu(), process=process).run(SAMPLE)["y"].tolist() == [[0, 0, 0, 5]]
    life = process.life
    assert life is not None
    assert ReferenceKernels(relu(), process=process).run(SAMPLE)
    assert process.life is life


def test_inner_tensors_come_as_litert_keeps_them() -> None:
    kernels = InnerTensors(relu())
    kernels.run(SAMPLE)
    found = kernels.tensors([0, 1])
    assert (found[0].tolist(), found[1].tolist()) == ([[-3, -1, 0, 5]], [[0, 0, 0, 5]])


def test_a_tensor_of_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = relu()
    text = model.tensors[0].__class__(0, "x", (1, 4), "STRING", None, None)
    other = model.__class__(
        model.content, (text, *model.tensors[1:]), model.operators, (0,), (1,), model.signature, {}
    )
    with pytest.raises(BadInputError, match="x: STRING can be neither fed nor read"):
        ReferenceKernels(other)


@needs_tflm
def test_tflm_says_which_operator_it_lacks() -> None:
    writer = GraphWriter()
    x, y = (writer.tensor(each, [1, 4], "float32") for each in "xy")
    writer.operator("SIGN", [x], [y])
    with pytest.raises(BadInputError, match=r"TFLM cannot load the model: .*SIGN"):
        TflmKernels(load(writer.finish({"x": x}, {"y": y})))
