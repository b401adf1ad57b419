"""``deploy report``: what a compilation gave and what was verified, or how several builds differ."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from deploy.settings import options
from deploy.settings.declared import Writes, option

REPORT_EPILOG = """Examples:

    deploy report                        the build that `compile` wrote last

    deploy report build/demo-u55-128 --format json       the same as --json -

    deploy report build/demo-u55-128 --format html -o report.html

    deploy report build/demo-u55-128 --format model-explorer

    deploy report build/demo-u55-128 --advice full

    deploy report build/before build/after

    deploy report build/before build/after --format html -o difference.html

    deploy report build/before build/after --fail-on cycles+5%,sram+0,flash+1K,accuracy-0.5,cpu_operators+0

A rule is a figure and how far it may move from the first build: percent, bytes (K, M), or its own unit.
Shares such as accuracy move by percentage points.
"""

FORMATS = ("text", "json", "html", "model-explorer")
_BY_ENDING = {".html": "html", ".json": "json"}
"""What a file to write is where --format does not say."""
_OF_OTHERS = {".csv", ".md", ".pdf", ".png", ".svg", ".xml"}
"""Endings that promise what no format here is."""


def report(
    builds: options.Builds,
    format_: Annotated[
        str,
        option(
            "--format",
            help="text (default), json (the document of --json), html (with charts), or model-explorer (values "
            "for the graph in Google's Model Explorer). A FILE.json or FILE.html of -o needs no format.",
            default="text",
        ),
    ],
    output: Annotated[
        Path | None,
        option(
            "-o",
            "--output",
            help="File to write, - is standard output. Default: standard output; for html BUILD/report.html, of "
            "several builds comparison.html. For model-explorer: the folder; default BUILD/model-explorer.",
        ),
        Writes("document"),
    ],
    fail_on: Annotated[
        str | None,
        option(
            "--fail-on",
            metavar="RULES",
            help="With several builds: exit 1 where one moved further from the first than these rules allow.",
        ),
    ],
    advice: Annotated[
        str | None,
        option(
            help="Find anew what would make the model cheaper: quick (seconds) or full (minutes). "
            "Without it, what was found last is shown."
        ),
    ],
    json: options.Json,
    quiet: Annotated[
        bool,
        option(
            "--quiet",
            "-q",
            help="Print the figures only; of a comparison, the rules' outcome.",
            default=False,
        ),
    ],
    verbose: Annotated[bool, option("--verbose", "-v", help="Print every operator.", default=False)],
) -> int:
    """Show performance, memory, placement and quantization of a build; every figure says how it was obtained.

    With --format html, also the memory over time, what limits each operator, and the last verdicts.

    BUILD is a folder that `deploy compile` wrote, without it the one it wrote last; or a .tflite that Vela
    compiled.

    Several are compared with the first: every figure, and what became of the operators.

    Exit status: 0, or 1 where a rule of --fail-on is broken; 2 bad input.
    """
    from deploy.cli.progress import working

    bar = working("reading the build", quiet=quiet)
    from deploy.cli.advice import advice_level, advise_build
    from deploy.cli.builds import open_build
    from deploy.cli.call_documents import current
    from deploy.cli.comparison import compare_builds
    from deploy.cli.console import into, stdout
    from deploy.errors import BadInputError
    from deploy.reporting.data.build_report import build_report
    from deploy.reporting.text.build import print_build, print_figures
    from deploy.settings.merging import typed
    from deploy.streams import STANDARD_OUTPUT, is_stream

    if output is not None and not typed("format_"):
        ending = output.suffix.lower()
        if ending in _OF_OTHERS:
            raise BadInputError(
                f"-o {output}: no format here is {ending}", hints=[f"--format {each}" for each in FORMATS[:-1]]
            )
        format_ = _BY_ENDING.get(ending, format_)
    if format_ not in FORMATS:
        raise BadInputError(f"--format {format_}: choose {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if format_ == "json":
        current().also(output or STANDARD_OUTPUT)
    if format_ == "model-explorer" and output is not None and is_stream(output):
        raise BadInputError("--format model-explorer writes a folder: -o names one")
    level = advice_level(advice or "none")
    from_file = any(build.suffix == ".tflite" for build in builds or ())
    if from_file and (level is not None or len(builds or ()) > 1 or format_ not in ("text", "json")):
        raise BadInputError("of a file that Vela compiled there is a report as text or json, of one at a time")
    if builds is not None and len(builds) > 1:
        if format_ == "model-explorer":
            raise BadInputError(
                "--format model-explorer is about one build",
                hints=[f"deploy report {builds[0]} --format {format_}"],
            )
        if level is not None:
            raise BadInputError(
                "--advice is about one build", hints=[f"deploy report {builds[0]} --advice {level}"]
            )
        bar.close()
        return compare_builds(builds, format_, fail_on, output=output, quiet=quiet, verbose=verbose)
    if fail_on is not None:
        raise BadInputError(
            "--fail-on compares: name two builds or more",
            hints=[f"deploy report BEFORE AFTER --fail-on {fail_on}"],
        )
    opened = open_build(builds[0] if builds else None)
    if level is not None:
        bar.stage("looking for what would be cheaper")
        advise_build(opened, level, quiet=quiet)
    if format_ == "html":
        from deploy.reporting.pages.build import write_report

        bar.stage("writing the report")
        written = write_report(opened, output)
        current().answer(lambda: build_report(opened), written=[written])
        bar.close()
        if not quiet:
            print(f"report: {written}")
        return 0
    if format_ == "model-explorer":
        from deploy.reporting.model_explorer import opening_command, write_node_data

        paths = write_node_data(opened, output)
        current().answer(lambda: build_report(opened), written=paths)
        bar.close()
        if not quiet:
            print(f"node data: {', '.join(map(str, paths))}")
            print(f"shown by:  {opening_command(opened, paths)}")
        return 0
    current().answer(lambda: build_report(opened), written=[output])
    bar.close()
    if format_ == "text":
        with into(output):
            if quiet:
                print_figures(opened.document, stdout())
            else:
                print_build(opened, stdout(), every_operator=verbose)
    return 0
