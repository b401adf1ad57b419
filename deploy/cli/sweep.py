"""``deploy sweep``: a network over NPUs, memory modes, strategies and its own options."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

from deploy.data import FORMS
from deploy.hardware.npus import listed, modelled
from deploy.settings import options
from deploy.settings.declared import NamesPath, Writes, option

SWEEP_EPILOG = """Examples:

    deploy sweep model.tflite

    deploy sweep model.tflite --npu U55-128,U55-256 --memory-mode all --optimise Performance,Size --chart s.html

    deploy sweep models:multihead-mobilenetv3 --set alpha=0.25,0.5,1.0 --size 56,96 -o sweep/

    deploy sweep model.tflite --data test.npz --labels labels.json --scheduler tcp://10.0.0.5:8786

What was compiled once is not compiled again, also after a sweep was killed. Dask exchanges pickled Python objects:
name only a scheduler that you trust.
"""


def sweep(
    model: options.Model,
    npu: Annotated[
        str,
        option(help=f"NPUs, separated by commas; all (default): {listed(modelled())}.", default="all"),
    ],
    system_config: Annotated[
        str | None, option(help="Sections of Vela's Arm/vela.ini, or all of the NPU; default: the NPU's.")
    ],
    memory_mode: Annotated[
        str | None, option(help="The same for memory modes: a list, or all that go with the NPU.")
    ],
    optimise: Annotated[str | None, option(help="Performance (default), Size, or Performance,Size.")],
    size: Annotated[
        str | None, option(help="Input sizes: short for --set size=V1,V2,... (models:NAME, FILE.py:function).")
    ],
    set_: Annotated[
        list[str] | None,
        option(
            "--set",
            metavar="KEY=V1,V2,...",
            help="Values of an option of models:NAME or FILE.py:function; semicolons where values hold commas.",
        ),
        options.SET,
    ],
    signature: options.Signature,
    calibration: options.SweptCalibration,
    image_range: options.ImageRange,
    samples: options.Samples,
    io: options.Io,
    sram_limit: options.SramLimit,
    data: Annotated[
        str | None,
        option("--data", "--inputs", help=f"Measure accuracy on a labelled set: {FORMS}."),
        NamesPath(),
    ],
    labels: Annotated[Path | None, option(help=".json with the true labels of --data, where it has none.")],
    count: Annotated[int | None, option(help="Samples of the data to use; default: all.", min=1)],
    jobs: Annotated[int | None, option(help="Processes side by side; default: one a core.", min=1)],
    scheduler: options.Scheduler,
    output: Annotated[
        Path | None,
        option("-o", "--output", help="Folder for cache, table, JSON, CSV and chart; default: no files."),
        Writes("folder"),
    ],
    csv: Annotated[
        Path | None, option(help="Write the points as CSV here; - is standard output."), Writes("document")
    ],
    json: options.Json,
    chart: Annotated[
        Path | None, option(help="Write the Pareto chart here: .html, .svg or .png."), Writes("file")
    ],
    fresh: Annotated[bool, option("--fresh", help="Compute what is known anew.", default=False)],
    quiet: options.Quiet,
    verbose: options.ConverterVerbose,
) -> int:
    """Compile a model for many targets and compare: time, SRAM, flash, and accuracy where data is given.

    All times, cycles and sizes are Vela's estimates; accuracy is that of the quantized model on this computer.
    A point that fails is a row with its reason. Exit status 0, or 4 when every point failed.
    """
    from deploy.cli.call_documents import current
    from deploy.cli.console import stdout
    from deploy.cli.progress import working

    bar = working("looking at the combinations", quiet=quiet)
    from deploy.data.image_range import parsed
    from deploy.errors import BadInputError, ExitStatus
    from deploy.executors import available_processors, local_workers
    from deploy.files import check_writable, write_text
    from deploy.quantizing.quantization import IO_TYPES
    from deploy.reporting.pages.pareto import check_format, write_sweep
    from deploy.reporting.text.pareto import csv_text, print_sweep
    from deploy.settings.merging import typed
    from deploy.sweeping import axes
    from deploy.sweeping.accuracy import LabelledSource
    from deploy.sweeping.cache import Cache, default_folder
    from deploy.sweeping.networks import QuantizeOptions
    from deploy.sweeping.sweep import Plan, Sweep, opened_cluster

    if model is None:
        raise BadInputError("no MODEL given", hints=["deploy sweep model.tflite", "deploy init"])
    if data is None and labels is not None:
        raise BadInputError("--labels are for --data, which is missing")
    if typed("jobs") and typed("scheduler"):
        raise BadInputError("--jobs is for this computer: the cluster of --scheduler has its own workers")
    kept = None
    if output is not None:
        csv, chart = csv or output / "sweep.csv", chart or output / "sweep.html"
        kept = output / "sweep.json" if json is None else None
    for path in filter(None, (csv, kept, chart)):
        check_writable(path)
    if chart is not None:
        check_format(chart)
    targets, skipped = axes.targets(npu, system_config, memory_mode, optimise, sram_limit)
    sources = axes.sources(model, set_ or (), size, signature)
    plan = Plan(
        model,
        sources,
        targets,
        skipped,
        QuantizeOptions(calibration, samples, parsed(image_range), io or IO_TYPES[0], verbose),
        LabelledSource(data, labels, count, parsed(image_range)) if data is not None else None,
    )
    cache = Cache(output / "cache" if output is not None else default_folder(), fresh=fresh)
    opened = opened_cluster(scheduler) if scheduler else local_workers(jobs or available_processors())
    bar.stage("sweeping")
    with contextlib.closing(bar), opened as workers:
        document = Sweep(
            plan,
            workers,
            cache,
            say=lambda what: None if quiet else print(f"deploy: {what}", file=sys.stderr, flush=True),
            on_progress=bar.advance,
        ).run()
    if kept is not None:
        write_text(kept, document.model_dump_json(indent=2) + "\n")
    if csv is not None:
        write_text(csv, csv_text(document))
    if chart is not None:
        write_sweep(document, chart)
    current().answer(lambda: document, written=[kept, csv, chart])
    if not quiet:
        print_sweep(document, stdout())
        for path in filter(None, (json or kept, csv, chart)):
            print(f"written: {path}")
    failed = all(point.status == "failed" for point in document.points)
    return int(ExitStatus.TARGET_FAILED if failed else ExitStatus.PASS)
