"""A damaged or hostile ``compile.json``: one message or a whole report, never a defect, never raw controls."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from deploy.build_folder import COMPILE_DOCUMENT, BuildFolder
from deploy.cli.main import run

STEERING = "\x1b[31mred\x1b[0m\x9b31m\u202e\n"


@pytest.fixture
def copy(partly_on_cpu: BuildFolder, tmp_path: Path) -> Path:
    """A build of its own."""
    folder = tmp_path / "build"
    shutil.copytree(partly_on_cpu.path, folder)
    return folder


def change(folder: Path, place: tuple[str | int, ...], value: Any) -> None:
    document = json.loads((folder / COMPILE_DOCUMENT).read_text())
    inner = document
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    (folder / COMPILE_DOCUMENT).write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema_version",), 99),
        (("npu",), "U99"),
        (("npu",), STEERING),
        (("figures", 0, "value"), float("nan")),
        (("figures", 0, "value"), float("inf")),
        (("figures", 0, "value"), 1e308),
        (("figures", 0, "label"), "certain"),
        (("operators", 3, "index"), -(10**20)),
        (("operators", 3, "index"), 10**30),
        (("operators", 3, "npu_cycles"), 10**300),
        (("operators", 3, "macs"), -1),
        (("inputs", 0, "shape"), [10**40]),
        (("inputs", 0, "scales"), [float("nan")]),
        (("sram_limit",), -5),
        (("operators",), {}),
        (("compiled_sha256",), STEERING),
        (("unknown",), 1),
    ],
)
def test_a_wrong_value_is_one_message_that_names_the_file(
    copy: Path, place: tuple[str | int, ...], value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    change(copy, place, value)
    page = copy.parent / "page.html"
    assert run(["report", str(copy), "--format", "html", "-o", str(page)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("deploy: error: ")
    assert "defect" not in said and "\x1b" not in said and "\x9b" not in said
    assert len(said) < 1000
    assert not page.exists()
    assert run(["report", str(copy), str(copy), "--format", "html", "-o", str(page)]) == 2
    assert not page.exists()


@pytest.mark.parametrize("text", ["", "{", "null", "[" * 100_000, '{"a":' * 5_000, "\x00", '{"model": "x"}'])
def test_what_is_no_document_is_one_message(copy: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / COMPILE_DOCUMENT).write_text(text)
    assert run(["report", str(copy)]) == 2
    said = capsys.readouterr().err
    assert str(copy) in said
    assert said.count("\n") <= 2


def test_a_pipe_in_place_of_a_document_is_refused_not_waited_for(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (COMPILE_DOCUMENT, "source.tflite"):
        (copy / name).rename(copy / f"{name}.kept")
        os.mkfifo(copy / name)
        assert run(["report", str(copy)]) == 2
        assert "not a regular file" in capsys.readouterr().err
        (copy / f"{name}.kept").replace(copy / name)


def test_hostile_names_reach_no_terminal_no_pipe_and_no_page_raw(
    copy: Path, partly_on_cpu: BuildFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "é<script>" + "n" * 10_000
    for place, value in (
        (("model",), STEERING),
        (("warnings",), [STEERING]),
        (("operators", 2, "name"), STEERING),
        (("operators", 0, "reason"), STEERING),
        (("operators", 3, "name"), long),
        (("inputs", 0, "name"), STEERING),
        (("versions", "ethos-u-vela"), STEERING),
    ):
        change(copy, place, value)
    original = str(partly_on_cpu.path)
    for words in (
        ["report", str(copy)],
        ["report", str(copy), "-v"],
        ["report", str(copy), "--format", "json"],
        ["report", str(copy), original, "-v"],
        ["report", str(copy), original, "--format", "json"],
    ):
        assert run(words) == 0
        captured = capsys.readouterr()
        for raw in ("\x1b", "\x9b", "\u202e"):
            assert raw not in captured.out + captured.err, words
    assert json.loads(captured.out)["builds"][0]["model"] == STEERING
    page = copy.parent / "page.html"
    for builds in ([str(copy)], [str(copy), original]):
        assert run(["report", *builds, "--format", "html", "-o", str(page)]) == 0
        text = page.read_text(encoding="utf-8")
        assert not [raw for raw in ("\x1b", "\x9b", "\u202e") if raw in text]
        assert "n" * 200 not in text
        assert "é<script>" not in text.replace("\\u003c", "")
