"""Mutated models, in process: each must give a verdict or one of our errors, and nothing takes above 2 GB.

    python mutants.py source|compiled SEED COUNT FILE.tflite...

``source`` damages the model that is compiled and judged; ``compiled`` damages what Vela made of it (the build
folder's hashes are those of the mutant), which is judged. Prints how often what came of them, as JSON.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import struct
import sys
import tempfile
from collections import Counter
from pathlib import Path

from deploy import api
from deploy.build_folder import COMPILED_MODEL, BuildFolder, sha256_of_bytes
from deploy.compiling import vela_program
from deploy.compiling.compiler import Compiler
from deploy.errors import BadInputError, DeployError
from deploy.judging.verdict import Verdict
from deploy.processes.warm import WarmPool
from deploy.tflite import load

MOST_BYTES = 2 * 1024**3
SLOW_S = 300
"""One takes Vela 24 s of processor time to run out of memory (measured), and computers are busy."""
NPU = "U55-128"
EXTREMES = (0, 1, 2, 3, 4, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The file with one to eight faults in it."""
    mutant = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(mutant) // 4) * 4
        kind = rng.randrange(8)
        if kind == 0:
            mutant[at + rng.randrange(4)] ^= 1 << rng.randrange(8)
        elif kind <= 2:
            struct.pack_into("<I", mutant, at, rng.choice((*EXTREMES, rng.getrandbits(32))))
        elif kind == 3:
            mutant[at + rng.randrange(4)] = rng.choice((0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 4:
            number = rng.choice((0.0, -1.0, 1e-30, 1e30, float("inf"), float("nan"), rng.random()))
            struct.pack_into("<f", mutant, at, number)
        elif kind == 5:
            there = rng.randrange(len(mutant) // 4) * 4
            mutant[at : at + 4] = mutant[there : there + 4]
        elif kind == 6 and at + 8 <= len(mutant):
            struct.pack_into("<q", mutant, at, rng.choice((10**14, -(10**14), -1, 1, 1 << 62)))
        else:
            del mutant[at : at + 4 * rng.randrange(1, 4)]
            mutant += bytes(-len(mutant) % 4)
    return bytes(mutant)


def verdict_of(build: BuildFolder) -> str:
    """What comes of a verification: its verdict or the name of our error."""
    verdict = api.verify(build)
    assert isinstance(verdict, Verdict)
    return verdict.verdict


def of_source(content: bytes, folder: Path, compiler: Compiler) -> str:
    """Compile and judge a mutant."""
    return verdict_of(api.compile(load(content), NPU, output=folder / "build", name="mutant", compiler=compiler))


def of_compiled(content: bytes, build: BuildFolder) -> str:
    """Judge the build with a mutant in place of its compiled model."""
    (build.path / COMPILED_MODEL).write_bytes(content)
    document = build.document.model_copy(update={"compiled_sha256": sha256_of_bytes(content)})
    (build.path / "compile.json").write_text(document.model_dump_json())
    return verdict_of(BuildFolder.open(build.path))


def peak_bytes() -> int:
    """The most memory that this process or one of its children took so far.

    For this process that is the kernel's VmHWM: ``ru_maxrss`` also holds what the process that started it (pytest
    with TensorFlow inside) had taken, since Linux keeps it across fork and exec.
    """
    status = Path("/proc/self/status").read_text()
    own_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * max(own_kb, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def main(part: str, seed: int, count: int, files: list[Path]) -> None:
    """Run mutants; ends with a traceback of the first one that breaks a promise, and its number."""

    def too_slow(*_: object) -> None:
        raise AssertionError(f"more than {SLOW_S} s")

    signal.signal(signal.SIGALRM, too_slow)
    outcomes: Counter[str] = Counter()
    pool = WarmPool(vela_program.MODULE, vela_program.IMPORTED, vela_program.LIMITS)
    compiler = Compiler(pool.run)
    with tempfile.TemporaryDirectory(prefix="deploy-mutants-") as name:
        folder = Path(name)
        sources = {file: file.read_bytes() for file in files}
        builds = {}
        if part == "compiled":
            for file, content in sources.items():
                place = folder / file.stem
                builds[file] = api.compile(load(content), NPU, output=place, name=file.stem, compiler=compiler)
                sources[file] = builds[file].compiled.read_bytes()
        for number in range(seed * count, (seed + 1) * count):
            file = files[number % len(files)]
            mutant = mutated(sources[file], random.Random(number))  # noqa: S311 - repeatable, not secret
            signal.alarm(SLOW_S)
            try:
                outcome = of_compiled(mutant, builds[file]) if builds else of_source(mutant, folder, compiler)
            except DeployError as error:
                assert error.message
                outcome = type(error).__name__ if not isinstance(error, BadInputError) else "BadInputError"
            except BaseException:
                print(f"mutant {number} of {file}", file=sys.stderr)
                raise
            signal.alarm(0)
            if peak_bytes() > MOST_BYTES:
                raise AssertionError(f"mutant {number} of {file}: {peak_bytes() >> 20} MB, {outcome}")
            outcomes[outcome] += 1
    pool.close()  # what it took counts when it has ended
    assert peak_bytes() <= MOST_BYTES, f"{peak_bytes() >> 20} MB"
    print(json.dumps({"mutants": count, "peak_mb": peak_bytes() >> 20, **outcomes}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [Path(word) for word in sys.argv[4:]])
