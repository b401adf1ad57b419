"""What several verbs take is called the same in all of them; older names stay."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.cli.hints import options_of
from deploy.cli.main import command_line, run


def verbs_with(option: str) -> set[str]:
    return {verb for verb, command in command_line().commands.items() if option in options_of(command)}  # type: ignore[attr-defined]


def test_where_it_runs_is_fvp_or_target_in_every_verb_that_runs_on_a_machine() -> None:
    assert verbs_with("--fvp") == verbs_with("--target") == {"run-fvp", "evaluate"}


def test_data_is_called_data_in_every_verb_that_takes_some() -> None:
    taking = {"quantize", "compile", "optimize", "run-fvp", "run-board", "verify", "check", "evaluate", "sweep"}
    assert verbs_with("--data") == taking
    assert verbs_with("--inputs") == taking - {"quantize", "compile"}
    assert verbs_with("--calibration") == {"quantize", "compile", "sweep", "check"}


def test_the_host_is_no_machine_to_boot(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run-fvp", "--target", "host"]) == 2
    assert "try: deploy verify" in capsys.readouterr().err


@pytest.mark.parametrize(("counts", "said"), [(False, 1), (True, 0)])
def test_timing_says_where_it_has_no_effect(
    built: Path, counts: bool, said: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = SimpleNamespace(name="Corstone-300")
    simulator = SimpleNamespace(fvp=SimpleNamespace(board=board), accurate=lambda *, timing: timing and counts)
    monkeypatch.setattr("deploy.api.target_run", lambda *_, **__: SimpleNamespace(simulator=simulator))
    monkeypatch.setattr("deploy.cli.verdict_files.run_and_report", lambda *_, **__: 0)
    for words, notes in ((["--timing"], said), ([], 0), (["--timing", "-q"], 0)):
        assert run(["run-fvp", str(built), *words]) == 0
        assert capsys.readouterr().err.count("--timing has no effect on the open Corstone-300") == notes
