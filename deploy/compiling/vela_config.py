"""Vela's configuration file: its system configurations and memory modes, which go together, and their memories."""

from __future__ import annotations

import configparser
import difflib
import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import BadInputError, NotInstalledError
from deploy.hardware.npus import Npu

if TYPE_CHECKING:
    from deploy.hardware.designs import MemorySystem, MemoryTiming

CONFIG_FILE = "Arm/vela.ini"
_SYSTEM, _MEMORY = "System_Config.", "Memory_Mode."


@dataclass(frozen=True)
class VelaConfig:
    """The sections of ``Arm/vela.ini``, inheritance resolved."""

    systems: dict[str, dict[str, str]]
    memories: dict[str, dict[str, str]]

    def arena_memory(self, system: str, memory: str) -> str:
        """The memory in which the arena (the feature maps) lies: ``Sram``, ``Dram``, ``OffChipFlash`` ..."""
        return self._memory(system, self.memories[memory].get("arena_mem_area", "Axi0"))

    def weight_memory(self, system: str, memory: str) -> str:
        """The memory in which the weights lie."""
        return self._memory(system, self.memories[memory].get("const_mem_area", "Axi1"))

    def cache_memory(self, system: str, memory: str) -> str:
        """The memory in which feature maps are kept while they are used; often the arena's own."""
        return self._memory(system, self.memories[memory].get("cache_mem_area", "Axi0"))

    def cache_bytes(self, memory: str) -> int | None:
        """The size of the NPU's dedicated SRAM, where the memory mode gives one."""
        size = self.memories[memory].get("arena_cache_size", "")
        return int(size) if size.isdigit() else None

    def _memory(self, system: str, port: str) -> str:
        return self.systems[system].get(f"{port.lower()}_port", port)


@functools.cache
def installed_config() -> VelaConfig:
    """Read the file that comes with the installed Vela.

    Raises:
        NotInstalledError: Vela is not installed, or without its configuration.
    """
    missing = NotInstalledError("the compiler Vela is not installed", hints=["pip install ethos-u-vela==5.2.0"])
    try:
        spec = importlib.util.find_spec("ethosu.vela")
    except ModuleNotFoundError as error:
        raise missing from error
    if spec is None or spec.origin is None:
        raise missing
    path = Path(spec.origin).parent.parent / "config_files" / CONFIG_FILE
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, configparser.Error) as error:
        raise NotInstalledError(
            f"{path}: Vela's configuration cannot be read: {error}",
            hints=["pip install --force-reinstall ethos-u-vela==5.2.0"],
        ) from error
    return VelaConfig(_sections(parser, _SYSTEM), _sections(parser, _MEMORY))


def _sections(parser: configparser.ConfigParser, prefix: str) -> dict[str, dict[str, str]]:
    found = {}
    for section in parser.sections():
        if section.startswith(prefix):
            own = dict(parser[section])
            parent = own.pop("inherit", None)
            inherited = dict(parser[parent]) if parent and parser.has_section(parent) else {}
            found[section.removeprefix(prefix)] = {**inherited, **own}
    return found


def check_combination(npu: Npu, system: str, memory: str) -> None:
    """Check names and combination before Vela runs; Vela's own refusals are tracebacks.

    Raises:
        BadInputError: a name does not exist or belongs to another NPU, or the arena would be read-only.
        NotInstalledError: Vela is missing.
    """
    config = installed_config()
    own = [name for name in config.systems if name.startswith(f"Ethos_{npu.family}_")]
    if system not in config.systems:
        raise _unknown("--system-config", system, own)
    if system not in own:
        raise BadInputError(
            f"--system-config {system}: describes another NPU than {npu.name}",
            hints=[f"for {npu.name}: {', '.join(own)}"],
        )
    if memory not in config.memories:
        raise _unknown("--memory-mode", memory, [m for m in config.memories if _writable(config, system, m)])
    if not _writable(config, system, memory):
        fitting = [name for name in config.memories if _writable(config, system, name)]
        raise BadInputError(
            f"--memory-mode {memory} does not go with {npu.name} and --system-config {system}: "
            f"the arena would lie in {config.arena_memory(system, memory)}, which cannot be written",
            hints=[f"with this system: --memory-mode {' or '.join(fitting)}"],
        )


def goes_together(npu: Npu, system: str, memory: str) -> bool:
    """Whether :func:`check_combination` accepts them."""
    try:
        check_combination(npu, system, memory)
    except BadInputError:
        return False
    return True


def _writable(config: VelaConfig, system: str, memory: str) -> bool:
    return config.arena_memory(system, memory) in ("Sram", "Dram")


def _unknown(option: str, name: str, known: list[str]) -> BadInputError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return BadInputError(f"{option} {name}: there is no such section", hints=[f"{hint}known: {', '.join(known)}"])


_LABELS = {"Sram": "SRAM", "Dram": "DRAM", "OffChipFlash": "flash", "OnChipFlash": "flash"}


def memory_system(npu: Npu, system_config: str, memory_mode: str) -> MemorySystem:
    """The memories of a configuration.

    Raises:
        BadInputError: names that do not exist or do not go together, or an NPU that is not modelled.
        NotInstalledError: Vela, whose configuration file is read, is missing.
    """
    from deploy.hardware.designs import MemorySystem, MemoryTiming, U85Design, design_of  # nobody compiles by them

    design = design_of(npu)
    if design is None:
        raise BadInputError(f"the memories behind an Ethos-{npu.name} are not modelled")
    check_combination(npu, system_config, memory_mode)
    config = installed_config()
    system, port_bytes = config.systems[system_config], design.port_bytes

    def timing(memory: str) -> MemoryTiming:
        def number(option: str, default: str | None = None) -> float:
            name = f"{memory.lower()}_{option}"
            return float(system[name] if default is None else system.get(name, default))

        ports = int(number("ports_used", "1"))
        return MemoryTiming(
            _LABELS.get(memory, memory),
            port_bytes * ports * number("clock_scale"),
            int(number("burst_length")),
            int(number("read_latency")),
            int(number("write_latency")),
            ports,
            *((int(number("max_reads")), int(number("max_writes"))) if isinstance(design, U85Design) else ()),
        )

    arena = timing(config.arena_memory(system_config, memory_mode))
    fast = timing(config.cache_memory(system_config, memory_mode))
    return MemorySystem(
        timing(config.weight_memory(system_config, memory_mode)),
        arena,
        fast,
        0 if fast == arena else config.cache_bytes(memory_mode) or 0,
    )
