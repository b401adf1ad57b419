"""Results are shown by whoever said so last, and as text where nobody did."""

from __future__ import annotations

import pytest

from deploy import shown


class Result(shown.Shown):
    """A result."""


def test_without_a_maker_a_notebook_shows_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "_makers", [])
    assert Result()._repr_html_() is None


def test_the_maker_gets_the_result_and_may_have_nothing_to_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "_makers", [])
    shown.show_by(lambda result: type(result).__name__)
    assert Result()._repr_html_() == "Result"
    shown.show_by(lambda _result: None)
    assert Result()._repr_html_() is None
