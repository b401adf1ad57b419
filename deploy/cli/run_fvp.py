"""``deploy run-fvp``: boot Corstone-300, feed inputs, compare the raw outputs, judge."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

EPILOG = """Examples:

    deploy run-fvp                                  the build that `compile` wrote last, one made-up input

    deploy run-fvp build/demo --inputs test.npz --count 16 --json verdict.json

    deploy run-fvp build/demo --inputs test.npz --scheduler tcp://10.0.0.5:8786     on a Dask cluster's workers

    deploy run-fvp build/demo --fvp /opt/arm/FVP_Corstone_SSE-300   Arm's FVP in that folder
"""


def run_fvp(
    build: Annotated[Path | None, typer.Argument(help="Build folder; default: the one compiled last.")] = None,
    firmware: Annotated[
        str | None, typer.Option(help="What to boot: runner (Arm's prebuilt TFLM runner), npu, tflm, or FILE.elf.")
    ] = None,
    fvp: Annotated[
        str | None,
        typer.Option(help="Path of Arm's FVP, docker:IMAGE, or open. Default: Arm's where installed, else open."),
    ] = None,
    inputs: Annotated[
        Path | None, typer.Option(help=".npz with an array per input; default: made-up data.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help=".json with class names and true labels.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many inputs to feed.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Machines side by side; default: one a core.")] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Boot on the workers of this Dask cluster: tcp://HOST:PORT of a scheduler you trust."),
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="Largest difference that passes, in LSB; default 1.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds a boot may take; default: 120, more for large models.")
    ] = None,
    timing: Annotated[
        bool, typer.Option("--timing", help="Have Arm's FVP count the NPU's cycles (much slower than --fast).")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write the verdict document here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the verdict as JUnit XML here.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the simulator's command.")] = False,
) -> int:
    """Boot the build on Corstone-300, feed inputs, and judge the raw integer outputs against the reference.

    Exit status: 0 pass, 1 fail, 2 bad input, 3 something is not installed, 4 no complete answer from the target.
    """
    from deploy import settings
    from deploy.build_folder import BuildFolder
    from deploy.cli.verdict_files import run_and_report
    from deploy.errors import BadInputError
    from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB
    from deploy.targets.target_run import RunOptions, TargetRun

    if jobs is not None and scheduler is not None:
        raise BadInputError("--jobs is for this computer: the cluster of --scheduler has its own workers")
    kept = settings.load()
    options = RunOptions(
        firmware=firmware or kept.firmware or "runner",
        fvp=fvp or kept.fvp,
        inputs=inputs or _path(kept.inputs),
        labels=labels or _path(kept.labels),
        count=count or kept.count,
        jobs=jobs or kept.jobs,
        tolerance=_first(tolerance, kept.tolerance, DEFAULT_TOLERANCE_LSB),
        timeout_s=timeout if timeout is not None else kept.timeout,
        timing=timing or bool(kept.timing),
        scheduler=scheduler,
    )
    opened = BuildFolder.open(build or _path(kept.build) or settings.last_build())
    run = TargetRun(opened, options)
    status = run_and_report(run, opened, "run-fvp", "running on target", json=json, junit=junit, quiet=quiet)
    if verbose and run.simulator:
        print(f"simulator: {run.simulator.executable}", file=sys.stderr)
    return status


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
