"""``deploy search``: networks of a model project, or of the user, that are accurate and take few cycles."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

from deploy.settings import options
from deploy.settings.declared import Writes, argument, option

SEARCH_EPILOG = """Examples:

    deploy search --npu U55-128 --trials 24

    deploy search --npu U55-64 --limit-cycles 200000 --minutes 30 -o build/small

    deploy search --oracle roofline --samples 2000 --epochs 1 --trials 12 -o build/rough

    deploy search mine.py:problem --set width=32 --npu U55-64    # a space, data and training of your own

Interrupted or killed, the same command continues; with more --trials or --minutes it goes on searching.
"""


def search(
    model: Annotated[
        str,
        argument(
            metavar="MODEL",
            help="What is searched: models:NAME (default: models:mobilenetv4) or FILE.py:function.",
            default="models:mobilenetv4",
        ),
        options.MODEL_PATH,
    ],
    npu: Annotated[str | None, option(help="NPU whose cycles count, e.g. U55-128 (default)."), options.NPU],
    oracle: Annotated[
        str,
        option(
            help="Where cycles come from: vela (default; compiles each network) or roofline (does not).",
            default="vela",
        ),
    ],
    limit_cycles: Annotated[
        int | None, option(help="Do not train networks with more cycles; the best is the most accurate.", min=1)
    ],
    trials: Annotated[
        int | None, option(help="Networks to try, equally many a stage; default 24, with --minutes any.", min=2)
    ],
    minutes: Annotated[float | None, option(help="Time to search, over all starts; an equal share a stage.")],
    assignments: Annotated[
        list[str] | None,
        option("--set", metavar="KEY=VALUE", help="An option of MODEL's search; repeatable."),
    ],
    samples: Annotated[
        int | None,
        option(help="--set samples=N: images a network is trained with (mobilenetv4: 4000).", min=1),
    ],
    epochs: Annotated[
        int | None, option(help="--set epochs=N: passes over them (mobilenetv4: 2).", min=1, max=1_000)
    ],
    size: Annotated[
        int | None,
        option(help="--set size=N: height and width of the input in pixels (mobilenetv4: 28, or 56)."),
    ],
    seed: Annotated[
        int, option(help="Of the search, the weights and the order of images; default 1.", min=0, default=1)
    ],
    output: Annotated[
        Path,
        option(
            "-o",
            "--output",
            help="Folder of the search, and of its result; default build/search.",
            default=Path("build/search"),
        ),
        Writes("folder"),
    ],
    json: options.Json,
    quiet: options.Quiet,
) -> int:
    """Search networks that are accurate and take few cycles on an NPU.

    By default small MobileNetV4-like ones: widths of the stages first, then the kernels of every block. Cycles are
    estimates; accuracy is measured after a short training on data that was not trained with, there Fashion-MNIST.
    Exit status 0, or 1 when no network is within --limit-cycles.
    """
    from deploy.cli.call_documents import current
    from deploy.cli.console import stdout
    from deploy.cli.progress import working

    bar = working("reading model and data", quiet=quiet)
    from deploy.errors import BadInputError, ExitStatus, NotInstalledError
    from deploy.hardware.npus import npu_named
    from deploy.processes import warm
    from deploy.reporting.pages.pareto import SEARCH_FILE, write_search
    from deploy.reporting.text.pareto import print_search
    from deploy.searching.documents import Settings
    from deploy.searching.finding import find
    from deploy.searching.oracle import ORACLES, oracle_of, versions_of
    from deploy.searching.proxy import proxy
    from deploy.searching.search import BEST_NETWORK, RESULT, Budget, Search
    from deploy.searching.state import CANDIDATES, SearchFolder
    from deploy.sweeping.cache import Cache, default_folder

    name = next((known for known in ORACLES if known == oracle.lower()), None)
    if name is None:
        raise BadInputError(f"--oracle {oracle}: choose {' or '.join(ORACLES)}")
    target = npu_named(npu or "U55-128")
    budget = Budget(trials or (None if minutes is not None else 24), minutes)
    given = {"samples": samples, "epochs": epochs, "size": size}
    short = [f"{key}={value}" for key, value in given.items() if value is not None]
    found = find(model, [*(assignments or ()), *short], seed)
    estimate = oracle_of(name, target, found, Cache(default_folder()))
    train = proxy(found.problem, seed)
    settings = Settings(
        model=found.model,
        options=dict(found.options),
        seed=seed,
        oracle=name,
        npu=target.name,
        limit_cycles=limit_cycles,
        versions={**versions_of(name), **found.versions},
    )
    with SearchFolder(output, settings) as folder:
        if folder.candidates and not quiet:
            print(f"deploy: continuing after {len(folder.candidates)} candidates", file=sys.stderr)
        try:
            bar.stage("searching")
            with contextlib.closing(bar):
                run = Search(
                    folder,
                    found.problem,
                    settings,
                    budget,
                    estimate=estimate,
                    train=train,
                    on_progress=bar.advance,
                )
                result = run.run()
        except KeyboardInterrupt:
            known = f"{len(folder.candidates)} candidates are in {output / CANDIDATES}"
            print(f"deploy: {known}; the same command continues", file=sys.stderr)
            raise
        finally:
            warm.close_pools()
        written = [output / RESULT]
        try:
            write_search(result, folder.candidates, output / SEARCH_FILE)
            written.append(output / SEARCH_FILE)
        except NotInstalledError as error:
            said = f"no chart: {error.message} ({error.hints[0]})"
            current().note(said)
            if not quiet:
                print(f"deploy: {said}", file=sys.stderr)
    if result.best is not None:
        written.append(output / BEST_NETWORK)
    current().answer(lambda: result, written=written)
    if not quiet:
        print_search(result, stdout())
        for path in written:
            print(f"written: {path}")
        if result.best is None:
            print(f"no network was trained; {CANDIDATES} says why")
    return int(ExitStatus.PASS if result.best is not None else ExitStatus.FAIL)
