"""What ``run-fvp``, ``run-board`` and ``verify`` do with a verdict: documents for machines, text for people."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.errors import DeployError
    from deploy.judging.verdict import Verdict


class Judged(Protocol):
    """A run or a verification."""

    def run(self, on_progress: Callable[[int, int], None], /) -> Verdict:
        """Run and judge."""

    def failed(self, error: DeployError) -> Verdict:
        """The document for a run that ended without a complete answer."""


def run_and_report(
    run: Judged,
    build: BuildFolder,
    command: str,
    title: str,
    *,
    json: Path | None,
    junit: Path | None,
    quiet: bool,
) -> int:
    """Run with a progress bar, write the documents, print the verdict, and return the exit status.

    An error, too, leaves its documents. The build folder keeps the last verdict of a target that ran, and its HTML
    report shows it.

    Args:
        run: what to run.
        build: what it judges.
        command: the verb, for the documents.
        title: what the progress bar says.
        json: where the verdict document goes.
        junit: where the same as JUnit XML goes.
        quiet: print the verdict only.

    Raises:
        DeployError: there was no complete answer, or a document cannot be written.
    """
    from deploy.cli.console import progress, stdout
    from deploy.cli.html_report import keep_verdict
    from deploy.cli.latency import load_verdict
    from deploy.errors import DeployError, TargetError
    from deploy.files import check_writable

    for path in filter(None, (json, junit)):
        check_writable(path)
    try:
        with progress(title, quiet=quiet) as bar:

            def advance(done: int, total: int) -> None:
                bar.advance(done, total)
                if done == 0:
                    load_verdict(build)  # from here on this process waits

            verdict = run.run(advance)
    except DeployError as error:
        verdict = run.failed(error)
        _write(verdict, command, json, junit)
        if isinstance(error, TargetError):
            keep_verdict(build, command, verdict, quiet=quiet)
        raise
    _write(verdict, command, json, junit)
    if quiet:
        from deploy.printable import printable

        print(printable(f"verdict: {verdict.headline} - {verdict.reason}"))
    else:
        from deploy.reporting.text.verdict import print_verdict

        print_verdict(verdict, stdout())
    sys.stdout.flush()
    keep_verdict(build, command, verdict, quiet=quiet)
    return verdict.exit_status


def _write(verdict: Verdict, command: str, json: Path | None, junit: Path | None) -> None:
    from deploy.files import write_text

    if json is not None:
        write_text(json, verdict.model_dump_json(indent=2) + "\n")
    if junit is not None:
        from deploy.judging.junit import junit_xml

        write_text(junit, junit_xml(verdict, command))
