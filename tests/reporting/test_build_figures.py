"""The figures of a build folder: compilation, sizes, verdicts and evaluation, each with its label."""

import json
import shutil
from pathlib import Path

import pytest

from deploy.build_folder import BuildFolder, Figure, Label
from deploy.errors import BadInputError
from deploy.judging.verdict import Verdict
from deploy.reporting.data.build_documents import build_figures


@pytest.fixture
def build(mlperf_tiny: dict[str, Path], residual: BuildFolder, tmp_path: Path) -> BuildFolder:
    """A copy without verdicts."""
    shutil.copytree(residual.path, tmp_path / "build", ignore=shutil.ignore_patterns("verify.json", "run-*.json"))
    return BuildFolder.open(tmp_path / "build")


def keep(build: BuildFolder, command: str, inputs: int, accuracy: float, **fields: object) -> None:
    """Keep a verdict with an accuracy."""
    label: Label = "measured"
    verdict = Verdict(
        verdict="pass",
        exit_status=0,
        reason="",
        inputs=inputs,
        reference="r",
        tolerance=1,
        build="b",
        model_sha256=build.document.compiled_sha256,
        input_sha256=command,
        platform=None,
        firmware=None,
        figures=(
            Figure(name="accuracy_kind", value=accuracy, unit="1", label=label),
            Figure(name="target_npu_active_cycles", value=7, unit="cycles", label="estimate"),
            Figure(name="wall_time", value=9, unit="s", label=label),
        ),
    )
    build.verdict_file(command).write_text(verdict.model_copy(update=fields).model_dump_json())


def test_sizes_are_measured_and_cycles_estimated(build: BuildFolder) -> None:
    figures = build_figures(build, "b").figures
    assert (figures["source_size"].value, figures["source_size"].label) == (
        build.source.stat().st_size,
        "measured",
    )
    assert figures["compiled_size"].value == build.compiled.stat().st_size
    assert figures["total_cycles"].label == "estimate"
    assert not [name for name in figures if name.startswith("accuracy")]


def test_of_several_verdicts_the_one_on_most_inputs_gives_the_accuracy(build: BuildFolder) -> None:
    keep(build, "run-fvp", 16, 0.75)
    keep(build, "run-board", 200, 0.5)
    found = build_figures(build, "b")
    assert found.figures["accuracy_kind"].value == 0.5
    assert found.inputs["accuracy_kind"] == "run-board"
    assert found.figures["target_npu_active_cycles"].value == 7
    assert "wall_time" not in found.figures and "target_npu_active_cycles" not in found.inputs


def test_verdicts_of_another_compilation_do_not_count_and_damaged_documents_are_refused(
    build: BuildFolder,
) -> None:
    keep(build, "run-fvp", 16, 0.75, model_sha256="other")
    assert "accuracy_kind" not in build_figures(build, "b").figures
    (build.path / "evaluate.json").write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(BadInputError, match=r"evaluate\.json: cannot be read"):
        build_figures(build, "b")


def test_a_verdict_of_another_schema_version_is_refused(build: BuildFolder) -> None:
    keep(build, "verify", 10, 0.5)
    path = build.verdict_file("verify")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(BadInputError, match=r"verify\.json: schema version 99, this deploy reads 1") as refused:
        build_figures(build, "b")
    assert list(refused.value.hints) == ["run `deploy verify` again, or remove the file"]
