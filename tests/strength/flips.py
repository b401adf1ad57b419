"""Single-bit flips in what Vela compiled: which of those that change an answer does a default run find?

A flip is effective when any element of any output changes on any of 256 inputs. Of the effective ones, the verdict
of three default runs is asked for: ``verify`` of the damaged build; ``compile`` where Vela had written the damaged
model; and ``run-fvp`` of a build that was damaged after it was compiled, its document with it. The target of
``run-fvp`` is the NPU model on this host, which the open Corstone-300 runs as well: only so are hundreds of runs
done in minutes. A few go through the command line and a boot, to see that both say the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from deploy import api
from deploy.build_folder import COMPILE_DOCUMENT, BuildFolder, sha256_of_bytes
from deploy.chatter import silenced
from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.compiler import Compiled, Compiler
from deploy.errors import DeployError
from deploy.hardware.npus import npu_named
from deploy.judging.origin import FirmwareRecord, Origin, Platform
from deploy.judging.samples import Stacked
from deploy.processes import warm
from deploy.tflite import Model, load
from deploy.verifying.host_session import HostSession

from .networks import NPU, Network, batches, judging_inputs, network
from .places import KINDS, places

_BATCH = 32


@dataclass(frozen=True)
class Flip:
    """One bit, and what became of it.

    Attributes:
        network: name.
        kind: of what it is in: one of :data:`strength.places.KINDS`.
        offset: of its byte in the compiled file.
        bit: in the byte, 0 the lowest.
        effect: ``none``; ``refused``, when the NPU model runs it no more; or ``changed``.
        found: default run -> whether its exit status would not be 0; where it changes something.
        said: default run -> what it said.
    """

    network: str
    kind: str
    offset: int
    bit: int
    effect: str = ""
    found: dict[str, bool] = dataclasses.field(default_factory=dict)
    said: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Flipping(Compiler):
    """Vela with a defect: flips one bit of what it writes; Vela itself runs once.

    Attributes:
        kept: by what was compiled.
        offset: of the byte; None for none.
        bit: in the byte.
    """

    kept: dict[tuple[str, CompileOptions, str | None], vela.VelaOutput] = dataclasses.field(default_factory=dict)
    offset: int | None = None
    bit: int = 0

    def compile(
        self, model: Model, options: CompileOptions, *, source: str = "the model", allocator: str | None = None
    ) -> Compiled:
        """Compile, and flip."""
        key = sha256_of_bytes(model.content), options, allocator
        if key not in self.kept:
            self.kept[key] = super().compile(model, options, source=source, allocator=allocator).output
        output = self.kept[key]
        if self.offset is not None:
            output = dataclasses.replace(output, model=flipped(output.model, self.offset, self.bit))
        return Compiled(model, options, output, source)


def flipped(content: bytes, offset: int, bit: int) -> bytes:
    """A copy with one bit flipped."""
    changed = bytearray(content)
    changed[offset] ^= 1 << bit
    return bytes(changed)


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
        self._compiler = Flipping(warm.pool(vela.MODULE, vela.IMPORTED).run)
        self.build = api.compile(self._network.model, NPU, output=folder / "build", compiler=self._compiler)
        self._inputs, self.source = judging_inputs(name, self.build)
        self._answers = HostSession(self.build.compiled_model, npu_named(NPU)).outputs(self._inputs)

    def judged(self, flip: Flip) -> Flip:
        """The flip with its effect, and what every default run says of it."""
        effect = self._effect(flipped(self.build.compiled_model.content, flip.offset, flip.bit))
        found, said = {}, {}
        if effect == "changed":
            for name, words in (
                ("verify", self.verify(flip)),
                ("compile", self.compile(flip)),
                ("run-fvp", self.run_fvp(flip)),
            ):
                found[name], said[name] = words is not None, words or ""
        return dataclasses.replace(flip, effect=effect, found=found, said=said)

    def _effect(self, content: bytes) -> str:
        try:
            session = HostSession(load(content), npu_named(NPU))
            for part, expected in zip(batches(self._inputs, _BATCH), batches(self._answers, _BATCH), strict=True):
                if not _equal(session.outputs(part), expected):
                    return "changed"
        except DeployError:
            return "refused"
        return "none"

    @contextlib.contextmanager
    def damaged(self, flip: Flip) -> Iterator[BuildFolder]:
        """A copy of the build folder with the flip in it, and a document that fits it."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            path = Path(name) / "build"
            shutil.copytree(self.build.path, path)
            before = self.build.compiled_model.content
            after = flipped(before, flip.offset, flip.bit)
            (path / self.build.compiled.name).write_bytes(after)
            document = (path / COMPILE_DOCUMENT).read_text()
            fitting = document.replace(sha256_of_bytes(before), sha256_of_bytes(after))
            (path / COMPILE_DOCUMENT).write_text(fitting)
            yield BuildFolder.open(path)

    def verify(self, flip: Flip) -> str | None:
        """What ``verify`` says of the damaged build; None when it passes."""
        with self.damaged(flip) as build:
            return _said(lambda: api.verify(build))

    def run_fvp(self, flip: Flip) -> str | None:
        """What ``run-fvp`` says of the damaged build; None when it passes."""
        with self.damaged(flip) as build, mock.patch("deploy.targets.target_run.Session", HostTarget):
            return _said(lambda: api.run(build).verdict)

    def compile(self, flip: Flip) -> str | None:
        """What ``compile`` says when Vela wrote the damaged model; None when it is content."""
        compiler = dataclasses.replace(self._compiler, offset=flip.offset, bit=flip.bit)
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            return _said(
                lambda: api.compile(self._network.model, NPU, output=Path(name) / "build", compiler=compiler)
            )


class HostTarget(HostSession):
    """The NPU model on this host where ``run-fvp`` expects its target."""

    simulator = None

    def __init__(self, build: BuildFolder, _options: object) -> None:
        super().__init__(build.compiled_model, npu_named(build.document.npu))
        self.origin = Origin(
            Platform(kind="open", executable="the NPU model", version="", npu=build.document.npu),
            FirmwareRecord(kind="runner", path="", sha256=""),
        )


def _said(run: Any) -> str | None:
    with silenced():
        try:
            done = run()
        except DeployError as error:
            return error.message
    return None if getattr(done, "exit_status", 0) == 0 else str(done.reason)


def _equal(some: Stacked, other: Stacked) -> bool:
    return all(np.array_equal(array, other[name]) for name, array in some.items())
