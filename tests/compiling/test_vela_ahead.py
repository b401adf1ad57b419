"""What Vela began before it was asked for is what it makes when it is asked."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy import tflite
from deploy.compiling import vela
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import Compiler
from deploy.compiling.vela_ahead import VelaAhead
from deploy.compiling.vela_command import MODEL_FILE, OUTPUT_FOLDER, command_line
from deploy.errors import NotInstalledError
from deploy.hardware.npus import npu_named
from deploy.processes.supervisor import Ended
from deploy.tflite import Model

ASKED = compile_options(npu_named("U55-128"))


@pytest.fixture(scope="module")
def model(mlperf_tiny: dict[str, Path]) -> Model:
    return tflite.read(mlperf_tiny["keyword_spotting"])


class Runs:
    """Runs Vela, and notes in which folders."""

    def __init__(self) -> None:
        self.folders: list[Path] = []

    def __call__(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        self.folders.append(folder)
        return vela.run(command, folder, timeout_s=timeout_s)


def test_who_asks_for_the_same_run_gets_what_it_left_and_it_is_made_once(model: Model) -> None:
    runs = Runs()
    ahead = VelaAhead(model, ASKED, runs)
    found = Compiler(ahead.run).compile(model, ASKED)
    ahead.close()
    assert len(runs.folders) == 1
    assert not runs.folders[0].exists()
    expected = Compiler(runs).compile(model, ASKED)
    assert found.output.model == expected.output.model
    assert (found.output.summary, found.layers) == (expected.output.summary, expected.layers)
    assert found.output.files.keys() == expected.output.files.keys()


def test_whoever_asks_for_another_run_or_once_more_gets_one_of_its_own(model: Model) -> None:
    runs = Runs()
    ahead = VelaAhead(model, ASKED, runs)
    other = Compiler(ahead.run).compile(model, compile_options(npu_named("U55-64")))
    first, again = (Compiler(ahead.run).compile(model, ASKED) for _ in range(2))
    ahead.close()
    assert len(runs.folders) == 3
    assert first.output.model == again.output.model != other.output.model


def test_another_model_with_the_same_options_is_another_run(model: Model, mlperf_tiny: dict[str, Path]) -> None:
    runs = Runs()
    ahead = VelaAhead(model, ASKED, runs)
    other = tflite.read(mlperf_tiny["anomaly_detection"])
    found = Compiler(ahead.run).compile(other, ASKED)
    ahead.close()
    assert len(runs.folders) == 2
    assert found.output.model == Compiler(runs).compile(other, ASKED).output.model


def test_what_could_not_be_run_ahead_is_run_when_it_is_asked_for(model: Model, tmp_path: Path) -> None:
    began = threading.Event()

    def run(_command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        if not began.is_set():
            began.set()
            raise NotInstalledError("Python cannot be started")
        return Ended(7, False, f"{folder == tmp_path} {timeout_s:g}")

    ahead = VelaAhead(model, ASKED, run)
    assert began.wait(20)
    (tmp_path / MODEL_FILE).write_bytes(model.content)
    command = command_line(ASKED, MODEL_FILE, OUTPUT_FOLDER)
    assert ahead.run(command, tmp_path, timeout_s=3) == Ended(7, False, "True 3")
    ahead.close()
