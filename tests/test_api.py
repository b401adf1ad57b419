"""The pipeline as functions: what a notebook or a test suite calls."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

import deploy
from deploy.errors import BadInputError
from deploy.judging.verification_record import SKIPPED, MiscompiledError, keep_record, not_checked
from deploy.tflite import read
from deploy.verifying.build_check import BuildCheck


def test_importing_deploy_imports_nothing_behind_it() -> None:
    code = (
        "import sys, deploy\nassert 'compile' in dir(deploy)\n"
        "assert 'deploy.api' not in sys.modules and 'numpy' not in sys.modules\n"
        "deploy.compile\nassert 'deploy.api' in sys.modules and 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_name_that_is_offered_is_there() -> None:
    assert all(hasattr(deploy, name) for name in deploy.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        deploy.nothing  # noqa: B018


@pytest.mark.usefixtures("in_folder")
def test_a_tflite_file_compiles_into_the_folder_that_the_command_line_would_take(tiny_tflite: Path) -> None:
    build = deploy.compile(tiny_tflite, "U55-64")
    assert build.path == Path("build/tiny-u55-64")
    assert (build.document.model, build.document.npu) == ("tiny", "U55-64")
    assert deploy.open_build("build/tiny-u55-64").document == build.document


@pytest.mark.usefixtures("in_folder")
def test_a_model_that_was_read_compiles_too_and_the_integers_are_verified(tiny_tflite: Path) -> None:
    build = deploy.compile(read(tiny_tflite), output="b", name="mine")
    assert build.document.model == "mine"
    images = np.random.default_rng(1).integers(0, 256, (3, 16, 16, 1), np.uint8)
    seen: list[tuple[int, int]] = []
    verdict = deploy.verify(build, images, progress=lambda done, total: seen.append((done, total)))
    assert (verdict.verdict, verdict.inputs) == ("pass", 3)
    assert seen[-1] == (3, 3)


@pytest.mark.system
def test_a_run_gives_the_raw_answers_and_what_they_are_worth(built: Path) -> None:
    images = np.random.default_rng(2).integers(0, 256, (2, 16, 16, 1), np.uint8)
    run = deploy.run(deploy.open_build(built), {"image": images}, fvp="open", jobs=1)
    assert run.verdict.verdict == "pass"
    assert {name: (values.shape, values.dtype) for name, values in run.outputs.items()} == {
        "garment": ((2, 1, 4), np.uint8),
        "kind": ((2, 1, 4), np.uint8),
    }


@pytest.mark.system
def test_a_run_says_what_compile_checked_or_that_nobody_wanted_it_checked(built: Path, tmp_path: Path) -> None:
    build = deploy.open_build(shutil.copytree(built, tmp_path / "build"))
    images = np.random.default_rng(2).integers(0, 256, (1, 16, 16, 1), np.uint8)
    record = BuildCheck(build, 120.0).finish()
    check = deploy.run(build, {"image": images}, fvp="open").verdict.operator_check
    assert (check, check.source) == (record.check, "compile")
    keep_record(build, not_checked(build, SKIPPED))
    check = deploy.run(build, {"image": images}, fvp="open").verdict.operator_check
    assert (check.source, check.left_out) == ("none", (SKIPPED,))


@pytest.mark.usefixtures("in_folder")
def test_a_model_that_vela_miscompiles_raises_an_error_that_has_the_build() -> None:
    writer = GraphWriter()
    x, y = writer.tensor("x", [1, 8, 8, 4], "int8", 0.05), writer.tensor("y", [1, 4], "int8", 2.0)
    axes = writer.tensor("axes", [2], "int32", data=np.int32([1, 2]))
    writer.operator("SUM", [x, axes], [y], schema.ReducerOptionsT())
    Path("sum.tflite").write_bytes(writer.finish({"x": x}, {"y": y}))
    with pytest.raises(MiscompiledError, match=r"SUM .* is miscompiled") as caught:
        deploy.compile("sum.tflite")
    assert caught.value.exit_status == 1
    assert deploy.open_build("build/sum-u55-128").document == caught.value.build.document
    assert deploy.compile("sum.tflite", verify="none").document == caught.value.build.document
    with pytest.raises(BadInputError, match="choose none or quick"):
        deploy.compile("sum.tflite", verify="all")


def test_an_evaluation_counts_and_a_broken_limit_is_no_error(built: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(3).integers(0, 256, (8, 16, 16, 1), np.uint8)
    data = tmp_path / "data.npz"
    np.savez(data, image=images, labels_garment=np.arange(8) % 4, labels_kind=np.arange(8) % 4)
    document = deploy.evaluate(deploy.open_build(built), data, fail_below="100%")
    assert {output.name for output in document.outputs} == {"garment", "kind"}
    assert document.exit_status == 1


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda file: deploy.compile(file, "U55-512"), "--npu U55-512"),
        (lambda file: deploy.compile("nowhere.tflite"), "nowhere.tflite: no such model"),
        (deploy.quantize, "cannot be quantized any more"),
        (lambda file: deploy.open_build(file.parent / "no-build"), "no-build"),
    ],
)
def test_what_is_wrong_is_one_error_with_a_hint(call, problem: str, tiny_tflite: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInputError) as error:
        call(tiny_tflite)
    assert problem in " ".join([error.value.message, *error.value.hints])
