"""``deploy run-board``: feed inputs to firmware on a real board, compare the raw outputs, judge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RUN_BOARD_EPILOG = """Examples:

    deploy run-board build/demo --port /dev/ttyUSB0 --inputs test.npz

    deploy run-board build/demo --port socket://192.168.1.20:5000   a board behind a terminal server
"""


def run_board(
    port: Annotated[str, typer.Option(help="Serial port of the board, or socket://HOST:PORT.")],
    build: Annotated[Path | None, typer.Argument(help="Build folder; default: the one compiled last.")] = None,
    baud: Annotated[int, typer.Option(min=300, help="Bits per second.")] = 115200,
    inputs: Annotated[
        Path | None, typer.Option(help=".npz with an array per input; default: made-up data.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help=".json with class names and true labels.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many inputs to feed.")] = None,
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="Largest difference that passes, in LSB; default 1.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds an input may take; default: 120, or more.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the verdict document here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the verdict as JUnit XML here.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
) -> int:
    """Feed inputs to a board that runs firmware from `deploy firmware`, and judge its raw integer outputs.

    Exit status: 0 pass, 1 fail, 2 bad input, 3 something is not installed, 4 no complete answer from the board.
    """
    from deploy import settings
    from deploy.build_folder import BuildFolder
    from deploy.cli.verdict_files import run_and_report
    from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB
    from deploy.targets.target_run import RunOptions, TargetRun

    kept = settings.load()
    inputs = inputs or (Path(kept.inputs) if kept.inputs else None)
    labels = labels or (Path(kept.labels) if kept.labels else None)
    options = RunOptions(
        inputs=inputs,
        labels=labels,
        count=count or kept.count,
        tolerance=next(v for v in (tolerance, kept.tolerance, DEFAULT_TOLERANCE_LSB) if v is not None),
        timeout_s=timeout if timeout is not None else kept.timeout,
        port=port,
        baud=baud,
    )
    opened = BuildFolder.open(build or (Path(kept.build) if kept.build else settings.last_build()))
    run = TargetRun(opened, options)
    return run_and_report(run, opened, "run-board", "running on the board", json=json, junit=junit, quiet=quiet)
