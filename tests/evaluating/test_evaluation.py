"""``deploy evaluate`` on real builds: counts, faults, limits, and what it leaves for other commands."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answers import answered
from evaluating.conftest import INPUTS, with_fault

from deploy import api
from deploy.build_folder import FLOAT_MODEL, BuildFolder
from deploy.cli.main import run
from deploy.errors import BadInputError, TargetError
from deploy.evaluating.documents import EvaluationDocument, evaluation_path
from deploy.evaluating.evaluation import EvaluateOptions, Evaluation
from deploy.hardware.npus import npu_named
from deploy.judging import kernel_process
from deploy.judging.answer import Answer
from deploy.judging.interpreters import Order
from deploy.judging.oracles import tflm_installed
from deploy.judging.origin import Origin, Platform
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample
from deploy.reporting.data.build_documents import read_evaluation, read_quantization
from deploy.verifying.host_session import HostSession

pytestmark = pytest.mark.early


def evaluated(capsys: pytest.CaptureFixture[str], status: int, *words: object) -> str:
    """Run ``deploy evaluate`` and return what it prints."""
    assert run(["evaluate", *map(str, words)]) == status
    return capsys.readouterr().out


def document(build: BuildFolder) -> EvaluationDocument:
    found = read_evaluation(build)
    assert found is not None
    return found


def test_a_good_build_is_as_accurate_as_its_reference_and_the_document_says_so(
    residual_build: BuildFolder, residual_data: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (residual_build.path, "--data", residual_data, "--top-k", 3, "--json", "e.json")
    text = evaluated(capsys, 0, *words)
    found = document(residual_build)
    told = answered(Path("e.json").read_text())
    kept = json.loads(evaluation_path(residual_build).read_text())
    assert {key: told[key] for key in kept} == kept
    (output,) = found.outputs
    assert [(score.contestant, score.correct, score.count) for score in output.scores] == [
        ("reference", INPUTS, INPUTS),
        ("target", INPUTS, INPUTS),
    ]
    assert output.agreements[0].exact == INPUTS
    assert (found.verdict, found.exit_status, found.inputs) == (None, 0, INPUTS)
    assert found.platform.kind == "host" and found.firmware is None
    figures = {figure.name: figure for figure in found.figures}
    target, reference = figures[f"accuracy_{output.name}"], figures[f"reference_accuracy_{output.name}"]
    assert (target.value, target.label, reference.label) == (1, "simulated", "measured")
    assert f"{INPUTS} of {INPUTS} inputs" in target.source and "95 % interval" in target.source
    assert figures[f"top3_accuracy_{output.name}"].value == 1
    assert "no float model: the build keeps none" in found.notes[0]
    assert found.versions["ethos-u-vela"] and "100.00%" in text and "no limits asked for" in text


def test_a_fault_in_the_compiled_constants_is_seen_as_lost_accuracy_and_the_examples_are_saved(
    residual_build: BuildFolder, residual_data: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = with_fault(residual_build, in_folder / "broken")
    words = [broken.path, "--data", residual_data, "--fail-below", "99%", "--max-drop", "1", "--save-wrong", "w"]
    text = evaluated(capsys, 1, *words, "-q")
    found = document(broken)
    (output,) = found.outputs
    target, reference = output.score("target"), output.score("reference")
    assert target and reference and reference.correct == INPUTS > target.correct
    wrong = INPUTS - target.correct
    assert found.wrong_only_on_target == {output.name: wrong} and len(found.wrong_examples) == wrong
    assert {example.target for example in found.wrong_examples} == {0}
    assert f"verdict: FAIL - {output.name}: {target.accuracy:.2%} on target, below the 99% asked for; " in text
    assert "points below the quantized reference (100.00%), at most 1 are allowed" in text
    assert len(list(Path("w").glob("*.png"))) == wrong
    # The saved inputs are the ones: verify takes them, and finds every one of them to differ.
    assert run(["verify", str(broken.path), "--inputs", "w/inputs.npz", "--labels", "w/labels.json", "-q"]) == 1
    verdict = json.loads((broken.path / "verify.json").read_text())
    assert verdict["inputs"] == wrong
    assert verdict["outputs"][0]["top1_agreement"] == 0


def test_reports_show_and_compare_the_accuracy(
    residual_build: BuildFolder, residual_data: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = with_fault(residual_build, in_folder / "broken")
    evaluated(capsys, 0, residual_build.path, "--data", residual_data, "-q")
    assert run(["report", str(residual_build.path), str(broken.path), "--fail-on", "accuracy-0.5", "-q"]) == 2
    assert f"{broken.path} has no accuracy_" in capsys.readouterr().err
    evaluated(capsys, 0, broken.path, "--data", residual_data, "-q")
    assert run(["report", str(residual_build.path), str(broken.path), "--fail-on", "accuracy-0.5"]) == 1
    text = capsys.readouterr().out
    assert "fail  accuracy-0.5: accuracy " in text and " points " in text
    assert "not taken with the same inputs" not in text
    evaluated(capsys, 0, broken.path, "--data", residual_data, "--count", 3, "-q")
    assert run(["report", str(residual_build.path), str(broken.path)]) == 0
    assert "was not taken with the same inputs" in capsys.readouterr().out
    assert run(["report", str(broken.path)]) == 0
    assert "Accuracy: on target simulated" in capsys.readouterr().out


def test_limits_that_hold_are_a_pass(
    residual_build: BuildFolder, residual_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = evaluated(
        capsys, 0, residual_build.path, "--data", residual_data, "--fail-below", "100%", "--max-drop", "0", "-q"
    )
    assert "verdict: PASS - on target" in text and "within the limits" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "gone.npz"], "gone.npz: no such file or folder"),
        ([], "no labelled set given"),
        (["--data", "DATA", "--count", "13"], "--count 13"),
        (["--data", "DATA", "--top-k", "10"], "--top-k 10: the outputs have at most 10 classes"),
        (["--data", "DATA", "--head", "kind"], "--head kind: no such output with classes"),
        (["--data", "DATA", "--fail-below", "0.9"], "a share of one, or percent?"),
        (["--data", "DATA", "--max-drop", "x"], "--max-drop x: not a number of percentage points"),
        (["--data", "DATA", "--firmware", "npu"], "need a machine"),
        (["--data", "DATA", "--jobs", "2"], "need a machine"),
        (["--data", "DATA", "--set", "alpha=1"], "--set goes with --model"),
        (["--data", "DATA", "--model", "gone.keras"], "gone.keras: no such model"),
        (["--data", "DATA", "--model", "SOURCE"], "a TFLite model is quantized"),
        (["--data", "DATA", "--json", "/proc/x/e.json"], "/proc/x/e.json: cannot be written"),
        (["--data", "DATA", "--save-wrong", "full"], "--save-wrong full: holds other files"),
        (["--data", "DATA", "--labels", "gone.json"], "gone.json: cannot be read"),
        (["--data", "DATA", "--target", "/nowhere/FVP"], "/nowhere/FVP"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_one_sentence(
    residual_build: BuildFolder,
    residual_data: Path,
    in_folder: Path,
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("full").mkdir()
    Path("full/thesis.txt").write_text("x")
    named = {"DATA": str(residual_data), "SOURCE": str(residual_build.source)}
    status = run(["evaluate", str(residual_build.path), *(named.get(word, word) for word in words)])
    assert status in (2, 3)
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_a_stream_that_ends_before_the_count_is_refused(
    residual_build: BuildFolder, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data.py").write_text(
        "import numpy as np\ndef few():\n    for i in range(3): yield np.zeros((32, 32, 3), np.int8), i\n"
    )
    assert run(["evaluate", str(residual_build.path), "--data", "data.py:few", "--count", "5"]) == 2
    assert "--count 5: data.py:few holds 3 samples" in capsys.readouterr().err
    evaluated(capsys, 0, residual_build.path, "--data", "data.py:few", "-q")
    assert document(residual_build).inputs == 3


def test_an_evaluation_of_another_compilation_or_a_damaged_one_is_not_used(
    residual_build: BuildFolder, residual_data: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(capsys, 0, residual_build.path, "--data", residual_data, "-q")
    kept = evaluation_path(residual_build).read_text()
    broken = with_fault(residual_build, in_folder / "broken")
    evaluation_path(broken).write_text(kept)
    assert read_evaluation(broken) is None
    for text, message in (("{}", "cannot be read"), (kept.replace(": 1,", ": 9,", 1), "schema version 9")):
        evaluation_path(broken).write_text(text)
        with pytest.raises(BadInputError, match=message):
            read_evaluation(broken)


def test_a_float_model_that_cannot_run_is_left_out_with_the_reason(
    residual_build: BuildFolder, residual_data: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = with_fault(residual_build, in_folder / "copy")
    (build.path / FLOAT_MODEL).write_bytes(b"no model")
    text = evaluated(capsys, 0, build.path, "--data", residual_data, "-q")
    assert f"note: no float model: {build.path / FLOAT_MODEL}" in text
    assert document(build).float_model is None


@pytest.mark.tensorflow
def test_a_float_model_with_other_inputs_or_outputs_is_refused(
    residual_build: BuildFolder, residual_data: Path, tiny_build: BuildFolder, in_folder: Path
) -> None:
    build = with_fault(residual_build, in_folder / "copy")
    assert tiny_build.float_model is not None
    shutil.copy(tiny_build.float_model, build.path / FLOAT_MODEL)
    with pytest.raises(BadInputError, match=r"float\.tflite: has no output"):
        Evaluation(build, EvaluateOptions(data=str(residual_data))).run()


@pytest.mark.tensorflow
def test_two_heads_with_labels_for_one_and_a_float_model_of_the_users(
    tiny_build: BuildFolder, tiny_keras_model: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(3).random((9, 16, 16, 1), dtype=np.float32)
    np.savez("d.npz", image=images, kind=np.arange(9) % 4)
    text = evaluated(capsys, 0, tiny_build.path, "--data", "d.npz", "--model", tiny_keras_model)
    named, (output,) = document(tiny_build), document(tiny_build).outputs
    assert (output.name, named.float_model) == ("kind", str(tiny_keras_model))
    assert "note: no labels for garment: left out" in text and "tensorflow" in named.versions
    evaluated(capsys, 0, tiny_build.path, "--data", "d.npz")
    kept, (again,) = document(tiny_build), document(tiny_build).outputs
    assert kept.float_model == str(tiny_build.float_model) and "tensorflow" not in kept.versions
    assert again.scores == output.scores
    np.savez("apart.npz", image=images, labels=np.arange(9) % 4)
    evaluated(capsys, 0, tiny_build.path, "--data", "apart.npz", "--head", "kind")
    assert document(tiny_build).outputs[0].scores == output.scores


class Answers:
    """A target that answers as the NPU model does, until it fails; notices how it is used."""

    batch = 5

    def __init__(self, build: BuildFolder, fail_at: int | None = None) -> None:
        self._host = HostSession(build.compiled_model, npu_named(build.document.npu))
        self._fail_at = fail_at
        self.origin = Origin(Platform(kind="board", executable="ttyNONE", version="", npu="U55-128"))
        self.open = False
        self.asked: list[int] = []

    def __enter__(self) -> "Answers":
        self.open = True
        return self

    def __exit__(self, *_exception: object) -> None:
        self.open = False

    def answers(self, samples: Sequence[Sample]) -> Iterator[Answer]:
        assert self.open
        self.asked.append(len(samples))
        for index, answer in enumerate(self._host.answers(samples)):
            if self._fail_at is not None and sum(self.asked[:-1]) + index == self._fail_at:
                raise TargetError(f"input {index}: it crashed", log=["last words"])
            yield answer


def test_any_target_that_answers_can_be_evaluated_and_the_reference_is_asked_once_an_input(
    residual_build: BuildFolder, residual_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    run_reference = ReferenceKernels.run_all

    def counting(self: ReferenceKernels, samples: Any, **options: Any) -> Any:
        asked.extend(samples)
        return run_reference(self, samples, **options)

    monkeypatch.setattr(ReferenceKernels, "run_all", counting)
    target, progress = Answers(residual_build), list[tuple[int, int]]()
    options = EvaluateOptions(data=str(residual_data))
    found = Evaluation(residual_build, options, target).run(lambda *done: progress.append(done))
    assert (target.asked, target.open) == ([5, 5, 2], False)
    assert len(asked) == INPUTS
    assert progress[-1] == (INPUTS, INPUTS)
    assert [score.correct for score in found.outputs[0].scores] == [INPUTS, INPUTS]
    assert (found.platform.kind, found.firmware) == ("board", None)
    figures = {figure.name: figure.label for figure in found.figures}
    assert figures[f"accuracy_{found.outputs[0].name}"] == "measured"


def test_a_target_that_fails_in_a_later_batch_names_where_it_was_and_is_closed(
    residual_build: BuildFolder, residual_data: Path
) -> None:
    target = Answers(residual_build, fail_at=6)
    with pytest.raises(TargetError, match="of the inputs from 5 on: input 1: it crashed") as caught:
        Evaluation(residual_build, EvaluateOptions(data=str(residual_data)), target).run()
    assert caught.value.log == ("last words",)
    assert not target.open


@pytest.mark.system
def test_a_whole_machine_gives_the_same_counts(
    residual_build: BuildFolder, residual_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(capsys, 0, residual_build.path, "--data", residual_data, "--target", "open", "--count", 3, "-q")
    found = document(residual_build)
    (output,) = found.outputs
    assert (found.inputs, found.platform.kind) == (3, "open")
    assert found.firmware is not None and found.firmware.kind == "runner"
    assert [score.correct for score in output.scores] == [3, 3]
    assert output.agreements[0].exact == 3


@pytest.mark.tensorflow
def test_the_demo_network_counts_as_its_own_evaluation_does(
    demo_build: BuildFolder, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from deploy import tflite, zoo
    from deploy.hardware.npus import npu_named
    from deploy.judging.oracles import outputs_of
    from deploy.models.multihead_mobilenetv3 import fashion_mnist
    from deploy.quantizing.quantization import Quantized
    from deploy.verifying.host_session import HostSession

    images, labels = fashion_mnist.test_inputs(200)
    fashion_mnist.write(Path(), count=200)
    evaluated(capsys, 0, demo_build.path, "--data", "test.npz", "--labels", "labels.json", "-q")
    found = document(demo_build)
    assert found.float_model == str(demo_build.float_model)
    quantization = read_quantization(demo_build)
    assert quantization is not None
    quantized = Quantized(tflite.read(demo_build.source), quantization)
    network = zoo.network("multihead-mobilenetv3")
    inputs = {"image": images[:, np.newaxis]}
    floats, reference, target = (
        {head: values.reshape(len(values), -1).argmax(axis=1) for head, values in answers.items()}
        for answers in (
            network.model.predict(images.astype(np.float32) / np.float32(255), verbose=0),
            outputs_of(ReferenceKernels(quantized.model), inputs),
            HostSession(tflite.read(demo_build.compiled), npu_named(demo_build.document.npu)).outputs(inputs),
        )
    )
    assert {output.name for output in found.outputs} == set(labels)
    for output in found.outputs:
        true, classes = labels[output.name], len(fashion_mnist.CLASS_NAMES[output.name])
        scores = {score.contestant: score for score in output.scores}
        assert scores["float"].correct == int((floats[output.name] == true).sum())
        assert scores["reference"].correct == int((reference[output.name] == true).sum())
        assert scores["target"].correct == int((target[output.name] == true).sum())
        assert scores["float"].count == 200
        agreements = {(pair.first, pair.second): pair for pair in output.agreements}
        assert agreements["float", "reference"].same_class == int(
            (floats[output.name] == reference[output.name]).sum()
        )
        assert agreements["reference", "target"].exact == 200
        assert scores["target"].accuracy > 0.85
        confusion = np.zeros((classes, classes), int)
        np.add.at(confusion, (true, target[output.name]), 1)
        cells = {(true, said): count for true, said, count in scores["target"].confusion}
        assert cells == {(i, j): confusion[i, j] for i, j in zip(*np.nonzero(confusion), strict=True)}


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_fault_in_one_head_of_the_demo_network_is_seen_there_and_nowhere_else(
    demo_build: BuildFolder, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from deploy.models.multihead_mobilenetv3 import fashion_mnist

    fashion_mnist.write(Path(), count=200)
    broken = with_fault(demo_build, in_folder / "broken")
    words = ["--data", "test.npz", "--labels", "labels.json", "--max-drop", "5", "--save-wrong", "wrong"]
    text = evaluated(capsys, 1, broken.path, *words, "-q")
    counts = document(broken).wrong_only_on_target
    (hurt,) = [name for name, count in counts.items() if count]
    assert counts[hurt] > 50 and sorted(counts.values())[0] == 0
    assert f"verdict: FAIL - {hurt}: " in text and "points below the float model" in text
    saved = json.loads(Path("wrong/examples.json").read_text())
    assert len(saved) == 100 == len(list(Path("wrong").glob("*.png")))
    assert {example["output"] for example in saved} == {hurt}
    first = saved[0]
    with np.load("wrong/inputs.npz") as inputs, np.load("test.npz") as fed:
        assert np.array_equal(inputs["image"][0, 0], fed["image"][first["input"]])


def test_the_reference_is_the_oracle_that_is_asked_for_or_that_can(
    residual_build: BuildFolder, residual_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reference(oracle: str) -> str:
        return api.evaluate(residual_build, residual_data, oracle=oracle, count=2).reference

    assert reference("litert") == reference("auto") == "LiteRT BUILTIN_REF"
    with pytest.raises(BadInputError, match="--oracle both: one is needed here"):
        reference("both")
    if not tflm_installed():
        pytest.skip("tflite-micro is not installed")
    assert reference("tflm") == "TFLM"
    made = kernel_process.made

    def crashing(order: Order, content: bytes) -> Any:
        return os.abort() if order.library == "LiteRT" else made(order, content)

    monkeypatch.setattr(kernel_process, "made", crashing)
    found = api.evaluate(residual_build, residual_data, count=2)
    assert found.reference == "TFLM"
    assert any("LiteRT BUILTIN_REF is left out" in note for note in found.notes)
