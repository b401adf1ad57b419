"""What several verdicts on one build amount to, in one word. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from deploy.judging.verdict import Verdict

Word = Literal["pass", "weak", "fail", "error", "no_reference", "none"]
"""As a verdict's; ``weak`` is a pass on weak evidence, ``none`` stands where there is no verdict."""

_ORDER: Sequence[Word] = ("fail", "error", "pass", "weak", "no_reference")
"""What fails, or got no answer, stands for all; of the others the one that says most."""

_NEAREST_FIRST = ("run-board", "run-fvp", "check", "verify")
"""Of verdicts alike the one that came nearest to the hardware stands for all."""

_STAMPS: Mapping[Word, str] = {"weak": "PASS, weak", "none": "No verdict yet", "no_reference": "No verdict"}


def word_of(verdict: Verdict | None) -> Word:
    """What one verdict says."""
    if verdict is None:
        return "none"
    weak = verdict.verdict == "pass" and verdict.evidence and verdict.evidence.weak
    return "weak" if weak else verdict.verdict


def decisive(verdicts: Mapping[str, Verdict]) -> tuple[str, Verdict | None]:
    """The command and the verdict that stand for all; an empty text and None where there are none."""
    for word in _ORDER:
        for command in _NEAREST_FIRST:
            if word_of(verdicts.get(command)) == word:
                return command, verdicts[command]
    return "", None


def stamp_of(word: Word) -> str:
    """The word for people."""
    return _STAMPS.get(word, word.upper())
