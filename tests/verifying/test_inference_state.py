"""Models with a state on the NPU model: every inference from the initial state, or all as one sequence.

LiteRT rounds a LSTM otherwise than the NPU; TFLM does not, and is what decides there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import stateful_networks
from stateful_networks import ZERO_POINT

from deploy import tflite
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.judging.oracles import MakeOracle, TflmKernels, outputs_of, tflm_installed
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Stacked
from deploy.tflite import Model
from deploy.tflite.state import CALL_ONCE
from deploy.verifying.host_session import HostSession
from deploy.verifying.npu_inference import NpuInference

INITIAL = np.arange(12, dtype=np.int8).reshape(1, 3, 1, 4)
needs_tflm = pytest.mark.skipif(not tflm_installed(), reason="tflite-micro is not installed")
NETWORKS: dict[str, Callable[[], bytes]] = {
    "lstm": stateful_networks.lstm,
    "two lstm": lambda: stateful_networks.lstm(2, 3),
    "svdf": stateful_networks.svdf,
    "stream": stateful_networks.stream,
    "stream with initial values": lambda: stateful_networks.stream(INITIAL),
}


class Compiled:
    def __init__(self, content: bytes, npu: str) -> None:
        self.source, self.npu = tflite.load(content), npu_named(npu)
        self.model = VELA.compile(self.source, compile_options(self.npu)).model

    def session(self, *, sequence: bool) -> HostSession:
        return HostSession(self.model, self.npu, sequence=sequence)


def inputs_of(model: Model, count: int = 8) -> Stacked:
    rng = np.random.default_rng(1)
    return {
        name: rng.integers(-128, 128, (count, *model.tensors[index].shape)).astype(np.int8)
        for index, name in model.input_names().items()
    }


@pytest.fixture(scope="module", params=[(name, npu) for name in NETWORKS for npu in ("U55-128",)])
def compiled(request: pytest.FixtureRequest) -> Compiled:
    name, npu = request.param
    return Compiled(NETWORKS[name](), npu)


@pytest.fixture(scope="module")
def stream() -> Compiled:
    return Compiled(stateful_networks.stream(INITIAL), "U55-128")


def equal(first: Stacked, second: Stacked) -> bool:
    return all((first[name] == second[name]).all() for name in second)


def oracles(compiled: Compiled) -> Sequence[MakeOracle]:
    lstm = any("LSTM" in operator.code for operator in compiled.source.operators)
    return [*([] if lstm else [ReferenceKernels]), *([TflmKernels] if tflm_installed() else [])]


@pytest.mark.parametrize("sequence", [False, True])
def test_the_npu_model_and_the_oracles_begin_alike_and_keep_the_same_state(
    compiled: Compiled, sequence: bool
) -> None:
    inputs = inputs_of(compiled.source)
    answers = compiled.session(sequence=sequence).outputs(inputs)
    for make in oracles(compiled):
        assert equal(answers, outputs_of(make(compiled.source), inputs, sequence=sequence))


def test_a_sequence_is_something_else_than_its_inputs_alone_but_for_the_first(compiled: Compiled) -> None:
    inputs = inputs_of(compiled.source)
    alone = compiled.session(sequence=False).outputs(inputs)
    following = compiled.session(sequence=True).outputs(inputs)
    for name, values in alone.items():
        assert (values[0] == following[name][0]).all()
        assert (values[1:] != following[name][1:]).any()


def test_a_session_begins_a_sequence_with_every_call(stream: Compiled) -> None:
    session, inputs = stream.session(sequence=True), inputs_of(stream.source)
    first = session.outputs(inputs)
    assert equal(session.outputs(inputs), first)


@needs_tflm
def test_a_dedicated_sram_keeps_no_state_and_takes_none_away() -> None:
    compiled = Compiled(stateful_networks.lstm(2, 3), "U65-256")
    inputs = inputs_of(compiled.source)
    answers = compiled.session(sequence=True).outputs(inputs)
    assert equal(answers, outputs_of(TflmKernels(compiled.source), inputs, sequence=True))


def test_what_vela_puts_behind_the_reads_initialises_before_them(stream: Compiled) -> None:
    codes = [operator.code for operator in stream.model.operators]
    assert codes.index(CALL_ONCE) < codes.index("READ_VARIABLE")


def test_a_state_fits_a_batch_of_its_size_alone_and_stays_as_it_is(stream: Compiled) -> None:
    inference, inputs = NpuInference(stream.model, stream.npu), inputs_of(stream.source, 3)
    given = inference.initial_state(3)
    first = inference.run_batch(inputs, state=given)
    assert given.resources["state"].tobytes() == 3 * bytes([ZERO_POINT & 0xFF] * 12)
    assert equal(inference.run_batch(inputs, state=given), first)
    with pytest.raises(BadInputError, match="a state of 3 inferences is none of 1"):
        inference.run_batch({name: array[:1] for name, array in inputs.items()}, state=inference.state)


def test_inferences_side_by_side_each_keep_their_own_state(stream: Compiled) -> None:
    inference, inputs = NpuInference(stream.model, stream.npu), inputs_of(stream.source, 6)
    pairs = [{name: array[[i, i + 3]] for name, array in inputs.items()} for i in range(3)]
    answers = [inference.run_batch(pair, state=inference.state) for pair in pairs]
    for lane in range(2):
        following = stream.session(sequence=True).outputs(
            {name: array[3 * lane : 3 * lane + 3] for name, array in inputs.items()}
        )
        for step, answer in enumerate(answers):
            assert all((answer[name][lane] == values[step]).all() for name, values in following.items())


def test_a_kernel_s_own_state_is_one_and_not_several() -> None:
    compiled = Compiled(stateful_networks.svdf(), "U55-128")
    inference, inputs = NpuInference(compiled.model, compiled.npu), inputs_of(compiled.source, 2)
    inference.run_batch(inputs)
    with pytest.raises(BadInputError, match=r"operator 0 \(SVDF\) keeps one state, not 2"):
        inference.run_batch(inputs, state=inference.state)


def test_a_variable_that_nothing_is_assigned_to_is_refused() -> None:
    compiled = Compiled(stateful_networks.stream(), "U55-128")
    operators = tuple(op for op in compiled.model.operators if op.code not in ("ASSIGN_VARIABLE", CALL_ONCE))
    other = Model(**{**vars(compiled.model), "operators": operators})
    with pytest.raises(BadInputError, match=r"READ_VARIABLE\): nothing of 12 bytes is assigned to the variable"):
        NpuInference(other, compiled.npu)
