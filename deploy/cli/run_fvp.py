"""``deploy run-fvp``: boot a Corstone, feed inputs, compare the raw outputs, judge."""

from __future__ import annotations

import sys
from typing import Annotated

from deploy.settings import options
from deploy.settings.declared import option

EPILOG = """Examples:

    deploy run-fvp                                  the build that `compile` wrote last, two inputs

    deploy run-fvp build/demo --data test.npz --count 16 --json verdict.json

    deploy run-fvp build/demo --data test.npz --scheduler tcp://10.0.0.5:8786     on a Dask cluster's workers

    deploy run-fvp build/demo --fvp /opt/arm/FVP_Corstone_SSE-300   Arm's FVP in that folder

    deploy run-fvp build/demo --fvp open:corstone-310               the open machine as another board
"""


def run_fvp(
    build: options.BuildOrFile,
    firmware: options.Firmware,
    fvp: options.Fvp,
    inputs: options.Data,
    image_range: options.ImageRange,
    labels: options.Labels,
    count: options.Count,
    sequence: options.Sequence,
    state: options.State,
    seed: options.Seed,
    jobs: options.Jobs,
    scheduler: options.Scheduler,
    oracle: options.Oracle,
    tolerance: options.Tolerance,
    accept_model_difference: options.AcceptModelDifference,
    require_evidence: options.RequireEvidence,
    source: options.Source,
    accept_no_reference: options.AcceptNoReference,
    timeout: options.Timeout,
    timing: options.Timing,
    locate: options.Locate,
    json: options.Json,
    junit: options.VerdictJunit,
    quiet: options.QuietVerdict,
    verbose: Annotated[
        bool,
        option(
            "--verbose",
            "-v",
            help="Show the simulator's command, and what of the firmware it moves to other addresses.",
            default=False,
        ),
    ],
) -> int:
    """Boot the build on a Corstone, feed inputs, and judge the raw integer outputs against the reference.

    Exit status: 0 pass, 1 fail, 2 bad input, 3 something is not installed, 4 no complete answer from the target.
    """
    from deploy.cli.progress import working

    bar = working("reading build and inputs", quiet=quiet)
    from deploy import api
    from deploy.cli.builds import open_build
    from deploy.cli.console import note
    from deploy.cli.verdict_files import run_and_report
    from deploy.errors import BadInputError
    from deploy.settings.merging import typed

    if typed("jobs") and typed("scheduler"):
        raise BadInputError("--jobs is for this computer: the cluster of --scheduler has its own workers")
    if fvp == api.HOST:
        raise BadInputError(f"--target {fvp}: is no machine, but the NPU model alone", hints=["deploy verify"])
    opened = open_build(build, source)
    run = api.target_run(
        opened,
        inputs,
        image_range=image_range,
        firmware=firmware,
        fvp=fvp,
        labels=labels,
        count=count,
        sequence=sequence,
        state=state or (),
        seed=seed,
        jobs=jobs,
        oracle=oracle,
        tolerance=tolerance,
        accept_model_difference=accept_model_difference,
        require_evidence=require_evidence,
        accept_no_reference=accept_no_reference,
        timeout_s=timeout,
        timing=timing,
        scheduler=scheduler,
        locate=locate,
    )
    status = run_and_report(run, opened, "run-fvp", "running on target", bar, quiet=quiet)
    if timing and run.simulator and not run.simulator.accurate(timing=True):
        board = run.simulator.fvp.board.name
        note(f"--timing has no effect on the open {board}: its cycles stay an estimate", quiet=quiet)
    if verbose and run.simulator:
        print(f"simulator: {run.simulator.executable}", file=sys.stderr)
        for line in run.moved:
            print(f"firmware: {line}", file=sys.stderr)
    return status
