"""What the verbs that compile or judge do about the HTML report: write it, or say why not."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.errors import DeployError
    from deploy.judging.verdict import Verdict

_READY, _WRITE = b"ready", b"write"
_WRITE_S = 60.0


def refresh_report(build: BuildFolder, *, quiet: bool = False) -> Path | None:
    """Write ``report.html`` into the build folder.

    The report is an extra: where it cannot be written (the charting library is missing, the folder is read-only)
    one line on standard error says so, and the command goes on.

    Returns:
        Where it is; None where it was not written.
    """
    from deploy.errors import DeployError
    from deploy.reporting.pages.build import write_report

    try:
        return write_report(build)
    except DeployError as error:
        if not quiet:
            print(_note(error), file=sys.stderr)
        return None


def _note(error: DeployError) -> str:
    hint = f"; {error.hints[0]}" if error.hints else ""
    return f"note: no HTML report: {error.message}{hint}"


class ReportBeside:
    """Writes the report in a fork, which gets ready for it while this process waits for a target.

    It is made before there are other threads, and closed in the end.

    Args:
        build: whose report it is.
    """

    def __init__(self, build: BuildFolder) -> None:
        from deploy.processes.worker import Worker

        self._worker = Worker(lambda asked, _body: (_answered(build, asked), ()))
        self._getting_ready = threading.Thread(target=self._asked, args=(_READY,), daemon=True)
        self._getting_ready.start()

    def write(self, *, quiet: bool = False) -> bool:
        """Have it written, as :func:`refresh_report` does; returns False where the fork has ended."""
        self._getting_ready.join()
        note = self._asked(_WRITE)
        if note and not quiet:
            print(note, file=sys.stderr)
        return note is not None

    def _asked(self, what: bytes) -> str | None:
        from deploy.processes.worker import WorkerEndedError

        try:
            return self._worker.ask(what, timeout_s=_WRITE_S)[0].decode()
        except WorkerEndedError:
            return None

    def close(self) -> None:
        """End the fork."""
        self._worker.close()


def _answered(build: BuildFolder, asked: bytes) -> bytes:
    """In the fork: get ready, or write; what there is to note then."""
    from deploy.errors import DeployError
    from deploy.reporting.pages.build import preload, write_report

    if asked == _READY:
        preload(build)
        return b""
    try:
        write_report(build)
    except DeployError as error:
        return _note(error).encode("utf-8", "replace")
    return b""


def keep_verdict(
    build: BuildFolder, command: str, verdict: Verdict, *, quiet: bool = False, beside: ReportBeside | None = None
) -> None:
    """Keep a verdict in the build folder, in place of the command's last one, and write the HTML report anew.

    A file that Vela compiled elsewhere has no folder to keep it in.

    Args:
        build: that was judged.
        command: the verb.
        verdict: its verdict.
        quiet: say nothing.
        beside: writes the report, where there is one.
    """
    from deploy.build_folder import REPORT_FILE, verdict_path
    from deploy.errors import BadInputError
    from deploy.files import write_text

    if build.document.compiled_file:
        return
    try:
        write_text(verdict_path(build, command), verdict.model_dump_json(indent=2) + "\n")
    except BadInputError as error:
        if not quiet:
            print(f"note: the build folder does not keep this verdict: {error.message}", file=sys.stderr)
        return
    # Where there is no report yet, `compile` said why.
    quiet = quiet or not (build.path / REPORT_FILE).exists()
    if beside is None or not beside.write(quiet=quiet):
        refresh_report(build, quiet=quiet)
