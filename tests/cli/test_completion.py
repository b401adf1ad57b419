"""TAB completes values: in what the program answers, and in shells at a terminal."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shell_session import ShellSession

from deploy.cli.main import run
from deploy.compiling.vela_config import installed_config
from deploy.errors import NotInstalledError
from deploy.hardware.npus import npus

Tab = Callable[..., list[str]]


@pytest.fixture
def tab(in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tab:
    """What is offered for the last of some words, as bash takes them apart."""

    def pressed(*words: str) -> list[str]:
        pieces = [piece for word in words for piece in re.split(r"([:=])", word) if piece or not word]
        monkeypatch.setenv("_DEPLOY_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["deploy", *pieces]))
        monkeypatch.setenv("COMP_CWORD", str(len(pieces)))
        assert run([]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out.split()

    return pressed


def test_verbs_and_options_are_completed_without_a_word_on_standard_error(tab: Tab) -> None:
    assert tab("comp") == ["compile"]
    assert tab("compile", "--sys") == ["--system-config"]


def test_every_npu_is_offered_and_those_that_begin_so_in_any_case(tab: Tab) -> None:
    for verb in ("compile", "optimize", "search"):
        assert tab(verb, "--npu", "") == [*npus()]
    assert tab("compile", "--npu", "u65") == ["U65-256", "U65-512"]
    assert tab("compile", "--npu=U65-5") == ["U65-512"]


def test_memories_are_those_of_the_npu_that_was_named(tab: Tab) -> None:
    assert tab("compile", "--memory-mode", "") == [*installed_config().memories]
    assert tab("compile", "--system-config", "") == [*installed_config().systems]
    of_u65 = tab("compile", "--npu", "ethos-u65-256", "--system-config", "")
    assert of_u65 and all(name.startswith("Ethos_U65_") for name in of_u65)
    assert "Sram_Only" in tab("compile", "--npu", "U55-128", "--memory-mode", "")
    assert tab("compile", "--npu", "none", "--memory-mode", "") == []


def test_lists_of_a_sweep_are_completed_at_their_end_without_what_is_there(tab: Tab) -> None:
    assert tab("sweep", "--npu", "U65-256,U65") == ["U65-256,U65-512"]
    assert "all" in tab("sweep", "--memory-mode", "")
    assert tab("sweep", "--optimise", "Size,") == ["Size,Performance"]


def test_networks_are_offered_with_what_bash_takes_for_a_word_of_its_own_left_out(tab: Tab) -> None:
    assert tab("compile", "mo")[0].startswith("models:")
    assert tab("compile", "models:mul") == ["multihead-mobilenetv3"]
    assert tab("models", "build", "featherface-v1") == ["featherface-v1"]


def test_files_are_left_to_the_shell(tab: Tab) -> None:
    assert tab("compile", "") == []
    Path("model.keras").touch()
    assert tab("compile", "mo") == []
    assert tab("verify", "--data", "") == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["report", "--format", ""], ["text", "json", "html", "model-explorer"]),
        (["firmware", "--board", "corstone-31"], ["corstone-310"]),
        (["firmware", "--runtime", ""], ["npu", "tflm"]),
        (["run-fvp", "--fvp", "open:corstone-32"], ["corstone-320"]),
        (["evaluate", "--target", "h"], ["host"]),
        (["run-fvp", "--firmware", "r"], ["runner"]),
        (["verify", "--oracle", "bo"], ["both"]),
        (["search", "--oracle", ""], ["vela", "roofline"]),
        (["quantize", "--precision", "int1"], ["int16x8"]),
        (["compile", "--verify", ""], ["none", "quick"]),
        (["compile", "--io", ""], ["uint8", "int8"]),
    ],
)
def test_what_has_few_values_offers_them(tab: Tab, words: list[str], offered: list[str]) -> None:
    assert tab(*words) == offered


def test_what_is_not_installed_offers_nothing(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise NotInstalledError("no Vela")

    monkeypatch.setattr("deploy.compiling.vela_config.installed_config", missing)
    assert tab("compile", "--memory-mode", "") == []


def test_the_script_for_a_shell_is_printed_and_that_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--show-completion"]) in (0, 1)  # 1 where no shell is found among the callers
    assert "defect" not in capsys.readouterr().err


@pytest.fixture(params=["bash", pytest.param("zsh", marks=pytest.mark.slow)])
def shell(request: pytest.FixtureRequest, in_folder: Path) -> Iterator[ShellSession]:
    session = ShellSession(request.param, in_folder)
    yield session
    session.close()


def test_tab_completes_in_a_shell(shell: ShellSession) -> None:
    assert shell.completed("deploy comp") == ["deploy", "compile"]
    assert shell.completed("deploy compile --npu U55-12") == ["deploy", "compile", "--npu", "U55-128"]
    assert shell.completed("deploy compile models:mul") == ["deploy", "compile", "models:multihead-mobilenetv3"]
    Path("picture.tflite").touch()
    assert shell.completed("deploy compile pic") == ["deploy", "compile", "picture.tflite"]
    assert shell.completed("deploy report --format h") == ["deploy", "report", "--format", "html"]
    assert shell.completed("deploy report --format=h") == ["deploy", "report", "--format=html"]
