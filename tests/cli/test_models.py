"""deploy models: lists, cards and estimates, for people and for programs."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from answers import answered

from deploy import zoo
from deploy.cli.main import run

pytestmark = pytest.mark.early

NAME = "multihead-mobilenetv3"


def test_the_list_is_a_document_for_programs(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list", "--json"]) == 0
    document = answered(capfd.readouterr().out)
    assert document["schema_version"] == 1
    model = next(item for item in document["models"] if item["name"] == NAME)
    assert (model["parameters"], model["input"], model["trains"]) == (102_335, "56x56x1", True)
    assert {item["licence"] for item in model["weights"]} == {"Fashion-MNIST: MIT"}
    assert [item["options"] for item in model["weights"]] == [{"alpha": 0.25}, {"alpha": 0.5}]


@pytest.mark.parametrize("name", [project.name for project in zoo.projects()])
def test_a_card_goes_into_a_pipe_as_it_is(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "card", name]) == 0
    assert capfd.readouterr().out == (zoo.find(name).folder / "README.md").read_text() + "\n"


def test_a_card_is_laid_out_on_a_terminal() -> None:
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "deploy", "models", "card", NAME]
    # Larger than a terminal's buffer: read while it runs.
    with subprocess.Popen(
        command, stdout=terminal, stderr=terminal, env={**os.environ, "COLUMNS": "120"}
    ) as process:
        os.close(terminal)
        text = b""
        try:
            while piece := os.read(controller, 65536):
                text += piece
        except OSError:  # the other end is closed
            pass
        assert process.wait(timeout=60) == 0
    os.close(controller)
    shown = text.decode()
    assert "Multi-head MobileNetV3-Small" in shown and "┏" in shown
    assert "|---|" not in shown and "\n# " not in shown


@pytest.mark.tensorflow
def test_measuring_shows_an_estimate_for_the_chosen_options(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["models", "card", NAME, "--measure", "--set", "size=32", "--set", "alpha=0.75", "--npu", "U55-32"]
    assert run([*words, "--json", str(tmp_path / "c.json")]) == 0
    (network,) = answered((tmp_path / "c.json").read_text())["measured"]["networks"]
    assert (network["options"], [each["npu"] for each in network["npus"]]) == (
        ["size=32", "alpha=0.75"],
        ["U55-32"],
    )
    captured = capfd.readouterr()
    assert "estimates by Vela" in captured.out
    assert "(`size=32` `alpha=0.75`)" in captured.out and "weights: random" in captured.out
    assert captured.out.count("| U55-") == 1
    assert captured.err == ""
