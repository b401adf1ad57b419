"""``deploy doctor``: what is installed, what is missing, what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.settings import options

if TYPE_CHECKING:
    from deploy.cli.answer_documents import DoctorDocument


def doctor(json: options.Json) -> int:
    """Show what is installed and, for what is missing, the command that installs it.

    Exit status 3 if the main job (compile, run-fvp) cannot run.
    """
    import dataclasses
    import sys
    from json import dumps

    from rich.table import Table

    from deploy.cli.call_documents import current
    from deploy.cli.console import stdout
    from deploy.cli.progress import progress
    from deploy.doctor import examine
    from deploy.errors import ExitStatus

    with progress("looking at what is installed"):
        findings = examine()
    blocked = [finding for finding in findings if finding.blocks]

    def document() -> DoctorDocument:
        from deploy.cli.answer_documents import DoctorDocument

        return DoctorDocument(findings=tuple(findings), blocked=tuple(finding.name for finding in blocked))

    current().answer(document)
    if current().bare:
        print("deploy: `--json -` prints the whole document; `--json` alone is to go", file=sys.stderr)
        print(dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
        return ExitStatus.NOT_INSTALLED if blocked else ExitStatus.PASS
    console = stdout()
    table = Table(title="What deploy found", title_justify="left", title_style="bold")
    for column in ("", "what", "found", "for"):
        table.add_column(column, overflow="fold")
    marks = {"ok": "ok", "missing": "MISSING", "broken": "BROKEN", "optional": "-", "untried": "untried"}
    for finding in findings:
        table.add_row(marks[finding.state], finding.name, finding.detail, finding.needed_for)
    console.print(table)
    for finding in findings:
        if finding.state != "ok" and finding.remedy:
            console.print(f"{finding.name}: {finding.remedy}")
    if blocked:
        console.print(f"the main job cannot run: {', '.join(finding.name for finding in blocked)}")
        return ExitStatus.NOT_INSTALLED
    console.print("the main job can run: deploy compile, deploy run-fvp")
    return ExitStatus.PASS
