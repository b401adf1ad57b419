"""deploy firmware: the next line that it prints is one that works."""

import shlex
from pathlib import Path

import pytest

from deploy.cli.main import run


def next_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1].removeprefix("next: ")


@pytest.mark.parametrize("more", [[], ["-o", "a folder", "--board", "corstone-310"]])
def test_a_tflm_project_is_built_by_the_command_that_knows_tflm(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    (in_folder / "b").symlink_to(built)
    assert run(["firmware", "b", "--runtime", "tflm", *more]) == 0
    words = shlex.split(next_line(capsys))
    assert words == ["deploy", "firmware", "b", "--runtime", "tflm", *more, "--tflm", "DIR", "--build"]
    assert run(words[1:]) == 2
    assert "--tflm DIR: no such folder" in capsys.readouterr().err


def test_the_npu_alone_is_built_by_cmake_in_a_folder_of_any_name(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["firmware", str(built), "-o", "a folder"]) == 0
    assert next_line(capsys) == "cmake -S 'a folder' -B 'a folder'/build && cmake --build 'a folder'/build"


def test_the_network_alone_is_for_a_project_of_the_users_own(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["firmware", str(built), "-o", "project", "--only", "model"]) == 0
    assert next_line(capsys) == "build project/model with a project of your own"


def test_a_project_is_not_written_over_a_build_that_the_next_compile_replaces(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_folder / "b").symlink_to(built)
    before = sorted(built.iterdir())
    assert run(["firmware", "b", "-o", "b"]) == 2
    assert "--output b: is a build folder" in capsys.readouterr().err
    assert sorted(built.iterdir()) == before


def test_a_project_in_a_build_folder_stays_there_whatever_its_name(tiny_tflite: Path, in_folder: Path) -> None:
    compiled = ["compile", str(tiny_tflite), "--npu", "U55-128", "-q", "-o", "b"]
    assert run(compiled) == 0
    assert run(["firmware", "b", "-o", "b/mine"]) == 0
    (in_folder / "b/mine/source/main.c").write_text("edited")
    assert run(compiled) == 0
    assert (in_folder / "b/mine/source/main.c").read_text() == "edited"
