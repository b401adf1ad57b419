"""The check of an installed wheel finds what it is for."""

import pytest

from deploy.npu.core.library import native

from . import installed
from .comparing import KINDS, Outcome


def test_the_core_that_is_installed_here_passes_and_what_was_compared_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert installed.main(["--seeds", "2"]) == 0
    said = capsys.readouterr().out
    assert f"{len(KINDS)} kinds of operations, 2 of each" in said
    assert all(version in said for version in native().VERSIONS)


def test_without_a_core_it_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(installed, "native", lambda: None)
    assert installed.main([]) == 1
    assert "without the compiled core" in capsys.readouterr().out


@pytest.mark.parametrize("outcome", [Outcome([], True, True, False), Outcome([], True, False, True)])
def test_other_bytes_and_what_is_not_computed_are_named(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(installed, "compared", lambda *_words: outcome)
    assert installed.main(["--seeds", "1"]) == 1
    said = capsys.readouterr().out
    assert all(f"differs: {family} {kind}, seed 0, version " in said for family, kind in KINDS)


def test_weights_that_are_decoded_otherwise_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(installed, "found_alike", lambda *_words: False)
    assert installed.main(["--seeds", "1"]) == 1
    assert "differs: random bytes, seed 0" in capsys.readouterr().out
