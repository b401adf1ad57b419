"""A verdict as GitHub's workflow commands, which annotate a run: ``::error title=...::what is wrong``. Pure."""

from __future__ import annotations

from typing import Literal

from deploy.judging.verdict import Verdict

_TITLE = "deploy check"


def annotation(level: Literal["error", "warning"], message: str, title: str = _TITLE) -> str:
    """One workflow command, in one line whatever the texts hold."""
    return f"::{level} title={_property(title)}::{_data(message)}"


def annotations_of(verdict: Verdict) -> list[str]:
    """One for each broken limit, and for a verdict that is no pass; a warning where the evidence is weak."""
    lines = [
        annotation("error", outcome.sentence, f"{_TITLE}: limit")
        for outcome in verdict.limits
        if not outcome.holds
    ]
    if verdict.verdict != "pass":
        lines.insert(0, annotation("error", "\n".join((verdict.reason, *verdict.explanations))))
    elif verdict.evidence and verdict.evidence.weak:
        lines.append(annotation("warning", verdict.headline))
    return lines


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
