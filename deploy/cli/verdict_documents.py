"""The documents of a call of a judging verb, from its first moment on: no early end leaves an old verdict."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import DeployError, ExitStatus
from deploy.streams import DASH, STANDARD_OUTPUT, is_stream

if TYPE_CHECKING:
    from deploy.judging.verdict import Verdict

JUDGING_VERBS = ("run-fvp", "run-board", "verify", "check")

_OPTIONS = ("--json", "--junit", "--markdown")

_META = "deploy.verdict_documents"
_UNFINISHED = "the command did not come to its end"
_HEAD_BYTES = 4096
_SUITE = b'<testsuite name="deploy '
_SUMMARY = b"<!-- deploy check -->"


class VerdictDocuments:
    """What ``--json``, ``--junit`` and ``--markdown`` name, in one call of a verb.

    Files say ``error`` until there is a verdict, so that whatever ends the call, a kill as well, leaves no verdict
    of an earlier one. Streams (standard output, a FIFO) hold nothing old, and get one document at the end.

    Args:
        words: of the command line; what they name counts where the call ends before its options are known.

    Attributes:
        below: Markdown that stands at the end of a summary.
    """

    def __init__(self, words: Sequence[str] = ()) -> None:
        self._words = words
        self._verb = words[0] if words and words[0] in JUDGING_VERBS else ""
        self._places: dict[str, Path] | None = None
        self._written = False
        self.below = ""

    def begin(self, json: Path | None, junit: Path | None, markdown: Path | None = None) -> None:
        """Take the places of the documents, now that all options are known.

        Raises:
            BadInputError: one cannot be written.
        """
        from deploy.files import check_writable

        self._places = {}
        for option, path in zip(_OPTIONS, (json, junit, markdown), strict=True):
            if path is not None:
                check_writable(path)
                self._places[option] = path
        files = {option: path for option, path in self._places.items() if not is_stream(path)}
        if files:
            self._write(_error(_UNFINISHED, ExitStatus.TARGET_FAILED), files)

    def write(self, verdict: Verdict) -> None:
        """Write the verdict.

        Raises:
            BadInputError: a document cannot be written.
        """
        self._written = True
        self._write(verdict, self._places or {})

    def ended(self, reason: str, status: int) -> None:
        """The call ends with an error: documents that have no verdict yet say so. Never raises."""
        if self._written or not self._verb:
            return
        places = self._places
        if places is None:
            named = {option: _named(self._words, option) for option in _OPTIONS}
            places = {option: path for option, path in named.items() if path is not None and _may_be_taken(path)}
        verdict = _error(reason, status) if places else None
        for option, path in places.items():
            first = next(name for name, place in places.items() if place == path)
            if option == first:
                with contextlib.suppress(DeployError, OSError):
                    self._write(verdict, {option: path})

    def _write(self, verdict: Verdict | None, places: dict[str, Path]) -> None:
        from deploy.files import write_text

        if verdict is None:
            return
        for option, path in places.items():
            write_text(path, self._text(verdict, option))

    def _text(self, verdict: Verdict, option: str) -> str:
        if option == "--json":
            return verdict.model_dump_json(indent=2) + "\n"
        if option == "--junit":
            from deploy.judging.junit import junit_xml

            return junit_xml(verdict, self._verb)
        from deploy.reporting.text.markdown import summary

        return summary(verdict, self.below)


def keep(documents: VerdictDocuments) -> None:
    """Have the running verb find its documents."""
    import click

    click.get_current_context().meta[_META] = documents


def current() -> VerdictDocuments:
    """The documents of the running verb."""
    import click

    found = click.get_current_context().meta[_META]
    assert isinstance(found, VerdictDocuments)  # noqa: S101
    return found


def is_old_document(path: Path) -> bool:
    """Whether a file holds a document that a verb wrote."""
    head = _head(path)
    return (head.startswith(b"{") and b'"schema_version"' in head) or _SUITE in head or head.startswith(_SUMMARY)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES).lstrip()
    except OSError:
        return b""


def _may_be_taken(path: Path) -> bool:
    """Whether nothing is lost when a verdict is written there although the call was not understood."""
    return is_stream(path) or not os.path.lexists(path) or _is_old_verdict(path)


def _is_old_verdict(path: Path) -> bool:
    head = _head(path)
    verdict = head.startswith(b"{") and b'"verdict"' in head and b'"exit_status"' in head
    return verdict or _SUITE in head or head.startswith(_SUMMARY)


def _named(words: Sequence[str], option: str) -> Path | None:
    """The path that an option names, in words that may be no valid call."""
    found = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name == option and (text := value if equals else following):
            found = STANDARD_OUTPUT if text == DASH else Path(text)
    return found


def _error(reason: str, status: int) -> Verdict:
    from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB, Verdict

    return Verdict(
        verdict="error",
        exit_status=int(status),
        reason=reason,
        inputs=0,
        reference="",
        tolerance=DEFAULT_TOLERANCE_LSB,
        build="",
        platform=None,
        firmware=None,
    )
