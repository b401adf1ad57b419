"""Single-bit flips in what Vela compiled: which of those that change an answer does a default run find?

A flip is effective when any element of any output changes on any of 256 inputs. Of the effective ones, the verdict
of three default runs is asked for: ``verify`` of the damaged build; ``compile`` and, where that is content,
``run-fvp``, where Vela had written the damaged model; ``run-fvp`` of a build that was damaged after it was
compiled, its document with it. The target of ``run-fvp`` is the NPU model on this host, which the open
Corstone-300 runs as well: only so are hundreds of runs done in minutes. A few go through the command line and a
boot, to see that both say the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from deploy import api
from deploy.build_folder import COMPILE_DOCUMENT, BuildFolder, sha256_of_bytes
from deploy.chatter import silenced
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import Compiler, Timed
from deploy.errors import DeployError
from deploy.hardware.npus import npu_named
from deploy.judging.origin import FirmwareRecord, Origin, Platform
from deploy.judging.samples import Stacked
from deploy.judging.verdict import Verdict
from deploy.judging.verification_record import MiscompiledError
from deploy.processes import supervisor
from deploy.processes.supervisor import Ended
from deploy.tflite import load, read
from deploy.verifying.build_check import BuildCheck
from deploy.verifying.host_session import HostSession

from .networks import NPU, Network, batches, judging_inputs, network
from .places import KINDS, places

HARMLESS, REFUSED, CHANGED = "harmless", "refused", "effective"
VERIFY, COMPILE, RUN = "verify", "compile, run-fvp", "run-fvp"
RUNS = (VERIFY, COMPILE, RUN)
_PASS, _CRASH = "pass", "crash"
_BATCH = 32


@dataclass(frozen=True)
class Flip:
    """One bit, and what became of it.

    Attributes:
        network: name.
        kind: of what it is in: one of :data:`strength.places.KINDS`.
        offset: of its byte in the compiled file.
        bit: in the byte, 0 the lowest.
        effect: :data:`HARMLESS`, :data:`REFUSED` when the NPU model runs it no more, or :data:`CHANGED`.
        said: what each default run says, where an answer changed; its reason begins with ``pass`` if it passed.
    """

    network: str
    kind: str
    offset: int
    bit: int
    effect: str = ""
    said: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def place(self) -> str:
        """For people."""
        return f"{self.kind}, byte {self.offset}, bit {self.bit}"

    def found_by(self, run: str) -> bool:
        """Whether a default run ends with another exit status than 0."""
        return not self.said[run].startswith((_PASS, _CRASH))

    def applied(self, content: bytes) -> bytes:
        """A copy of a file with the bit flipped."""
        changed = bytearray(content)
        changed[self.offset] ^= 1 << self.bit
        return bytes(changed)


class FlippingVela:
    """What runs Vela's command, with a defect: one bit of what it writes is flipped. Vela itself runs once.

    Attributes:
        flip: what is flipped next; None for nothing.
        seconds: that Vela took.
    """

    def __init__(self) -> None:
        self.flip: Flip | None = None
        self._vela = Timed(supervisor.run)
        self._kept: tuple[Ended, dict[str, bytes]] | None = None

    @property
    def seconds(self) -> float:
        """That Vela took."""
        return self._vela.seconds

    def __call__(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        """Compile the only model that it is given."""
        output = folder / "out"
        if self._kept is None:
            ended = self._vela(command, folder, timeout_s=timeout_s)
            self._kept = ended, {path.name: path.read_bytes() for path in output.iterdir()}
        ended, files = self._kept
        output.mkdir(exist_ok=True)
        for name, content in files.items():
            flipped = self.flip is not None and name.endswith(".tflite")
            (output / name).write_bytes(self.flip.applied(content) if flipped and self.flip else content)
        return ended


def chosen(name: str, build: BuildFolder, count: int, seed: int) -> list[Flip]:
    """Random bits, as many of each kind; the same for the same file and seed."""
    rng = np.random.default_rng([seed, *name.encode()])
    found = places(build.compiled_model, npu_named(NPU)).offsets
    kinds = [kind for kind in KINDS if kind in found]
    lists = {kind: sorted(found[kind]) for kind in kinds}
    flips = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        flips.append(Flip(name, kind, lists[kind][rng.integers(len(lists[kind]))], int(rng.integers(8))))
    return flips


class Campaign:
    """Flips in one network.

    Args:
        name: one of :data:`strength.networks.NAMES`.
        folder: for build folders.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._network: Network = network(name)
        self._folder = folder
        self._vela = FlippingVela()
        self.build = self._compiled(folder / "build")
        self._inputs, self.source = judging_inputs(name, self.build)
        self._answers = HostSession(self.build.compiled_model, npu_named(NPU)).outputs(self._inputs)

    def judged(self, flip: Flip) -> Flip:
        """The flip with its effect, and what every default run says of it."""
        effect = self._effect(flip.applied(self.build.compiled_model.content))
        runs = {VERIFY: self.verify, COMPILE: self.compile, RUN: self.run_fvp}
        said = {name: run(flip) for name, run in runs.items()} if effect == CHANGED else {}
        return dataclasses.replace(flip, effect=effect, said=said)

    def _effect(self, content: bytes) -> str:
        try:
            session = HostSession(load(content), npu_named(NPU))
            for part, expected in zip(batches(self._inputs, _BATCH), batches(self._answers, _BATCH), strict=True):
                if not _equal(session.outputs(part), expected):
                    return CHANGED
        except DeployError:
            return REFUSED
        return HARMLESS

    @contextlib.contextmanager
    def damaged(self, flip: Flip) -> Iterator[BuildFolder]:
        """A copy of the build folder with the flip in it, and a document that fits it."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            path = Path(name) / "build"
            shutil.copytree(self.build.path, path)
            before = self.build.compiled_model.content
            after = flip.applied(before)
            (path / self.build.compiled.name).write_bytes(after)
            document = (path / COMPILE_DOCUMENT).read_text()
            fitting = document.replace(sha256_of_bytes(before), sha256_of_bytes(after))
            (path / COMPILE_DOCUMENT).write_text(fitting)
            yield BuildFolder.open(path)

    def verify(self, flip: Flip) -> str:
        """What ``verify`` says of the damaged build."""
        with self.damaged(flip) as build:
            return _said(lambda: api.verify(build))

    def run_fvp(self, flip: Flip) -> str:
        """What ``run-fvp`` says of the damaged build."""
        with self.damaged(flip) as build:
            return _said(lambda: self._run(build))

    def compile(self, flip: Flip) -> str:
        """What ``compile`` says when Vela wrote the damaged model, and ``run-fvp`` of that build if it is content.

        The check of the operators may take as long as Vela took, as in every compilation.
        """
        self._vela.flip = flip
        with tempfile.TemporaryDirectory(dir=self._folder) as name:

            def compiled() -> Verdict:
                build = self._compiled(Path(name) / "build")
                record = BuildCheck(build, self._vela.seconds).finish()
                if record.faults:
                    raise MiscompiledError(build, record)
                return self._run(build)

            return _said(compiled)

    def _run(self, build: BuildFolder) -> Verdict:
        with mock.patch("deploy.targets.target_run.Session", HostTarget):
            return api.run(build).verdict

    def _compiled(self, output: Path) -> BuildFolder:
        model, options = self._network.model, compile_options(npu_named(NPU))
        read_from = model if isinstance(model, Path) else None
        chosen_model = read(model) if isinstance(model, Path) else model
        compiler = Compiler(self._vela)
        return api.write_build(chosen_model, options, output=output, compiler=compiler, read_from=read_from)

    def disagreements(self, flips: Sequence[Flip]) -> list[str]:
        """Run the first effective flip of every kind through the command line, with a boot.

        Returns:
            A line for each that ends otherwise than what was said before.
        """
        lines = []
        for kind in KINDS:
            flip = next((flip for flip in flips if flip.kind == kind and flip.said), None)
            if flip is None:
                continue
            with self.damaged(flip) as build:
                for words in (["verify", str(build.path)], ["run-fvp", str(build.path), "--fvp", "open"]):
                    command = [sys.executable, "-P", "-m", "deploy", *words, "-q"]
                    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
                    if (done.returncode != 0) is not flip.found_by(words[0]):
                        said = f"{words[0]} says {flip.said[words[0]]}, as a command {done.stderr.strip()}"
                        lines.append(f"{flip.network}: {flip.place}: {said} (exit status {done.returncode})")
        return lines


class HostTarget(HostSession):
    """The NPU model on this host where ``run-fvp`` expects its target."""

    simulator = None

    def __init__(self, build: BuildFolder, _options: object) -> None:
        super().__init__(build.compiled_model, npu_named(build.document.npu))
        self.origin = Origin(
            Platform(kind="open", executable="the NPU model", version="", npu=build.document.npu),
            FirmwareRecord(kind="runner", path="", sha256=""),
        )

    def get_ready(self) -> None:
        """There is no machine to start."""


def _said(run: Callable[[], Verdict]) -> str:
    with silenced():
        try:
            verdict = run()
        except DeployError as error:
            return f"error: {error.message}"
        except Exception as error:  # no verdict: it counts as not found
            return f"{_CRASH}: {type(error).__name__}: {error}"
    checked = verdict.operator_check
    return f"{verdict.verdict}: {verdict.reason} ({checked.operators} operators on {checked.inputs} inputs)"


def _equal(some: Stacked, other: Stacked) -> bool:
    return all(np.array_equal(array, other[name]) for name, array in some.items())
