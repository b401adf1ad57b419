"""``deploy run-board``: feed inputs to firmware on a real board, compare the raw outputs, judge."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.settings import options
from deploy.settings.declared import option

RUN_BOARD_EPILOG = """Examples:

    deploy run-board build/demo --port /dev/ttyUSB0 --data test.npz

    deploy run-board build/demo --port socket://192.168.1.20:5000   a board behind a terminal server
"""


def run_board(
    port: Annotated[str, typer.Option(help="Serial port of the board, or socket://HOST:PORT.")],
    build: options.BuildOrFile,
    baud: Annotated[int, option(help="Bits per second; default 115200.", min=300, default=115200)],
    inputs: options.Data,
    image_range: options.ImageRange,
    labels: options.Labels,
    count: options.Count,
    sequence: options.Sequence,
    state: options.State,
    seed: options.Seed,
    oracle: options.Oracle,
    tolerance: options.Tolerance,
    accept_model_difference: options.AcceptModelDifference,
    require_evidence: options.RequireEvidence,
    source: options.Source,
    accept_no_reference: options.AcceptNoReference,
    timeout: options.Timeout,
    locate: options.Locate,
    json: options.Json,
    junit: options.VerdictJunit,
    quiet: options.QuietVerdict,
) -> int:
    """Feed inputs to a board that runs firmware from `deploy firmware`, and judge its raw integer outputs.

    Exit status: 0 pass, 1 fail, 2 bad input, 3 something is not installed, 4 no complete answer from the board.
    """
    from deploy.cli.progress import working

    bar = working("reading build and inputs", quiet=quiet)
    from deploy import api
    from deploy.cli.builds import open_build
    from deploy.cli.verdict_files import run_and_report

    opened = open_build(build, source)
    run = api.target_run(
        opened,
        inputs,
        image_range=image_range,
        port=port,
        baud=baud,
        labels=labels,
        count=count,
        sequence=sequence,
        state=state or (),
        seed=seed,
        oracle=oracle,
        tolerance=tolerance,
        accept_model_difference=accept_model_difference,
        require_evidence=require_evidence,
        accept_no_reference=accept_no_reference,
        timeout_s=timeout,
        locate=locate,
    )
    return run_and_report(run, opened, "run-board", "running on the board", bar, quiet=quiet)
