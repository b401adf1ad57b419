"""The pipeline from a quantized model to its figures, once: compile -> load -> place -> figures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from deploy.build_folder import Figure, OperatorRecord
from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.placement import Placement, placement_of
from deploy.compiling.safe_names import SafeNames
from deploy.compiling.vela import VelaOutput
from deploy.compiling.vela_figures import figures_of
from deploy.compiling.vela_reports import VelaLayer, parse_fallbacks, parse_layers
from deploy.debug_database import DebugDatabase
from deploy.processes import supervisor
from deploy.processes.supervisor import Run
from deploy.tflite import Model, damage_named, load


@dataclass(frozen=True, eq=False)
class Compiled:
    """What Vela made of a model; each part is read when it is first asked for.

    Attributes:
        source: the model that was compiled.
        options: what it was compiled for.
        output: what Vela wrote.
        name: of the source, in errors.
        names: what tensors were called while Vela worked: in its reports they still are.
    """

    source: Model
    options: CompileOptions
    output: VelaOutput
    name: str
    names: SafeNames = field(default_factory=SafeNames)

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
        told = (replace(each, ofm=self.names.name(each.ofm)) for each in parse_fallbacks(self.output.log))
        return placement_of(self.source, self.model, self.layers, told)

    @property
    def cpu_operators(self) -> tuple[OperatorRecord, ...]:
        """Operators of the source model that stay on the CPU."""
        return tuple(operator for operator in self.placement.operators if operator.placement == "CPU")

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """Cycles, memory and so on, see :mod:`deploy.compiling.vela_figures`."""
        return figures_of(self.output.summary, self.placement.operators, self.options, f"Vela {vela.version()}")

    def figure(self, name: str) -> float:
        """The value of a figure.

        Raises:
            KeyError: there is none of that name.
        """
        return {figure.name: figure.value for figure in self.figures}[name]


@dataclass(frozen=True)
class Compiler:
    """Compiles models with Vela.

    Attributes:
        run: what runs Vela's command: the supervisor, or a warm process.
    """

    run: Run = supervisor.run

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
        names = SafeNames.of(model)
        content = names.hidden(model.content)
        output = vela.compile_bytes(content, options, source=source, run=self.run, allocator=allocator)
        with damage_named(f"{source} (compiled)"):
            output = replace(output, model=names.restored(output.model))
        return Compiled(model, options, output, source, names)


VELA = Compiler()
"""Starts Vela's command anew for every model."""
