"""What the verbs that judge do with a verdict: documents for machines, text for people."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.cli.progress import Bar
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
    bar: Bar,
    *,
    quiet: bool,
) -> int:
    """Run with a progress bar, have the call's documents say the verdict, print it, and return the exit status.

    The build folder keeps the last verdict of a target that ran, and its HTML report shows it.

    Args:
        run: what to run.
        build: what it judges.
        command: the verb, for the documents.
        title: what the progress bar says once the run has begun.
        bar: is shown until then, and closed here.
        quiet: print the verdict only.

    Raises:
        DeployError: there was no complete answer.
    """
    from deploy.cli.call_documents import current
    from deploy.cli.console import note_slow_npu_model, stdout
    from deploy.cli.html_report import keep_verdict
    from deploy.cli.latency import load_verdict
    from deploy.errors import DeployError, TargetError

    documents = current()
    note_slow_npu_model(quiet=quiet)
    try:
        with contextlib.closing(bar):

            def advance(done: int, total: int) -> None:
                if done == 0:
                    bar.stage(title)
                bar.advance(done, total)
                if done == 0:
                    load_verdict(build, quiet=quiet)  # from here on this process waits

            verdict = run.run(advance)
    except DeployError as error:
        failed = run.failed(error)
        documents.answer(lambda: failed)
        if isinstance(error, TargetError):
            keep_verdict(build, command, failed, quiet=quiet)
        raise
    documents.answer(lambda: verdict)
    if quiet:
        from deploy.printable import printable

        print(printable(f"verdict: {verdict.headline} - {verdict.reason}"))
    else:
        from deploy.reporting.text.verdict import print_verdict

        print_verdict(verdict, stdout())
    sys.stdout.flush()
    keep_verdict(build, command, verdict, quiet=quiet)
    return verdict.exit_status
