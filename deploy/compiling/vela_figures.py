"""The numbers of Vela's summary that reports use, in plain units, each labelled as the estimate that it is."""

from __future__ import annotations

from deploy.build_folder import Figure, OperatorRecord
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.vela_config import installed_config
from deploy.compiling.vela_reports import Cell

_KIB = 1024


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

    def number(column: str) -> float:
        value = summary.get(column, 0)
        return float(value) if isinstance(value, int | float) else 0.0

    config = installed_config()
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
