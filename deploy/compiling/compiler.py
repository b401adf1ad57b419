"""The pipeline from a quantized model to its figures, once: compile -> load -> place -> figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from deploy.build_folder import Figure, OperatorRecord
from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.placement import Placement, placement_of
from deploy.compiling.safe_names import SafeNames
from deploy.compiling.vela import VelaOutput
from deploy.compiling.vela_config import installed_config
from deploy.compiling.vela_reports import Cell, VelaLayer, parse_fallbacks, parse_layers, summary_number
from deploy.debug_database import DebugDatabase
from deploy.processes.supervisor import Ended, RunCommand
from deploy.tflite import Model, damage_named, load
from deploy.tflite.initialisation import initialised_first
from deploy.tflite.state import has_resources

_KIB = 1024


@dataclass(frozen=True, eq=False)
class Compiled:
    """What Vela made of a model; each part is read when it is first asked for.

    Attributes:
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
        """Cycles, memory and so on, see :func:`figures_of`."""
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
        names = SafeNames.of(model)
        content = names.hidden(model.content)
        output = vela.compile_bytes(content, options, source=source, run=self.run, allocator=allocator)
        with damage_named(f"{source} (compiled)"):
            restored = names.restored(output.model)
            if has_resources(model):
                restored = initialised_first(load(restored))
            output = replace(output, model=restored)
        return Compiled(model, options, output, source, names)


VELA = Compiler()
"""Starts Vela's command anew for every model."""


def figures_of(
    summary: dict[str, Cell], operators: tuple[OperatorRecord, ...], options: CompileOptions, tool: str
) -> tuple[Figure, ...]:
    """Figures of a compilation.

    Args:
        summary: the row of Vela's summary CSV.
        operators: of the source model, with their placement.
        options: what was compiled for.
        tool: ``Vela 5.2.0``, named as the source of every figure.
    """
    config, number = installed_config(), partial(summary_number, summary)
    on_chip_flash = number("on_chip_flash_memory_used")
    sram = number("sram_memory_used")
    flash = number("off_chip_flash_memory_used")
    sram_traffic, flash_traffic = number("sram_total_bytes"), number("off_chip_flash_total_bytes")
    if config.weight_memory(options.system_config, options.memory_mode) == "Sram":
        # With Sram_Only, Vela counts the weights as on-chip flash although they lie in the SRAM.
        sram, sram_traffic = sram + on_chip_flash, sram_traffic + number("on_chip_flash_total_bytes")
    else:
        flash, flash_traffic = flash + on_chip_flash, flash_traffic + number("on_chip_flash_total_bytes")
    cpu = sum(operator.placement == "CPU" for operator in operators)
    values = [
        ("inference_time", number("inference_time") * 1000, "ms"),
        ("core_clock", number("core_clock") / 1e6, "MHz"),
        ("npu_cycles", number("cycles_npu"), "cycles"),
        ("total_cycles", number("cycles_total"), "cycles"),
        ("macs", number("nn_macs"), "MAC"),
        ("sram_peak", round(sram * _KIB), "bytes"),
        ("flash", round(flash * _KIB), "bytes"),
        ("dram_peak", round(number("dram_memory_used") * _KIB), "bytes"),
        ("weights_original", number("total_original_weights"), "bytes"),
        ("weights_compressed", number("total_npu_encoded_weights"), "bytes"),
        ("sram_bandwidth", sram_traffic, "bytes/inference"),
        ("flash_bandwidth", flash_traffic, "bytes/inference"),
        ("dram_bandwidth", number("dram_total_bytes"), "bytes/inference"),
        ("cpu_operators", cpu, "operators"),
        ("npu_operators", len(operators) - cpu, "operators"),
    ]
    return tuple(
        Figure(name=name, value=value, unit=unit, label="estimate", source=f"{tool} summary")
        for name, value, unit in values
    )
