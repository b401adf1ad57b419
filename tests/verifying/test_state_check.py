"""``deploy verify`` on models with a state: all operators compared, in a sequence or not, a wrong state seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import stateful_networks

from deploy import api
from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.errors import BadInputError
from deploy.judging.external_state import with_states
from deploy.judging.oracles import outputs_of, tflm_installed
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import stacked, unstacked
from deploy.judging.verdict import Verdict
from deploy.verifying.verification import Verification, VerifyOptions

needs_tflm = pytest.mark.skipif(not tflm_installed(), reason="tflite-micro is not installed")
INITIAL = np.arange(12, dtype=np.int8).reshape(1, 3, 1, 4)


@pytest.fixture(scope="module")
def build_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bytes], BuildFolder]:
    def build(name: str, content: bytes) -> BuildFolder:
        folder = tmp_path_factory.mktemp(name.replace(" ", "_"))
        (folder / "m.tflite").write_bytes(content)
        words = ["compile", str(folder / "m.tflite"), "--npu", "U55-128", "--advice", "none", "--verify", "none"]
        assert run([*words, "-o", str(folder / "build"), "-q"]) == 0
        return BuildFolder.open(folder / "build")

    return build


@pytest.fixture(scope="module")
def stream_build(build_of: Callable[[str, bytes], BuildFolder]) -> BuildFolder:
    return build_of("stream", stateful_networks.stream(INITIAL))


def verified(build: BuildFolder, **options: object) -> Verdict:
    return Verification(build, VerifyOptions(layers=True, count=12, **options)).run()  # type: ignore[arg-type]


@pytest.mark.parametrize("sequence", [False, True])
def test_every_operator_of_a_stream_is_compared_also_those_that_make_the_state_alone(
    stream_build: BuildFolder, sequence: bool
) -> None:
    verdict = verified(stream_build, sequence=sequence)
    assert verdict.verdict == "pass" and verdict.sequence == sequence
    assert verdict.operator_check.left_out == ()
    assert {result.type for result in verdict.operators} >= {"STRIDED_SLICE", "CONV_2D"}
    assert all(result.mismatches == 0 for result in verdict.operators)


@needs_tflm
@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("name", ["lstm", "svdf"])
def test_operators_with_a_state_of_their_own_are_compared(
    build_of: Callable[[str, bytes], BuildFolder], name: str, sequence: bool
) -> None:
    content = stateful_networks.lstm(2) if name == "lstm" else stateful_networks.svdf()
    verdict = verified(build_of(name, content), sequence=sequence)
    assert verdict.verdict == "pass", verdict.reason
    assert verdict.operator_check.left_out == () and verdict.operator_check.unexplained == 0
    assert sum(1 + len(result.absorbs) for result in verdict.operators) == 2


def test_a_wrong_state_fails_where_no_output_of_the_same_inference_shows_it(
    stream_build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deploy.verifying import inference_state

    def spoiled(self: object, state: object, tensors: object) -> None:
        right(self, state, tensors)
        if getattr(self, "_access", None) is not None and self._access.assigns:
            held = state.resources[self._access.name].copy()
            held[:, 5] ^= 1
            state.resources[self._access.name] = held

    right = inference_state.ResourceStep.run
    monkeypatch.setattr(inference_state.ResourceStep, "run", spoiled)
    verdict = verified(stream_build)
    assert verdict.verdict == "fail"
    assert all(output.mismatches == 0 for output in verdict.outputs)
    assert "STRIDED_SLICE" in verdict.reason
    assert verified(stream_build, sequence=True).verdict == "fail"


@pytest.fixture(scope="module")
def external_build(build_of: Callable[[str, bytes], BuildFolder]) -> BuildFolder:
    return build_of("external", stateful_networks.external())


def test_a_state_that_is_handed_out_is_fed_back_step_by_step(external_build: BuildFolder) -> None:
    x = np.random.default_rng(2).integers(-20, 30, (12, 1, 4)).astype(np.int8)
    verdict = verified(external_build, inputs={"x": x}, sequence=True, state=("state=next",))
    assert verdict.verdict == "pass" and verdict.fed_back == {"state": "next"}
    again = {"x": x, "state": np.full((12, 1, 4), 77, np.int8)}
    given = verified(external_build, inputs=again, sequence=True, state=("state=next",))
    assert given.input_sha256 == verdict.input_sha256
    assert verified(external_build, inputs=again).input_sha256 != verdict.input_sha256


def test_a_state_that_is_handed_out_is_none_of_inputs_alone(external_build: BuildFolder) -> None:
    with pytest.raises(BadInputError, match="--state goes with --sequence"):
        verified(external_build, state=("state=next",))


@pytest.mark.parametrize(
    ("name", "options"),
    [("stream_build", {"sequence": True}), ("external_build", {"sequence": True, "state": ("state=next",)})],
)
def test_evaluate_classifies_a_sequence_as_the_reference_does(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, options: dict
) -> None:
    build: BuildFolder = request.getfixturevalue(name)
    model = build.source_model
    rng = np.random.default_rng(3)
    shape = next(tensor.shape for tensor in model.input_tensors if tensor.name == "x")
    x = rng.integers(-50, 50, (20, *shape)).astype(np.int8)
    sequence = {"x": x}
    if name == "external_build":
        kernels = ReferenceKernels(model)
        links = {"state": "next"}
        fed = with_states(unstacked({"x": x}, 20), links, model, lambda sample, _keep: kernels.run(sample))
        sequence = stacked(fed)
    expected = outputs_of(ReferenceKernels(model), sequence, sequence=True)["y"].reshape(20, -1).argmax(axis=1)
    np.savez(tmp_path / "d.npz", x=x, labels_y=expected)
    found = api.evaluate(build, tmp_path / "d.npz", head="y", **options)
    (output,) = found.outputs
    target = next(score for score in output.scores if score.contestant == "target")
    assert found.sequence and (target.correct, target.count) == (20, 20)
    assert found.fed_back == ({"state": "next"} if name == "external_build" else {})


def test_the_command_line_and_its_document_tell_a_sequence(
    stream_build: BuildFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["verify", str(stream_build.path), "--sequence", "--count", "5", "--json", str(tmp_path / "v.json")]
    assert run(words) == 0
    assert json.loads((tmp_path / "v.json").read_text())["sequence"] is True
    assert "as one sequence" in capsys.readouterr().out
