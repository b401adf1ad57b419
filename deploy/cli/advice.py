"""Advice beside a compilation and for a build that exists: an extra, which never makes a command fail."""

from __future__ import annotations

import contextlib
import shlex
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.errors import BadInputError, DeployError

if TYPE_CHECKING:
    from deploy.advising.documents import AdviceDocument, Hint, Level
    from deploy.advising.quick import Candidates
    from deploy.build_folder import BuildFolder
    from deploy.compiling.compile_options import CompileOptions
    from deploy.processes.supervisor import RunCommand
    from deploy.tflite import Model
    from deploy.zoo.model_source import ModelSource

LEVELS = ("none", "quick", "full")
QUICK_S = 30.0
"""Seconds that quick advice may take; it takes a fraction of one."""


def advice_level(asked: str | None) -> Level | None:
    """The level that was asked for, ``quick`` where nothing was said; None for no advice.

    Raises:
        BadInputError: there is no such level.
    """
    level = asked or LEVELS[1]
    if level not in LEVELS:
        raise BadInputError(f"--advice {level}: choose {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
    return None if level == "none" else "full" if level == "full" else "quick"


class Advising:
    """Finds hints for a model, in a thread that runs while the caller compiles it.

    Whoever makes it has to :meth:`join` it in the end, after what runs Vela was closed: then nothing stays behind.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._found: Candidates | None = None
        self._hints: list[Hint] = []
        self._notes: list[str] = []

    def start(
        self,
        model: Model,
        options: CompileOptions,
        level: Level,
        *,
        target: str,
        run: RunCommand,
        source: ModelSource | None = None,
    ) -> None:
        """Begin.

        Args:
            model: quantized.
            options: what it is compiled for.
            level: ``quick`` or ``full``.
            target: the quantized model's file, for the command that rewrites it.
            run: runs Vela's command, beside others.
            source: the model as the user named it; None where only the quantized one is there.
        """
        self._model, self._options, self._level = model, options, level
        self._optimize, self._run, self._source = _optimize(target, options), run, source
        self._thread = threading.Thread(target=self._quick, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until nothing runs any more."""
        if self._thread is not None:
            self._thread.join()

    def _quick(self) -> None:
        with self._noted():
            from deploy.advising.full import Deadline
            from deploy.advising.quick import candidates, quick_hints
            from deploy.compiling.compiler import Compiler
            from deploy.tflite.graph import Graph

            self._found = candidates(Graph(self._model))
            compiler = Compiler(Deadline(self._run, QUICK_S).run)
            self._hints += quick_hints(self._found, self._options, optimize=self._optimize, compiler=compiler)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Make a note of what goes wrong: a compilation does not fail because its advice does."""
        try:
            yield
        except DeployError as error:
            self._notes.append(error.message)
        except Exception as error:
            self._notes.append(f"{type(error).__name__}: {error}")

    def finish(self, build: BuildFolder, *, quiet: bool = False) -> AdviceDocument | None:
        """Wait for the hints and keep them in the build folder.

        Args:
            build: the model, compiled.
            quiet: say nothing meanwhile.

        Returns:
            The advice; None where none was begun, or it could not be kept.
        """
        from deploy.advising.documents import AdviceDocument
        from deploy.advising.full import network_costs
        from deploy.advising.quick import telling
        from deploy.build_folder import ADVICE_DOCUMENT
        from deploy.cli.console import note
        from deploy.files import write_text

        if self._thread is None:
            return None
        self.join()
        if self._level == "full":
            with self._noted():
                self._full(build, quiet=quiet)
        document = AdviceDocument(
            level=self._level,
            compiled_sha256=build.document.compiled_sha256,
            hints=telling(self._hints, network_costs(build.document.figures)),
            notes=tuple(self._notes),
        )
        try:
            write_text(build.path / ADVICE_DOCUMENT, document.model_dump_json(indent=2) + "\n")
        except BadInputError as error:
            note(f"the build folder does not keep the advice: {error.message}", quiet=quiet)
            return None
        return document

    def _full(self, build: BuildFolder, *, quiet: bool) -> None:
        from deploy.advising.full import SECONDS, Deadline, full_hints, network_costs, reconciled
        from deploy.zoo import model_source

        def say(what: str) -> None:
            if not quiet:
                print(f"deploy: advice: trying {what}", file=sys.stderr, flush=True)

        if self._found is None:
            return
        limit = Deadline(self._run, SECONDS)
        hints, notes = full_hints(
            self._model, self._found, self._options, optimize=self._optimize, limit=limit, say=say
        )
        self._hints, left_out = reconciled(self._hints, hints)
        self._notes += [*notes, *left_out]
        if self._source is None or not model_source.has_size(self._source):
            return
        from deploy.advising.input_size import largest_input
        from deploy.cli.fitting import builder
        from deploy.compiling.compiler import Compiler

        hint = largest_input(
            builder(self._source),
            self._model.input_tensors[0].shape[1],
            network_costs(build.document.figures).sram_bytes or 0,
            self._options,
            self._source.text,
            Compiler(self._run),
            seconds=SECONDS,
            say=lambda words: say(words.removeprefix("trying ")),
        )
        self._hints += [hint] if hint is not None else []


def _optimize(target: str, options: CompileOptions) -> str:
    """The command that rewrites a model for these options."""
    words = ["deploy", "optimize", target, "--npu", options.npu.name]
    if options.system_config != options.npu.system_config:
        words += ["--system-config", options.system_config]
    if options.memory_mode != options.npu.memory_mode:
        words += ["--memory-mode", options.memory_mode]
    if options.optimise != "Performance":
        words += ["--optimise", options.optimise]
    return shlex.join(words)


def advise_build(build: BuildFolder, level: Level, *, quiet: bool = False) -> None:
    """Find hints for a build that exists, and keep them in its folder and its HTML report.

    Raises:
        BadInputError: its model is damaged, or its options are none that this deploy knows.
        NotInstalledError: Vela is missing.
    """
    from deploy import tflite
    from deploy.cli.html_report import refresh_report
    from deploy.cli.latency import starting_vela
    from deploy.compiling.compile_options import compile_options
    from deploy.compiling.fitting import board_sram
    from deploy.hardware.npus import npu_named

    document = build.document
    npu, limit = npu_named(document.npu), document.sram_limit
    options = compile_options(
        npu,
        system_config=document.system_config,
        memory_mode=document.memory_mode,
        optimise=document.optimise,
        sram_limit=None if limit == board_sram(npu) else limit,
    )
    advising = Advising()
    try:
        with starting_vela(twin=True) as run:
            model = tflite.read(build.source)
            advising.start(model, options, level, target=str(build.source), run=run)
            advising.finish(build, quiet=quiet)
    finally:
        advising.join()
    refresh_report(build, quiet=quiet)
