"""``deploy verify``: the NPU model against the reference kernels on this host, without firmware or simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from deploy.settings import options
from deploy.settings.declared import Writes, option

VERIFY_EPILOG = """Examples:

    deploy verify                                   the build that `compile` wrote last, its own inputs

    deploy verify build/demo --data test.npz --count 1000 --json verdict.json

    deploy verify build/demo --layers               lists all operators, with what they are held to

    deploy verify build/demo --counters npu.csv     what every NPU operation computed and moved
"""


def verify(
    build: options.BuildOrFile,
    inputs: options.Data,
    image_range: options.ImageRange,
    labels: options.Labels,
    count: options.Count,
    sequence: options.Sequence,
    state: options.State,
    layers: Annotated[
        bool,
        option(
            "--layers", help="List every operator, not only those that differ (up to 64 inputs).", default=False
        ),
    ],
    counters: Annotated[
        Path | None,
        option(help="Write MACs, bytes per AXI port and estimated cycles of every NPU operation here (.csv)."),
        Writes("document"),
    ],
    oracle: options.Oracle,
    tolerance: options.Tolerance,
    require_evidence: options.RequireEvidence,
    source: options.Source,
    accept_no_reference: options.AcceptNoReference,
    json: options.Json,
    junit: options.VerdictJunit,
    quiet: options.QuietVerdict,
) -> int:
    """Run inputs through the NPU model on this host and judge its outputs against the reference kernels.

    Each operator is compared on its own, too, on up to 64 inputs: one that equals no oracle and has no known
    cause fails, whatever the outputs say. What the build folder keeps of the same comparison is taken over.

    Exit status: 0 pass, 1 fail, 2 bad input, 3 something is not installed, 4 the NPU model refused the stream.
    """
    from deploy.cli.progress import working

    bar = working("reading build and inputs", quiet=quiet)
    from deploy import api
    from deploy.cli.builds import open_build
    from deploy.cli.verdict_files import run_and_report
    from deploy.files import check_writable

    if counters is not None:
        check_writable(counters)
    opened = open_build(build, source)
    verification = api.verification(
        opened,
        inputs,
        image_range=image_range,
        labels=labels,
        count=count,
        sequence=sequence,
        state=state or (),
        oracle=oracle,
        tolerance=tolerance,
        require_evidence=require_evidence,
        accept_no_reference=accept_no_reference,
        layers=layers,
        counters=counters,
    )
    return run_and_report(verification, opened, "verify", "verifying on the host", bar, quiet=quiet)
