"""What the verbs that compile or judge do about the HTML report: write it, or say why not."""

from __future__ import annotations

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
    from deploy.cli.console import note
    from deploy.errors import DeployError
    from deploy.reporting.charts.library import installed_version

    try:
        installed_version()  # before an import that takes as long as all else here

        from deploy.reporting.pages.build import write_report

        return write_report(build)
    except DeployError as error:
        hint = f"; {error.hints[0]}" if error.hints else ""
        note(f"no HTML report: {error.message}{hint}", quiet=quiet)
        return None


def keep_verdict(build: BuildFolder, command: str, verdict: Verdict, *, quiet: bool = False) -> None:
    """Keep a verdict in the build folder, in place of the command's last one, and write the HTML report anew.

    A file that Vela compiled elsewhere has no folder to keep it in.
    """
    from deploy.cli.console import note
    from deploy.errors import BadInputError
    from deploy.files import write_text

    if build.document.compiled_file:
        return
    try:
        write_text(build.verdict_file(command), verdict.model_dump_json(indent=2) + "\n")
    except BadInputError as error:
        note(f"the build folder does not keep this verdict: {error.message}", quiet=quiet)
        return
    # Where there is no report yet, `compile` said why.
    refresh_report(build, quiet=quiet or not build.report_file.exists())
