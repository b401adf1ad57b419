"""What several verbs take is called the same in all of them; older names stay."""

import pytest

from deploy.cli.hints import options_of
from deploy.cli.main import command_line, run


def verbs_with(option: str) -> set[str]:
    return {verb for verb, command in command_line().commands.items() if option in options_of(command)}  # type: ignore[attr-defined]


def test_where_it_runs_is_fvp_or_target_in_every_verb_that_runs_on_a_machine() -> None:
    assert verbs_with("--fvp") == verbs_with("--target") == {"run-fvp", "evaluate"}


def test_data_is_called_data_in_every_verb_that_takes_some() -> None:
    taking = {"quantize", "compile", "optimize", "run-fvp", "run-board", "verify", "evaluate", "sweep"}
    assert verbs_with("--data") == taking
    assert verbs_with("--inputs") == taking - {"quantize", "compile"}
    assert verbs_with("--calibration") == {"quantize", "compile", "sweep"}


def test_the_host_is_no_machine_to_boot(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run-fvp", "--target", "host"]) == 2
    assert "try: deploy verify" in capsys.readouterr().err
