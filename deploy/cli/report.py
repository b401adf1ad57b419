"""``deploy report``: what a compilation gave and what was verified, as tables, JSON or one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

REPORT_EPILOG = """Examples:

    deploy report                        the build that `compile` wrote last

    deploy report build/demo-u55-128 --format json

    deploy report build/demo-u55-128 --format html -o report.html
"""


def report(
    build: Annotated[Path | None, typer.Argument(help="Build folder; default: the one compiled last.")] = None,
    format_: Annotated[
        str,
        typer.Option("--format", help="text, json (the content of compile.json), or html (one file with charts)."),
    ] = "text",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="With html: the file to write; default BUILD/report.html."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the figures only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every operator.")] = False,
) -> None:
    """Show performance, memory, placement and quantization of a build; every figure says how it was obtained.

    With --format html, also the memory over time, what limits each operator, and the last verdicts.

    BUILD is a folder that `deploy compile` wrote; without it, the one it wrote last.
    """
    from deploy import settings
    from deploy.build_folder import BuildFolder
    from deploy.cli.console import stdout
    from deploy.errors import BadInputError
    from deploy.reporting.text import print_build, print_figures

    if format_ not in ("text", "json", "html"):
        raise BadInputError(f"--format {format_}: choose text, json or html")
    if output is not None and format_ != "html":
        raise BadInputError(
            "-o goes with --format html only", hints=[f"deploy report --format {format_} > {output}"]
        )
    kept = settings.load()
    opened = BuildFolder.open(build or (Path(kept.build) if kept.build else settings.last_build()))
    if format_ == "html":
        from deploy.reporting.html import write_report

        written = write_report(opened, output)
        if not quiet:
            print(f"report: {written}")
    elif format_ == "json":
        print(opened.document.model_dump_json(indent=2))
    elif quiet:
        print_figures(opened.document, stdout())
    else:
        print_build(opened, stdout(), every_operator=verbose)
