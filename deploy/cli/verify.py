"""``deploy verify``: the NPU model against the reference kernels on this host, without firmware or simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

VERIFY_EPILOG = """Examples:

    deploy verify                                   the build that `compile` wrote last, four made-up inputs

    deploy verify build/demo --inputs test.npz --count 1000 --json verdict.json

    deploy verify build/demo --layers               operator by operator, names the first that differs

    deploy verify build/demo --counters npu.csv     what every NPU operation computed and moved
"""


def verify(
    build: Annotated[Path | None, typer.Argument(help="Build folder; default: the one compiled last.")] = None,
    inputs: Annotated[
        Path | None, typer.Option(help=".npz with an array per input; default: made-up data.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help=".json with class names and true labels.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many inputs to run.")] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Compare operator by operator (the first four inputs that differ).")
    ] = False,
    counters: Annotated[
        Path | None,
        typer.Option(
            help="Write MACs, bytes per AXI port and estimated cycles of every NPU operation here (.csv)."
        ),
    ] = None,
    oracle: Annotated[
        str,
        typer.Option(
            help="Kernels to compare with: litert (LiteRT's reference), tflm, both (one must agree), or auto: "
            "litert, and tflm where that differs beyond the tolerance."
        ),
    ] = "auto",
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="Largest difference that passes, in LSB; default 1.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the verdict document here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the verdict as JUnit XML here.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
) -> int:
    """Run inputs through the NPU model on this host and judge its outputs against the reference kernels.

    Where outputs differ, each operator is compared on its own, and known causes are named.

    Exit status: 0 pass, 1 fail, 2 bad input, 3 something is not installed, 4 the NPU model refused the stream.
    """
    from typing import get_args

    from deploy import settings
    from deploy.build_folder import BuildFolder
    from deploy.cli.verdict_files import run_and_report
    from deploy.errors import BadInputError
    from deploy.files import check_writable
    from deploy.judging.opinion import OracleChoice
    from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB
    from deploy.verifying.verification import Verification, VerifyOptions

    if oracle not in get_args(OracleChoice):
        raise BadInputError(
            f"--oracle {oracle}: no such oracle", hints=[f"known: {', '.join(get_args(OracleChoice))}"]
        )
    if counters is not None:
        check_writable(counters)
    kept = settings.load()
    chosen = tolerance if tolerance is not None else kept.tolerance
    options = VerifyOptions(
        inputs=inputs or (Path(kept.inputs) if kept.inputs else None),
        labels=labels or (Path(kept.labels) if kept.labels else None),
        count=count or kept.count,
        oracle=oracle,  # type: ignore[arg-type]  # checked above
        tolerance=DEFAULT_TOLERANCE_LSB if chosen is None else chosen,
        layers=layers,
        counters=counters,
    )
    folder = build or (Path(kept.build) if kept.build else settings.last_build())
    opened = BuildFolder.open(folder)
    verification = Verification(opened, options)
    return run_and_report(
        verification, opened, "verify", "verifying on the host", json=json, junit=junit, quiet=quiet
    )
