"""The documents with which verbs answer ``--json``: their names, and the version of each.

A document names its schema: ``ethosu-deploy/compile/1``. Its name is the verb's, ``models-list`` that of a verb
below another. ``report`` answers with ``comparison`` where there are several builds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.streams import DASH

COMPARISON = "comparison"

VERSIONS: Mapping[str, int] = {
    "quantize": 1,
    "compile": 1,
    "optimize": 1,
    "report": 1,
    COMPARISON: 1,
    "firmware": 1,
    "run-fvp": 1,
    "run-board": 1,
    "verify": 1,
    "check": 1,
    "sweep": 1,
    "evaluate": 1,
    "search": 2,
    "fvp-link": 1,
    "fvp-install": 1,
    "models-list": 1,
    "models-card": 1,
    "models-build": 1,
    "models-train": 1,
    "models-data": 1,
    "doctor": 1,
    "init": 1,
    "status": 1,
}
"""Name of a document -> its version, which grows where a reader of the one before would misread it, not where
something is new."""

JUDGING_VERBS = ("run-fvp", "run-board", "verify", "check")
"""Their document is a verdict, whatever happens."""

PREFIX = "ethosu-deploy/"

_ONCE_A_SWITCH: Mapping[tuple[str, ...], tuple[str, ...]] = {("doctor",): (), ("models", "list"): ("--json=-",)}
"""Verbs whose ``--json`` took no value once -> the words that mean the same; none where nothing does."""


def answer_name(words: Sequence[str]) -> str | None:
    """The name of the document with which the verb answers that a command line calls; None where it calls none."""
    names = ("-".join(words[:length]) for length in (2, 1))
    return next((name for name in names if name in VERSIONS), None)


def schema_name(name: str) -> str:
    """How a document names its schema."""
    return f"{PREFIX}{name}/{VERSIONS[name]}"


def with_place(words: Sequence[str]) -> tuple[list[str], bool]:
    """The words of a command line, in which ``--json`` has the value that it could do without once.

    Returns:
        The words; and whether it had none.
    """
    placed: list[str] = []
    for verb, meant in _ONCE_A_SWITCH.items():
        if tuple(words[: len(verb)]) == verb:
            for word, following in zip(words, [*words[1:], "--"], strict=True):
                bare = word == "--json" and following.startswith("-") and following != DASH
                placed += meant if bare else [word]
            return placed, placed != list(words)
    return list(words), False
