"""Default verdicts on many networks, held to those of an earlier state: what passed and is right still passes.

    python -m strength.false_alarms -o now.json [--earlier then.json] [--jobs N] [--only TEXT]

(with ``tests`` on PYTHONPATH). The networks are the corpus, the quantized ones that others have trained (four of
MLPerf Tiny among them) and the model projects at small sizes, these two on every NPU modelled here. Each is
compiled and verified with default options. Exit status 1 when a verdict passed earlier and does not any more.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

from corpus.conversion import TESTS
from corpus.pairs import NPUS
from corpus.real import real_networks
from corpus.run import networks_of

CORPUS = ("small", "written", "random", "large")
PROJECTS = {
    "demo": "models:multihead-mobilenetv3",
    "featherface-v1": "models:featherface-v1 size=128",
    "featherface-v2": "models:featherface-v2-ultra size=128",
    "mobilenetv4": "models:mobilenetv4 size=96",
    "mobilenetv4-hybrid": "models:mobilenetv4 variant=hybrid-m size=96",
}
CACHE = TESTS.parent / "build" / "strength"
VERDICTS = CACHE / "verdicts.json"


@dataclass(frozen=True)
class Judged:
    """What came of one network on one NPU.

    Attributes:
        verdict: ``pass``, ``fail``, ``error``, or ``refused`` where it was not compiled.
        reason: in the verdict's own words.
        seconds: that compiling and verifying took.
    """

    verdict: str
    reason: str
    seconds: float


def main() -> int:
    """Judge all networks, write the verdicts, and compare."""
    parser = argparse.ArgumentParser(prog="strength.false_alarms", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="pairs whose name contains one of these, comma separated")
    parser.add_argument("--earlier", type=Path, help="verdicts to compare with, written by -o")
    parser.add_argument("-o", "--output", type=Path, default=VERDICTS)
    options = parser.parse_args()
    parts = [part for part in options.only.split(",") if part]
    return 1 if compare(options.earlier, options.jobs, options.output, parts) else 0


def compare(earlier: Path | None, jobs: int, output: Path = VERDICTS, parts: Sequence[str] = ()) -> list[str]:
    """Judge all networks (or those whose name holds one of the parts), and write and print what came of it.

    Args:
        earlier: verdicts to compare with; None for none.
        jobs: processes side by side.
        output: where the verdicts are written.
        parts: of names; none for all networks.

    Returns:
        A line for each false alarm.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # workers stand for the cores
    wanted = {name: case for name, case in pairs().items() if not parts or any(part in name for part in parts)}
    found: dict[str, Judged] = {}
    for name, judged in judged_all(wanted, jobs):
        found[name] = judged
        write(output, found)
    print(", ".join(f"{count} {verdict}" for verdict, count in Counter(j.verdict for j in found.values()).items()))
    if earlier is None:
        return []
    before = {name: judged for name, judged in read(earlier).items() if name in wanted}
    lines = alarms(before, found)
    passed = sum(judged.verdict == "pass" for judged in before.values())
    print("\n".join([*lines, f"{passed - len(lines)} of {passed} verdicts that passed earlier pass"]))
    return lines


def pairs() -> dict[str, tuple[Path, str]]:
    """``network@NPU`` -> file and NPU; the corpus takes turns among the NPUs."""
    turns = [
        (name, path, (NPUS[number % len(NPUS)],))
        for number, (name, path) in enumerate(sorted(networks_of(list(CORPUS), [], 1).items()))
    ]
    everywhere = [(name, path, NPUS) for name, path in {**real_networks(), **projects()}.items()]
    return {f"{name}@{npu}": (path, npu) for name, path, npus in (*everywhere, *turns) for npu in npus}


def projects() -> dict[str, Path]:
    """The model projects as ``.tflite``, quantized once."""
    from deploy import api
    from deploy.files import write_bytes

    found = {}
    for name, text in PROJECTS.items():
        path = found[name] = CACHE / f"{name}.tflite"
        if not path.exists():
            source, *assignments = text.split()
            trained = name == "demo"
            made = api.quantize(source, None if trained else "random", assignments=assignments)
            write_bytes(path, made.model.content)
    return found


def judged_all(wanted: Mapping[str, tuple[Path, str]], jobs: int) -> Iterator[tuple[str, Judged]]:
    """Yield name and verdict of every pair as they come; a network that ends its process is an error."""
    spawn = multiprocessing.get_context("spawn")
    left = dict(wanted)
    try:
        with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
            futures = {pool.submit(judge, path, npu): name for name, (path, npu) in wanted.items()}
            for future in as_completed(futures):
                result = future.result()
                del left[futures[future]]
                _progress(len(wanted) - len(left), len(wanted))
                yield futures[future], result
    except BrokenProcessPool:
        for name, (path, npu) in left.items():
            with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                try:
                    yield name, pool.submit(judge, path, npu).result()
                except BrokenProcessPool:
                    yield name, Judged("error", "the process was killed", 0)


def judge(path: Path, npu: str) -> Judged:
    """Compile and verify with default options."""
    from deploy import api
    from deploy.chatter import silenced
    from deploy.compiling import vela_program
    from deploy.compiling.compiler import Compiler
    from deploy.errors import DeployError
    from deploy.processes import warm

    start = time.monotonic()
    verdict, reason = "refused", ""
    with tempfile.TemporaryDirectory(prefix="deploy-strength-") as folder:
        try:
            # A warm Vela saves its start: hundreds of networks are compiled.
            compiler = Compiler(warm.pool(vela_program.MODULE, vela_program.IMPORTED).run)
            build = api.compile(path, npu, output=Path(folder) / "build", compiler=compiler)
            verdict = "error"
            with silenced():  # TFLM says on standard error what it cannot run
                document = api.verify(build)
            verdict, reason = document.verdict, document.reason
        except DeployError as error:
            reason = error.message
        except Exception as error:  # a crash is a row, not the end of the run
            verdict, reason = "error", f"crash: {type(error).__name__}: {error}"
    return Judged(verdict, reason, round(time.monotonic() - start, 2))


def alarms(earlier: Mapping[str, Judged], now: Mapping[str, Judged]) -> list[str]:
    """A line for each pair that passed earlier and does not any more, or was not judged."""
    lines = []
    for name, before in sorted(earlier.items()):
        after = now.get(name, Judged("missing", "", 0))
        if before.verdict == "pass" and after.verdict != "pass":
            lines.append(f"{name}: {after.verdict}: {after.reason}")
    return lines


def read(path: Path) -> dict[str, Judged]:
    """Verdicts that :func:`write` wrote."""
    return {name: Judged(**cells) for name, cells in json.loads(path.read_text()).items()}


def write(path: Path, found: Mapping[str, Judged]) -> None:
    """Write verdicts by name."""
    from deploy.files import write_text

    cells = {name: asdict(judged) for name, judged in sorted(found.items())}
    write_text(path, json.dumps(cells, indent=1) + "\n")


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() or done % 20 == 0 or done == total:
        print(f"{done} of {total} networks", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
