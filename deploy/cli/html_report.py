"""What the verbs that compile or judge do about the HTML report: write it, or say why not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.judging.verdict import Verdict


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
            hint = f"; {error.hints[0]}" if error.hints else ""
            print(f"note: no HTML report: {error.message}{hint}", file=sys.stderr)
        return None


def keep_verdict(build: BuildFolder, command: str, verdict: Verdict, *, quiet: bool = False) -> None:
    """Keep a verdict in the build folder, in place of the command's last one, and write the HTML report anew.

    A file that Vela compiled elsewhere has no folder to keep it in.
    """
    from deploy.errors import BadInputError
    from deploy.files import write_text
    from deploy.reporting.data.build_documents import verdict_path

    if build.document.compiled_file:
        return
    from deploy.reporting.pages.build import REPORT_FILE

    try:
        write_text(verdict_path(build, command), verdict.model_dump_json(indent=2) + "\n")
    except BadInputError as error:
        if not quiet:
            print(f"note: the build folder does not keep this verdict: {error.message}", file=sys.stderr)
        return
    # Where there is no report yet, `compile` said why.
    refresh_report(build, quiet=quiet or not (build.path / REPORT_FILE).exists())
