"""The pipeline from a quantized model to its figures, once: compile -> load -> place -> figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deploy.build_folder import Figure, OperatorRecord
from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.placement import Placement, placement_of
from deploy.compiling.vela import VelaOutput
from deploy.compiling.vela_reports import VelaLayer, figures_of, parse_fallbacks, parse_layers
from deploy.debug_database import DebugDatabase
from deploy.processes.supervisor import Ended, RunCommand
from deploy.tflite import Model, load


@dataclass(frozen=True, eq=False)
class Compiled:
    """What Vela made of a model; each part is read when it is first asked for."""

    source: Model
    options: CompileOptions
    output: VelaOutput
    name: str

    @cached_property
    def model(self) -> Model:
        """Vela's output.

        Raises:
            BadInputError: it is damaged.
        """
        return load(self.output.model, source=f"{self.name} (compiled)")

    @cached_property
    def debug(self) -> DebugDatabase:
        """Vela's debug database."""
        return DebugDatabase(self.output.debug)

    @cached_property
    def layers(self) -> tuple[VelaLayer, ...]:
        """Vela's per-layer report."""
        return parse_layers(self.output.per_layer, self.debug.operations)

    @cached_property
    def placement(self) -> Placement:
        """Where every operator of the source model runs."""
        return placement_of(self.source, self.model, self.layers, parse_fallbacks(self.output.log))

    @property
    def cpu_operators(self) -> tuple[OperatorRecord, ...]:
        """Operators of the source model that stay on the CPU."""
        return tuple(operator for operator in self.placement.operators if operator.placement == "CPU")

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """Cycles, memory and so on, see :mod:`deploy.compiling.vela_reports`."""
        return figures_of(self.output.summary, self.placement.operators, self.options, f"Vela {vela.version()}")

    def figure(self, name: str) -> float:
        """The value of a figure.

        Raises:
            KeyError: there is none of that name.
        """
        return {figure.name: figure.value for figure in self.figures}[name]


class Timed:
    """Runs commands, and notes how long the last one took.

    Args:
        run: what runs them.
        began: value of the monotonic clock at which the first one was started ahead; None where it was not.

    Attributes:
        seconds: that the last command took.
    """

    def __init__(self, run: RunCommand, began: float | None = None) -> None:
        self._run, self._began = run, began
        self.seconds = 0.0

    def __call__(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        """Run a command in a folder and wait for its end."""
        began, self._began = self._began or time.monotonic(), None
        ended = self._run(command, folder, timeout_s=timeout_s)
        self.seconds = time.monotonic() - began
        return ended


@dataclass(frozen=True)
class Compiler:
    """Compiles models with Vela.

    Attributes:
        run: what runs Vela's command: a process of its own, or a warm one.
    """

    run: RunCommand = vela.run

    def compile(
        self, model: Model, options: CompileOptions, *, source: str = "the model", allocator: str | None = None
    ) -> Compiled:
        """Compile a model.

        Args:
            model: quantized.
            options: what to compile for.
            source: names the model in errors.
            allocator: of Vela's tensor allocators another one than its own choice.

        Raises:
            BadInputError: Vela refuses the model, crashes, does not end in time, or writes no result.
            NotInstalledError: Vela is missing.
        """
        output = vela.compile_bytes(model.content, options, source=source, run=self.run, allocator=allocator)
        return Compiled(model, options, output, source)


VELA = Compiler()
"""Starts Vela's command anew for every model."""
