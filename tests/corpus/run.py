"""``make corpus``: every network on every NPU in every memory mode, as a table in build/corpus.

    python -m corpus [--jobs N] [--npu U55-128,...] [--only TEXT] [--kinds small,written,...] [-o FOLDER]

(with ``tests`` on PYTHONPATH). Exit status 1 when a pair is unexplained or in error, or is not compared for
another reason than those that are known.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from .conversion import TESTS, WRITTEN_SOURCES, converted, small_networks, written
from .large import large_networks
from .pairs import NPUS, Row, run_network
from .random_networks import random_networks
from .real import real_networks
from .table import failing, summary, write_table

_HERE = Path(__file__).resolve().parent
RANDOM_NETWORKS = 200
"""Random networks that are part of the corpus, by seed."""


def main() -> int:
    """Run the corpus and write its table."""
    parser = argparse.ArgumentParser(prog="corpus", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--npu", default=",".join(NPUS))
    parser.add_argument("--only", default="", help="networks whose name contains one of these, comma separated")
    parser.add_argument("--kinds", default="small,written,random,large,real")
    parser.add_argument("--modes", type=int, default=None, help="memory modes of each NPU; default all")
    parser.add_argument("-o", "--output", type=Path, default=TESTS.parent / "build" / "corpus")
    options = parser.parse_args()
    # Workers stand for the cores; their BLAS must not multiply them.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    parts = [part for part in options.only.split(",") if part]
    kinds = options.kinds.split(",")
    found = networks_of(kinds, parts, options.jobs)
    if not found:
        parser.error("no network of these kinds is called so")
    npus = tuple(options.npu.split(","))
    rows = run_all(found, npus, options.modes, options.jobs)
    write_table(rows, options.output)
    print(summary(rows))
    return 1 if failing(rows) else 0


def _wanted(names: list[str], parts: list[str]) -> list[str]:
    return [name for name in names if not parts or any(part in name for part in parts)]


def networks_of(kinds: list[str], parts: list[str], jobs: int) -> dict[str, Path]:
    """Name -> file of all networks; conversion runs in processes of its own (TensorFlow is large)."""
    found: dict[str, Path] = {}
    work = []
    for kind, all_names in (("small", small_networks()), ("random", random_networks(RANDOM_NETWORKS))):
        names = _wanted(list(all_names), parts) if kind in kinds else []
        work += [(kind, names[i::jobs]) for i in range(jobs)]
    if "written" in kinds:
        work.append(("written", _wanted(list(written()), parts)))
    if "large" in kinds:
        work += [("large", [name]) for name in _wanted(list(large_networks()), parts)]
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(_convert, work):
            found |= part
    if "real" in kinds:
        real = real_networks()
        found |= {name: real[name] for name in _wanted(list(real), parts)}
    return found


def _convert(work: tuple[str, list[str]]) -> dict[str, Path]:
    kind, names = work
    if not names:
        return {}
    if kind == "small":
        return converted(small_networks(), [TESTS / "npu" / "networks.py"], names)
    if kind == "written":
        return converted(written(), WRITTEN_SOURCES, names)
    if kind == "random":
        sources = [_HERE / "random_networks.py", _HERE / "large.py"]
        return converted(random_networks(RANDOM_NETWORKS), sources, names)
    return converted(large_networks(), [_HERE / "large.py"], names)


def run_all(found: dict[str, Path], npus: tuple[str, ...], modes: int | None, jobs: int) -> list[Row]:
    """Rows of all networks, sorted."""
    rows: list[Row] = []
    start = time.monotonic()
    left = dict(found)
    while left:
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            futures = {pool.submit(run_network, name, path, npus, modes): name for name, path in left.items()}
            try:
                for future in as_completed(futures):
                    rows += future.result()
                    left.pop(futures[future])
                    _progress(len(found) - len(left), len(found), start)
            except BrokenProcessPool:
                rows += _alone(left, npus, modes)
                left = {}
    return sorted(rows, key=lambda row: (row.network, row.npu, row.memory_mode))


def _alone(left: dict[str, Path], npus: tuple[str, ...], modes: int | None) -> list[Row]:
    """A worker was killed (an oracle aborts its process): run the rest one process a network."""
    rows: list[Row] = []
    for name, path in left.items():
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                rows += pool.submit(run_network, name, path, npus, modes).result()
            except BrokenProcessPool:
                rows.append(Row(name, "all", "all", "error", reason="the process was killed"))
    return rows


def _progress(done: int, total: int, start: float) -> None:
    if sys.stderr.isatty() or done % 20 == 0 or done == total:
        print(f"{done} of {total} networks, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
