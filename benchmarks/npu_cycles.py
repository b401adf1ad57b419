"""Spread of the NPU model's cycle estimate around Vela's, operator by operator.

Prints for each kind of operation how many operators were compared, the median of estimate / Vela, and its 10th and
90th percentile; then the totals of the larger networks. Vela's figures are estimates too, not hardware.

    python benchmarks/npu_cycles.py [--npu U55-128 U85-256 ...] [--every 12] [--list] [MODEL.tflite ...]

By default a sample of the small networks of the tests; models on the command line are compiled as well, and
``--build FOLDER`` adds a folder that ``deploy compile`` wrote.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.chatter import silenced
from deploy.compiling import vela_program
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import Compiler
from deploy.debug_database import DebugDatabase
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.npu import Architecture
from deploy.npu.program import decode
from deploy.npu.stream.dma import DMA
from deploy.npu.stream.payload import parse_payload
from deploy.processes import warm
from deploy.tflite import Model
from deploy.tflite.compiled import npu_operators

QUANTILES = (10, 50, 90)


@dataclass
class Compared:
    """One operator of one network.

    Attributes:
        network: its name.
        npu: ``U55-128`` and so on.
        kind: of the operation.
        ours: our estimate, all its stripes together, with what is chained to it and the DMA that it waits for.
        vela: Vela's operator cycles.
    """

    network: str
    npu: str
    kind: str
    ours: int
    vela: int


def compare(name: str, compiled: Model, database: DebugDatabase, npu: str) -> tuple[list[Compared], int, int]:
    """Compare one network; also the totals of both."""
    config = npu_named(npu)
    architecture = Architecture(config.family, config.macs)
    vela = {operation.number: operation.cycles for operation in database.operations}
    ours: dict[int, int] = defaultdict(int)
    kinds: dict[int, str] = {}
    total = 0
    for number, operator in enumerate(npu_operators(compiled)):
        program = decode(parse_payload(operator.payload_bytes).stream, architecture)
        statistics = program.statistics()
        total += statistics.cycles
        waiting = 0
        for entry, visible in zip(statistics.records, statistics.visible_cycles, strict=True):
            waiting += visible
            scheduled = database.commands.get((number, entry.offset))
            if entry.kind != DMA and scheduled is not None:
                head = database.heads.get(scheduled.number, scheduled.number)
                ours[head] += waiting
                kinds.setdefault(head, entry.kind)
                waiting = 0
    found = [Compared(name, npu, kinds[key], ours[key], vela[key]) for key in ours if vela.get(key, 0)]
    return found, total, sum(vela.values())


def report(found: list[Compared]) -> None:
    groups: dict[str, list[float]] = defaultdict(list)
    for entry in found:
        ratio = entry.ours / entry.vela
        for key in (entry.kind, "all operators"):
            groups[key].append(ratio)
    print(f"{'estimate / Vela':24} {'count':>6} " + " ".join(f"{'p' + str(q):>7}" for q in QUANTILES))
    for kind in sorted(groups, key=lambda kind: (kind == "all operators", kind)):
        values = np.percentile(groups[kind], QUANTILES)
        print(f"{kind:24} {len(groups[kind]):6} " + " ".join(f"{value:7.2f}" for value in values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="quantized models, added to the small networks")
    parser.add_argument("--npu", nargs="*", default=["U55-128", "U55-256", "U65-512", "U85-256"])
    parser.add_argument("--every", type=int, default=12, help="take every Nth small network (0: none)")
    parser.add_argument("--build", nargs="*", type=Path, default=[], help="folders that `deploy compile` wrote")
    parser.add_argument("--list", action="store_true", help="print every operator")
    options = parser.parse_args()
    found: list[Compared] = []
    with tempfile.TemporaryDirectory() as folder:
        sources = [*options.models, *_small_networks(options.every, Path(folder))]
        compiler = Compiler(warm.pool(vela_program.MODULE, vela_program.IMPORTED, vela_program.LIMITS).run)
        for source, npu in itertools.product(sources, options.npu):
            try:
                compiled = compiler.compile(tflite.read(source), compile_options(npu_named(npu)))
            except BadInputError as error:
                print(f"{source.stem} on {npu}: left out: {error}")
                continue
            entries, ours, theirs = compare(source.stem, compiled.model, compiled.debug, npu)
            found += entries
            if source in options.models:
                print(f"{source.stem} on {npu}: {ours} cycles, Vela {theirs}, ratio {ours / max(theirs, 1):.2f}")
    for path in options.build:
        build = BuildFolder.open(path)
        entries, ours, theirs = compare(
            build.document.model, build.compiled_model, build.debug, build.document.npu
        )
        found += entries
        print(f"{path}: {ours} cycles, Vela {theirs}, ratio {ours / max(theirs, 1):.2f}")
    if options.list:
        for entry in found:
            ratio = entry.ours / entry.vela
            print(f"{entry.network:32} {entry.npu:8} {entry.kind:20} {entry.ours:9} {entry.vela:9} {ratio:7.3f}")
    report(found)


def _small_networks(every: int, folder: Path) -> list[Path]:
    if not every:
        return []
    from tests.npu.networks import networks

    paths = []
    for network in networks()[::every]:
        path = folder / f"{network.name}.tflite"
        with silenced():
            path.write_bytes(network.convert())
        paths.append(path)
    return paths


if __name__ == "__main__":
    main()
