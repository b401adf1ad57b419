"""The documents of a call of a verb, from its first moment on: no early end leaves what an earlier call found."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from deploy.cli.answers import JUDGING_VERBS, PREFIX, answer_name
from deploy.errors import DeployError, ExitStatus
from deploy.printable import readable
from deploy.streams import DASH, STANDARD_OUTPUT, is_stream

if TYPE_CHECKING:
    from deploy.build_folder import Document
    from deploy.cli.json_document import Failure, Kind
    from deploy.judging.verdict import Verdict

_JSON = "--json"
_OF_VERDICTS = ("--junit", "--markdown")

_META = "deploy.call_documents"
_UNFINISHED = "the command did not come to its end"
_HEAD_BYTES = 4096
_ANSWER = re.compile(rb'\{\s*"schema": "' + PREFIX.encode())
_SUITE = b'<testsuite name="deploy '
_SUMMARY = b"<!-- deploy check -->"


class CallDocuments:
    """What ``--json`` names in one call of a verb, and ``--junit`` and ``--markdown`` of those that judge.

    A verb hands over what it found; that is written when it has ended, with how it ended. Files say ``error``
    until then, so that whatever ends the call, a kill as well, leaves nothing of an earlier one. Streams (standard
    output, a FIFO) hold nothing old, and get one document at the end.

    Args:
        words: of the command line; what they name counts where the call ends before its options are known.
        bare: whether ``--json`` had no value.

    Attributes:
        bare: the same.
        below: Markdown that stands at the end of a summary.
    """

    def __init__(self, words: Sequence[str] = (), *, bare: bool = False) -> None:
        self._words = words
        self.bare = bare
        self._name = answer_name(words)
        self._places: dict[str, Path] | None = None
        self._found: Document | None = None
        self._notes: list[str] = []
        self._written: list[str] = []
        self._poured: set[str] = set()
        self.below = ""

    def begin(self, places: Mapping[str, Path], folders: Iterable[Path] = ()) -> None:
        """Take the places of the documents, now that all options are known.

        Args:
            places: option -> its document.
            folders: that the verb writes, and wants as they are: in them, and in folders that are not there, an
                old document goes, and none stands until the end.

        Raises:
            BadInputError: one cannot be written.
        """
        from deploy.files import check_writable

        self._places = dict(places)
        begun = {}
        for option, path in places.items():
            check_writable(path)
            if is_stream(path):
                continue
            whole = Path(os.path.realpath(path))
            if whole.parent.is_dir() and not any(whole.is_relative_to(os.path.realpath(each)) for each in folders):
                begun[option] = path
            else:
                remove_old(path)
        if begun:
            self._write(begun, ExitStatus.TARGET_FAILED, _failure("unfinished", _UNFINISHED))

    def also(self, path: Path) -> None:
        """Have the document written to a further place, too, unless it is the one of ``--json``.

        Raises:
            BadInputError: it cannot be written.
        """
        known = dict(self._places or {})
        if path not in known.values():
            self.begin({**known, "--output": path})

    def answer(
        self, found: Callable[[], Document], *, name: str | None = None, written: Iterable[Path | None] = ()
    ) -> None:
        """Hand over what the verb found.

        Args:
            found: makes it, which is done where somebody wants it.
            name: of the document, where it is not the verb's.
            written: files and folders that it wrote for its user, where there are any.
        """
        self._written += [str(path) for path in written if path is not None and not is_stream(path)]
        if self._places:
            self._found = found()
            self._name = name or self._name

    def note(self, text: str) -> None:
        """Have the document say what a reader should know."""
        self._notes.append(text)

    def finish(self, status: int) -> None:
        """The call has ended without an error: write its documents.

        Raises:
            BadInputError: a document cannot be written.
            BrokenPipeError: its reader has gone.
        """
        self._write(self._places or {}, status, None)

    def ended(
        self, message: str, status: int, kind: Kind, *, hints: Sequence[str] = (), log: Sequence[str] = ()
    ) -> None:
        """The call ends with an error: its documents say so. Never raises.

        Args:
            message: what is wrong.
            status: exit status.
            kind: of error.
            hints: what to try.
            log: last lines of a target.
        """
        if self._name is None:
            return
        places = self._places
        if places is None:
            options = (_JSON, *(_OF_VERDICTS if self._name in JUDGING_VERBS else ()))
            named = {option: _named(self._words, option) for option in options}
            places = {option: path for option, path in named.items() if path is not None and _may_be_taken(path)}
        if not places:
            return
        failure = _failure(kind, message, hints, log)
        for option, path in places.items():
            first = next(name for name, place in places.items() if place == path)
            if option == first:
                with contextlib.suppress(DeployError, OSError):
                    self._write({option: path}, status, failure)

    def _write(self, places: Mapping[str, Path], status: int, failure: Failure | None) -> None:
        from deploy.files import write_text

        for option, path in places.items():
            if is_stream(path) and option in self._poured:
                continue
            self._poured.add(option)  # first: what failed is not tried again
            text = self._text(option, status, failure)
            if path == STANDARD_OUTPUT:
                _print(text)
            else:
                write_text(path, text)

    def _text(self, option: str, status: int, failure: Failure | None) -> str:
        found = self._found
        if found is None and failure is not None and self._name in JUDGING_VERBS:
            found = _error(failure.message, status)
        if option in _OF_VERDICTS:
            return self._text_of_verdict(option, cast("Verdict", found))
        from deploy.cli.json_document import document_text

        assert self._name is not None  # noqa: S101 - without a verb there are no places
        return document_text(self._name, found, status, error=failure, notes=self._notes, written=self._written)

    def _text_of_verdict(self, option: str, verdict: Verdict) -> str:
        if option == "--junit":
            from deploy.judging.junit import junit_xml

            return junit_xml(verdict, self._name or "")
        from deploy.reporting.text.markdown import summary

        return summary(verdict, self.below)


def keep(documents: CallDocuments) -> None:
    """Have the running verb find its documents."""
    import click

    click.get_current_context().meta[_META] = documents


def current() -> CallDocuments:
    """The documents of the running verb; some that go nowhere where none runs."""
    import click

    context = click.get_current_context(silent=True)
    found = context.meta.get(_META) if context is not None else None
    return found if isinstance(found, CallDocuments) else CallDocuments()


def remove_old(path: Path) -> None:
    """Remove a file that holds a document which a verb wrote; any other stays."""
    head = _head(path)
    if _is_marked(head) or (head.startswith(b"{") and b'"schema_version"' in head):
        with contextlib.suppress(OSError):
            path.unlink()


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES).lstrip()
    except OSError:
        return b""


def _may_be_taken(path: Path) -> bool:
    """Whether nothing is lost when an error is written there although the call was not understood."""
    return is_stream(path) or not os.path.lexists(path) or _is_old_answer(path)


def _is_old_answer(path: Path) -> bool:
    head = _head(path)
    verdict = head.startswith(b"{") and b'"verdict"' in head and b'"exit_status"' in head
    return verdict or _is_marked(head)


def _is_marked(head: bytes) -> bool:
    return _ANSWER.match(head) is not None or _SUITE in head or head.startswith(_SUMMARY)


def _named(words: Sequence[str], option: str) -> Path | None:
    """The path that an option names, in words that may be no valid call."""
    found = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name == option and (text := value if equals else following):
            found = STANDARD_OUTPUT if text == DASH else Path(text)
    return found


def _print(text: str) -> None:
    """Print a document in UTF-8, whatever the locale: escaped as text, it would be no JSON."""
    sys.stdout.flush()
    if (bytes_ := getattr(sys.stdout, "buffer", None)) is not None:
        bytes_.write(readable(text).encode())
    else:
        sys.stdout.write(text)
    sys.stdout.flush()


def _failure(kind: Kind, message: str, hints: Sequence[str] = (), log: Sequence[str] = ()) -> Failure:
    from deploy.cli.json_document import Failure

    return Failure(kind=kind, message=message, hints=tuple(hints), log=tuple(log))


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
