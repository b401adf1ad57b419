"""``deploy report``: what a compilation gave, as tables or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

REPORT_EPILOG = """Examples:

    deploy report                        the build that `compile` wrote last

    deploy report build/demo-u55-128 --format json
"""


def report(
    build: Annotated[Path | None, typer.Argument(help="Build folder; default: the one compiled last.")] = None,
    format_: Annotated[str, typer.Option("--format", help="text or json (the content of compile.json).")] = "text",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the figures only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every operator.")] = False,
) -> None:
    """Show performance, memory, placement and quantization of a build; every figure says how it was obtained.

    BUILD is a folder that `deploy compile` wrote; without it, the one it wrote last.
    """
    from deploy import settings
    from deploy.build_folder import BuildFolder
    from deploy.cli.console import stdout
    from deploy.errors import BadInputError
    from deploy.reporting.text import print_build, print_figures

    if format_ not in ("text", "json"):
        raise BadInputError(f"--format {format_}: choose text or json")
    kept = settings.load()
    opened = BuildFolder.open(build or (Path(kept.build) if kept.build else settings.last_build()))
    if format_ == "json":
        print(opened.document.model_dump_json(indent=2))
    elif quiet:
        print_figures(opened.document, stdout())
    else:
        print_build(opened, stdout(), every_operator=verbose)
