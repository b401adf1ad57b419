"""A judgement leaves a full document whatever became of the run, with as much in it as was known then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.errors import BadInputError, NotInstalledError, TargetError
from deploy.judging.build_models import read_models
from deploy.judging.inputs import InputSet, random_inputs
from deploy.judging.judgement import Judgement, JudgeOptions
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.origin import FirmwareRecord, Origin, Platform

ORIGIN = Origin(
    Platform(kind="open", executable="x", version="1", npu="U55-128"),
    FirmwareRecord(kind="runner", path="x.axf", sha256="0" * 64),
    {"qemu": "7.2"},
)


@pytest.fixture(scope="module")
def build(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """ResNet-8 for U55-128: one int8 input ``[1, 32, 32, 3]``, one output of ten classes."""
    folder = tmp_path_factory.mktemp("judged") / "build"
    words = ["compile", str(mlperf_tiny["image_classification"]), "--npu", "U55-128", "-o", str(folder), "-q"]
    assert run([*words, "--advice", "none"]) == 0
    return BuildFolder.open(folder)


@pytest.fixture(scope="module")
def usual(build: BuildFolder) -> Callable[[int | None], InputSet]:
    """Four inputs, where no number is asked for."""

    def inputs(count: int | None) -> InputSet:
        return InputSet(random_inputs(build.source_model, count or 4).samples, "the usual ones")

    return inputs


def test_an_error_before_anything_was_read_leaves_a_document(build: BuildFolder) -> None:
    judgement = Judgement(build, JudgeOptions(tolerance=2.0))
    verdict = judgement.failed(NotInstalledError("no simulator"), Origin())
    assert (verdict.verdict, verdict.exit_status, verdict.reason) == ("error", 3, "no simulator")
    assert (verdict.inputs, verdict.inputs_requested, verdict.input_source) == (0, 0, "")
    assert (verdict.reference, verdict.tolerance) == ("LiteRT BUILTIN_REF", 2.0)
    assert (verdict.platform, verdict.firmware) == (None, None)
    assert verdict.model_sha256 == build.document.compiled_sha256
    assert {"deploy", "ethos-u-vela", "ai-edge-litert"} <= set(verdict.versions)


def test_an_error_in_the_middle_says_what_was_asked_answered_and_last_heard(
    build: BuildFolder, usual: Callable[[int | None], InputSet]
) -> None:
    judgement = Judgement(build, JudgeOptions(count=3))
    models = read_models(build)
    samples = judgement.begin(models, usual)
    judge = judgement.consult(models)
    judge.expect(samples)
    judgement.answers.append(judge.expected[0])
    verdict = judgement.failed(TargetError("killed", log=["last words"]), ORIGIN)
    assert (verdict.inputs, verdict.inputs_requested, verdict.exit_status) == (1, 3, 4)
    assert verdict.input_source == "the usual ones"
    assert verdict.log == ("last words",)
    assert (verdict.platform, verdict.firmware) == (ORIGIN.platform, ORIGIN.firmware)
    assert verdict.versions["qemu"] == "7.2"
    assert verdict.outputs == ()
    with pytest.raises(TargetError, match="1 answers for 3 inputs"):
        judgement.opinion(judge)


def test_answers_that_are_the_references_pass_with_predictions_and_labels(
    build: BuildFolder, usual: Callable[[int | None], InputSet], tmp_path: Path
) -> None:
    models = read_models(build)
    [name] = models.outputs
    [image] = models.inputs
    pixels = np.stack([sample[image][0] for sample in random_inputs(models.compiled, 2).samples])
    (tmp_path / "labels.json").write_text(json.dumps({name: {"true": [0, 1]}}))
    options = JudgeOptions(inputs=pixels, labels=tmp_path / "labels.json")
    judgement = Judgement(build, options)
    samples = judgement.begin(models, usual)
    judge = judgement.consult(models)
    judge.expect(samples)
    judgement.answers += judge.expected
    predictions = judgement.predictions(models, judge)
    verdict = judgement.verdict(
        judgement.opinion(judge),
        ORIGIN,
        predictions=predictions,
        figures=(),
        evidence=judgement.evidence(models, None),
        check=OperatorCheck(),
    )
    assert (verdict.verdict, verdict.exit_status, verdict.inputs) == ("pass", 0, 2)
    assert verdict.reason == "all 20 output elements equal the reference"
    assert [(p.input, p.true, p.target == p.reference) for p in verdict.predictions] == [
        (0, "0", True),
        (1, "1", True),
    ]


def test_labels_for_an_output_that_there_is_not_are_refused_and_the_inputs_are_known(
    build: BuildFolder, usual: Callable[[int | None], InputSet], tmp_path: Path
) -> None:
    (tmp_path / "labels.json").write_text('{"colour": {"true": [0]}}')
    judgement = Judgement(build, JudgeOptions(labels=tmp_path / "labels.json"))
    with pytest.raises(BadInputError, match="no output colour") as caught:
        judgement.begin(read_models(build), usual)
    assert judgement.failed(caught.value, Origin()).inputs_requested == 4


@pytest.mark.parametrize("required", [False, True])
def test_weak_evidence_passes_in_words_and_fails_where_evidence_is_required(
    build: BuildFolder, usual: Callable[[int | None], InputSet], *, required: bool
) -> None:
    models = read_models(build)
    judgement = Judgement(build, JudgeOptions(count=1, require_evidence=required))
    samples = judgement.begin(models, usual)
    judge = judgement.consult(models)
    judge.expect(samples)
    judgement.answers += judge.expected
    evidence = judgement.evidence(models, (2, 3))
    verdict = judgement.verdict(
        judgement.opinion(judge), ORIGIN, predictions=(), figures=(), evidence=evidence, check=OperatorCheck()
    )
    assert verdict.evidence is not None
    assert verdict.evidence.weak == ("there was one input only",)
    if required:
        assert (verdict.verdict, verdict.exit_status) == ("fail", 1)
        assert "--require-evidence" in verdict.reason
        assert "there was one input only" in verdict.reason
    else:
        assert (verdict.verdict, verdict.exit_status) == ("pass", 0)
        assert verdict.headline == "PASS, weak: there was one input only"
