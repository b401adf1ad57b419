"""A target is held to the NPU model, every element: what keeps to the tolerance alone is a failure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from division_network import division

from deploy import api
from deploy.build_folder import VERIFICATION_DOCUMENT, BuildFolder
from deploy.errors import TargetError
from deploy.hardware.npus import npu_named
from deploy.judging.answer import Answer
from deploy.judging.inputs import random_inputs
from deploy.judging.junit import junit_xml
from deploy.judging.origin import Origin, Platform
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample, stacked
from deploy.judging.verdict import Verdict
from deploy.targets import target_run
from deploy.targets.session import Session
from deploy.targets.target_run import RunOptions, TargetRun
from deploy.verifying.host_session import HostSession
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.usual_inputs import inputs_with_fresh

Lie = Callable[[int, Sample], Sample]
KINDS = ("open", "arm", "board")


@pytest.fixture
def build(built: Path, tmp_path: Path) -> BuildFolder:
    """A build without a record of a check of its operators; a run leaves one."""
    folder = tmp_path / "unchecked"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns("verification.json"))
    return BuildFolder.open(folder)


def honest(_index: int, outputs: Sample) -> Sample:
    return outputs


def one_more_everywhere(_index: int, outputs: Sample) -> Sample:
    return {
        name: np.where(array == np.iinfo(array.dtype).max, array, array + 1) for name, array in outputs.items()
    }


def one_more_once(index: int, outputs: Sample) -> Sample:
    if index:
        return outputs
    changed = {name: array.copy() for name, array in outputs.items()}
    first = next(iter(changed.values())).reshape(-1)
    first[0] += 1 if first[0] < np.iinfo(first.dtype).max else -1
    return changed


def true_answers(build: BuildFolder) -> list[Sample]:
    """What the NPU model, and where there is none the reference, says to the inputs that are made up."""
    samples = random_inputs(build.compiled_model, 3).samples
    npu = npu_named(build.document.npu)
    try:
        return [answer.outputs for answer in HostSession(build.compiled_model, npu).answers(samples)]
    except TargetError:
        kernels = ReferenceKernels(build.source_model)
        return [kernels.run(sample) for sample in samples]


def answering(answers: Sequence[Sample], kind: str) -> type[Session]:
    """A session with a target of a kind that gives these answers, whatever it is asked."""

    class Answering(Session):
        def __enter__(self) -> Answering:
            npu = self._build.document.npu
            self.origin = Origin(Platform(kind=kind, executable="x", version="1", npu=npu))  # type: ignore[arg-type]
            return self

        def answers(self, _samples: Sequence[Sample]) -> Iterator[Answer]:
            yield from (Answer(outputs, {}, 0.1) for outputs in answers)

    return Answering


def run_on(monkeypatch: pytest.MonkeyPatch, build: BuildFolder, kind: str, lie: Lie, **options: object) -> Verdict:
    """Judge a run whose answers are the right ones, changed."""
    answers = [lie(index, outputs) for index, outputs in enumerate(true_answers(build))]
    monkeypatch.setattr(target_run, "Session", answering(answers, kind))
    inputs = stacked(random_inputs(build.compiled_model, 3).samples)
    return TargetRun(build, RunOptions(inputs=inputs, **options)).run()  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_target_passes_with_the_comparison_and_the_operators_in_the_document(
    monkeypatch: pytest.MonkeyPatch, build: BuildFolder, kind: str
) -> None:
    verdict = run_on(monkeypatch, build, kind, honest, tolerance=0)
    assert (verdict.verdict, verdict.accepted) == ("pass", ())
    comparison = verdict.target_comparison
    assert comparison is not None and comparison.left_out == ""
    assert {output.name for output in comparison.outputs} == {output.name for output in verdict.outputs}
    assert all(output.exact and output.agrees and output.mismatches == 0 for output in comparison.outputs)
    check = verdict.operator_check
    assert (check.source, check.unexplained, check.left_out) == ("this run", 0, ())
    assert check.inputs >= 3  # those that the build keeps
    assert check.operators == len(build.source_model.operators)
    assert check.sha256 == build.document.compiled_sha256


def test_a_check_that_a_run_has_made_to_its_end_stands_for_later_ones(
    monkeypatch: pytest.MonkeyPatch, build: BuildFolder
) -> None:
    first = run_on(monkeypatch, build, "arm", honest, tolerance=0).operator_check
    later = run_on(monkeypatch, build, "arm", honest, tolerance=0).operator_check
    assert first.made_up > 0
    assert later == first.model_copy(update={"source": "an earlier run"})
    assert "in an earlier run" in later.sentences[0]
    (build.path / VERIFICATION_DOCUMENT).unlink()
    build.path.chmod(0o500)
    try:
        assert run_on(monkeypatch, build, "arm", honest, tolerance=0).operator_check == first
    finally:
        build.path.chmod(0o700)


@pytest.mark.parametrize("sequence", [False, True])
def test_one_npu_model_finds_the_inputs_and_holds_the_target_to_its_answers(
    monkeypatch: pytest.MonkeyPatch, build: BuildFolder, sequence: bool
) -> None:
    begun: list[NpuInference] = []
    begin = NpuInference.__init__

    def counted(self: NpuInference, *arguments: object, **options: object) -> None:
        begun.append(self)
        begin(self, *arguments, **options)  # type: ignore[arg-type]

    class Honest(answering([], "open")):  # type: ignore[misc]
        def answers(self, samples: Sequence[Sample]) -> Iterator[Answer]:
            given.extend(samples)
            yield from HostSession(build.compiled_model, npu_named(build.document.npu)).answers(samples)

    given: list[Sample] = []
    monkeypatch.setattr(target_run, "Session", Honest)
    monkeypatch.setattr(NpuInference, "__init__", counted)
    verdict = TargetRun(build, RunOptions(count=2, seed=3, sequence=sequence)).run()
    assert verdict.verdict == "pass"
    assert len(given) == 2
    monkeypatch.undo()
    expected = inputs_with_fresh(build, 2, 3).samples
    assert all(np.array_equal(a[n], b[n]) for a, b in zip(given, expected, strict=True) for n in a)
    # The target's own is the other one; a sequence's state is none of the search's business.
    assert len(begun) == (3 if sequence else 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lie", [one_more_everywhere, one_more_once])
def test_a_target_off_by_one_fails_though_the_tolerance_would_let_it_pass(
    monkeypatch: pytest.MonkeyPatch, build: BuildFolder, kind: str, lie: Lie
) -> None:
    verdict = run_on(monkeypatch, build, kind, lie)
    assert (verdict.verdict, verdict.exit_status) == ("fail", 1)
    assert all(output.within(1) for output in verdict.outputs)
    assert "keeps to the reference within 1 LSB but differs from the NPU model" in verdict.reason
    assert "one of the two is wrong" in verdict.reason
    assert verdict.target_comparison is not None
    first = verdict.target_comparison.differing[0].first
    assert first is not None and abs(first.target - first.model) == 1
    text = junit_xml(verdict, "run-fvp")
    assert "differs from the NPU model" in text


def test_an_option_accepts_such_a_difference_and_the_document_says_so(
    monkeypatch: pytest.MonkeyPatch, build: BuildFolder
) -> None:
    verdict = run_on(monkeypatch, build, "arm", one_more_once, accept_model_difference=True)
    assert (verdict.verdict, verdict.exit_status) == ("pass", 0)
    assert "--accept-model-difference" in verdict.reason
    [accepted] = json.loads(verdict.model_dump_json())["accepted"]
    assert "differs from the NPU model" in accepted
    strict = run_on(monkeypatch, build, "arm", one_more_once, accept_model_difference=True, tolerance=0)
    assert (strict.verdict, strict.accepted) == ("fail", ())


def test_where_the_npu_model_cannot_run_the_build_the_document_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "division.tflite"
    path.write_bytes(division(1.0))
    other = api.compile(path, "U85-256", output=tmp_path / "u85")
    verdict = run_on(monkeypatch, other, "arm", honest)
    assert verdict.verdict == "pass"
    assert verdict.target_comparison is not None
    assert verdict.target_comparison.outputs == ()
    assert "mode=DIV" in verdict.target_comparison.left_out
    assert verdict.operator_check.source == "none"
    assert "mode=DIV" in verdict.operator_check.left_out[0]


def test_a_build_for_u85_is_held_to_the_npu_model_too(
    monkeypatch: pytest.MonkeyPatch, mlperf_tiny: dict[str, Path], tmp_path: Path
) -> None:
    other = api.compile(mlperf_tiny["image_classification"], "U85-256", output=tmp_path / "u85")
    verdict = run_on(monkeypatch, other, "arm", honest)
    assert verdict.verdict == "pass"
    assert verdict.target_comparison is not None
    assert [output.mismatches for output in verdict.target_comparison.outputs] == [0]
    assert verdict.operator_check.unexplained == 0
    wrong = run_on(monkeypatch, other, "arm", one_more_once)
    assert wrong.verdict == "fail"


def test_a_stream_that_the_npu_model_refuses_is_said_and_the_reference_decides(
    monkeypatch: pytest.MonkeyPatch, build: BuildFolder
) -> None:
    answers = true_answers(build)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise TargetError("the NPU model stopped: no such command")

    monkeypatch.setattr(target_run, "Session", answering(answers, "board"))
    monkeypatch.setattr(NpuInference, "run_batch", refuse)
    inputs = stacked(random_inputs(build.compiled_model, 3).samples)
    verdict = TargetRun(build, RunOptions(inputs=inputs)).run()
    assert verdict.verdict == "pass"
    assert verdict.target_comparison is not None
    assert "no such command" in verdict.target_comparison.left_out
    assert "no such command" in verdict.operator_check.left_out[0]
