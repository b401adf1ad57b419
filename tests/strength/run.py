"""``make strength``: what default runs find of what is wrong, as tables.

    python -m strength [--flips N] [--seed S] [--jobs N] [--only NETWORK,...] [--flips-alone] [--earlier FILE]

(with ``tests`` on PYTHONPATH). Flipped bits, lying simulators, the fault campaign and the mutants of models; with
``--earlier``, also every verdict that passed in that file of :mod:`strength.false_alarms`. Exit status 1 when
anything is less than it has to be.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from deploy.files import write_text

from . import counted, false_alarms, table
from .flips import Campaign, Flip, chosen
from .networks import CACHE, NAMES

DEFAULT_FLIPS = 60


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="strength", description=__doc__)
    parser.add_argument("--flips", type=int, default=DEFAULT_FLIPS, help="in each network")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="networks, comma separated")
    parser.add_argument("--flips-alone", action="store_true", help="leave out what other tests count")
    parser.add_argument("--earlier", type=Path, help="verdicts that have to be as good, see strength.false_alarms")
    parser.add_argument("-o", "--output", type=Path, default=CACHE, help="folder for flips.json and table.md")
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # workers stand for the cores
    names = options.only.split(",") if options.only else list(NAMES)
    flips: list[Flip] = []
    disagreements: list[str] = []
    for some, lines in flip_all(names, options.flips, options.seed, options.jobs):
        flips += some
        disagreements += lines
        write_text(options.output / "flips.json", json.dumps([asdict(flip) for flip in flips], indent=1) + "\n")
    parts = [table.markdown(table.HEAD, table.flip_rows(flips))]
    failures = [*table.missed(flips), *disagreements]
    if not options.flips_alone:
        rows = counted.counts()
        parts.append(table.markdown(counted.HEAD, [count.row() for count in rows]))
        failures += [f"{count.what}: {count.bad} of {count.all} fail" for count in rows if count.bad]
    text = "\n\n".join(parts)
    write_text(options.output / "table.md", text + "\n")
    print(text)
    print("\n".join(["", *table.escapes(flips), *failures]))
    if options.earlier is not None and false_alarms.compare(options.earlier, options.jobs):
        failures.append("false alarms")
    return 1 if failures else 0


def flip_all(names: Sequence[str], count: int, seed: int, jobs: int) -> Iterator[tuple[list[Flip], list[str]]]:
    """Yield what :func:`flip_one` returns for every network; a network a job."""
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(flip_one, name, count, seed) for name in names]):
            yield future.result()


def flip_one(name: str, count: int, seed: int) -> tuple[list[Flip], list[str]]:
    """The flips of one network, and where the command line says something else of a few of them."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="deploy-strength-") as folder:
        campaign = Campaign(name, Path(folder))
        flips = [campaign.judged(flip) for flip in chosen(name, campaign.build, count, seed)]
        lines = campaign.disagreements(flips)
    print(f"{name}: {count} flips, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return flips, lines
