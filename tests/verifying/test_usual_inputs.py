"""The inputs of a build that nobody names: kept by ``compile``, with power, and for a target one that is fresh."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from trained_networks import SATURATED

from deploy import api
from deploy.build_folder import SAMPLES, BuildFolder
from deploy.cli.main import run
from deploy.data.quantized import quantize_values
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.judging import kernel_process
from deploy.judging.evidence import Evidence, evidence_of
from deploy.judging.inputs import InputSet, random_inputs
from deploy.judging.sample_file import beside
from deploy.verifying.host_session import HostSession
from deploy.verifying.usual_inputs import FEWEST, _made_up, inputs_with_fresh, likely_sample, usual_inputs
from deploy.verifying.varied_operators import VariedOperators

pytestmark = pytest.mark.early


def seen(build: BuildFolder, inputs: InputSet) -> Evidence:
    session = HostSession(build.compiled_model, npu_named(build.document.npu))
    session.observer = varied = VariedOperators(build.debug)
    answers = [answer.outputs for answer in session.answers(inputs.samples)]
    return evidence_of(build.source_model, inputs, answers, varied.counts)


def refuse(*_arguments: object) -> None:
    raise BadInputError("cannot run this")


@pytest.mark.parametrize("name", SATURATED)
def test_inputs_are_found_that_move_networks_which_noise_leaves_stuck(
    saturated: dict[str, BuildFolder], name: str
) -> None:
    build = saturated[name]
    assert seen(build, random_inputs(build.source_model, 16)).outputs[0].distinct == 1
    first = seen(build, usual_inputs(build, 4))
    assert first.weak == ()
    assert first.operators_varied == first.operators


@pytest.mark.parametrize("name", SATURATED)
def test_two_inputs_of_a_target_have_different_answers_one_of_them_fresh(
    saturated: dict[str, BuildFolder], name: str
) -> None:
    build = saturated[name]
    for seed in (1, 2, 3):
        found = inputs_with_fresh(build, 2, seed)
        assert (len(found.samples), found.fresh, found.seed) == (2, 1, seed)
        assert seen(build, found).weak == ()


def test_a_seed_repeats_the_fresh_inputs_and_without_one_they_are_new_every_time(built: Path) -> None:
    build = BuildFolder.open(built)
    one, again, other = (inputs_with_fresh(build, 3, seed) for seed in (7, 7, 8))
    assert one.sha256 == again.sha256 != other.sha256
    assert "1 made up for this run, seed 7" in one.source
    first, second = (inputs_with_fresh(build, 2) for _ in range(2))
    assert first.seed != second.seed
    assert first.sha256 != second.sha256


def test_what_runs_the_model_already_finds_the_same_inputs(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = BuildFolder.open(built)
    session = HostSession(build.compiled_model, npu_named(build.document.npu))
    alone = inputs_with_fresh(build, 3, 7)

    def refuse(*_arguments: object) -> None:
        raise AssertionError("the NPU model is set up again")

    monkeypatch.setattr("deploy.verifying.usual_inputs.HostSession", refuse)
    assert inputs_with_fresh(build, 3, 7, session).sha256 == alone.sha256


def test_an_only_input_is_fresh(built: Path) -> None:
    found = inputs_with_fresh(BuildFolder.open(built), 1, 0)
    assert (len(found.samples), found.fresh) == (1, 1)


def test_more_inputs_than_are_kept_are_made_up(built: Path) -> None:
    build = BuildFolder.open(built)
    kept = build.document.samples
    assert kept is not None
    assert len(usual_inputs(build, kept.count + 3).samples) == kept.count + 3
    assert inputs_with_fresh(build, kept.count + 3, 0).fresh == 3


@pytest.mark.parametrize("made_up", [usual_inputs, inputs_with_fresh])
def test_so_many_that_memory_cannot_hold_them_are_refused(
    built: Path, made_up: Callable[[BuildFolder, int], object]
) -> None:
    with pytest.raises(BadInputError, match="--count 1000000000000: so many inputs"):
        made_up(BuildFolder.open(built), 10**12)


def test_samples_that_were_changed_are_refused_and_without_the_file_inputs_are_made_up(
    built: Path, tmp_path: Path
) -> None:
    shutil.copytree(built, tmp_path / "build")
    build = BuildFolder.open(tmp_path / "build")
    (build.path / SAMPLES).write_bytes(b"other")
    with pytest.raises(BadInputError, match=r"not the file that compile.json describes"):
        usual_inputs(build)
    (build.path / SAMPLES).unlink()
    found = usual_inputs(build)
    assert found.source == "made-up data, seed 0"
    assert found.sha256 == usual_inputs(build).sha256
    assert inputs_with_fresh(build, 2, 0).fresh == 1


def test_without_the_npu_model_or_any_kernel_inputs_are_made_up_all_the_same(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(built, tmp_path / "build")
    (tmp_path / "build" / SAMPLES).unlink()
    build = BuildFolder.open(tmp_path / "build")
    monkeypatch.setattr("deploy.verifying.usual_inputs.HostSession", refuse)
    with_reference = usual_inputs(build, 5)
    monkeypatch.setattr("deploy.verifying.usual_inputs.ReferenceKernels", refuse)
    alone = usual_inputs(build, 5)
    assert (len(with_reference.samples), len(alone.samples)) == (5, 5)
    assert with_reference.sha256 != alone.sha256


def test_kernels_that_end_their_process_do_not_take_a_compilation_along(
    tiny_tflite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_process, "made", lambda *_: os.abort())

    def refuse(*_arguments: object) -> None:
        raise BadInputError("cannot run this")

    monkeypatch.setattr("deploy.verifying.usual_inputs.HostSession", refuse)
    build = api.compile(tiny_tflite, output=tmp_path / "build", verify="none")
    assert build.document.samples is not None
    assert len(usual_inputs(build).samples) == build.document.samples.count >= 4


def test_calibration_data_is_kept_by_a_build_and_beside_a_quantized_model(
    tiny_keras_model: Path, tiny_samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "tiny.tflite"
    words = ["quantize", str(tiny_keras_model), "--calibration", str(tiny_samples), "-o", str(model)]
    assert run(words) == 0
    assert f"{tmp_path / 'tiny.samples.npz'}: samples of them" in " ".join(capsys.readouterr().out.split())
    assert beside(model).is_file()
    build = api.compile(model, output=tmp_path / "build")
    assert build.document.samples is not None
    assert build.document.samples.source == f"calibration data {tiny_samples}"
    kept = {sample["image"].tobytes() for sample in usual_inputs(build).samples}
    images = np.load(tiny_samples)["image"]
    quantized = quantize_values(images, build.source_model.input_tensors[0])
    assert kept == {image[np.newaxis].tobytes() for image in quantized}
    assert len(kept) == build.document.samples.count == len(images)


def test_samples_of_a_model_that_was_replaced_are_not_used_and_the_build_says_so(
    tiny_tflite: Path, mlperf_tiny: dict[str, Path], tmp_path: Path
) -> None:
    model = tmp_path / "net.tflite"
    shutil.copy(beside(tiny_tflite), beside(model))
    shutil.copy(mlperf_tiny["image_classification"], model)
    build = api.compile(model, output=tmp_path / "build")
    assert build.document.samples is not None
    assert build.document.samples.source == "made-up data, seed 0"
    assert any("net.samples.npz: holds samples for another model" in line for line in build.document.warnings)


def test_quantize_leaves_a_file_that_is_not_its_own(
    tiny_keras_model: Path, tiny_samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "tiny.samples.npz"
    own.write_bytes(b"a user's")
    words = ["quantize", str(tiny_keras_model), "--calibration", str(tiny_samples), "-q"]
    assert run([*words, "-o", str(tmp_path / "tiny.tflite")]) == 0
    assert own.read_bytes() == b"a user's"
    assert "not a file of deploy, so it stays" in capsys.readouterr().err


def test_a_verdict_on_one_input_is_weak_and_fails_where_evidence_is_required(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["verify", str(built), "--count", "1", "-q", "--json", "v.json"]
    assert run(words) == 0
    assert capsys.readouterr().out.startswith("verdict: PASS, weak: there was one input only - ")
    evidence = json.loads((tmp_path / "v.json").read_text())["evidence"]
    assert evidence["weak"] == ["there was one input only"]
    assert evidence["inputs"] == 1
    assert run([*words, "--require-evidence"]) == 1
    assert capsys.readouterr().out.startswith("verdict: FAIL - the evidence is weak")
    (tmp_path / "deploy.toml").write_text("require_evidence = true\n")
    assert run(words) == 1
    assert run([*words, "--no-require-evidence"]) == 0


def test_the_usual_inputs_of_a_verification_are_strong_evidence(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(built), "--require-evidence", "--junit", str(tmp_path / "v.xml")]) == 0
    out = capsys.readouterr().out
    assert "verdict: PASS - " in out
    assert "evidence: " in out
    assert '<property name="evidence" value="strong" />' in (tmp_path / "v.xml").read_text()


def test_what_varied_is_counted_by_operators_of_the_source_model(built: Path) -> None:
    build = BuildFolder.open(built)
    sample = random_inputs(build.source_model, 1).samples[0]
    same, various = seen(build, InputSet((sample, sample), "")), seen(build, usual_inputs(build))
    assert same.operators_varied == 0
    assert various.operators_varied == various.operators == same.operators
    assert same.operators is not None
    assert 0 < same.operators <= len(build.document.operators)


def test_what_is_made_up_while_vela_runs_is_what_nobody_looks_at_afterwards(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(built, folder := tmp_path / "build")
    (folder / SAMPLES).unlink()
    build = BuildFolder.open(folder)
    for name in ("HostSession", "ReferenceKernels"):
        monkeypatch.setattr(f"deploy.verifying.usual_inputs.{name}", refuse)
    expected = usual_inputs(build, FEWEST)
    _made_up.cache_clear()
    likely_sample(build.source_model)
    monkeypatch.setattr("deploy.verifying.usual_inputs.unprobed", refuse)
    assert usual_inputs(build, FEWEST).sha256 == expected.sha256
