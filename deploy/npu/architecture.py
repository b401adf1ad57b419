"""One NPU: how it is built, and the instruction set that it executes."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass, field

from deploy.hardware.designs import Design, design_of
from deploy.hardware.npus import modelled, npus
from deploy.npu.errors import UnsupportedError
from deploy.npu.instruction_set import InstructionSet

_MODULES = {"U55": "deploy.npu.u55", "U85": "deploy.npu.u85"}
"""Where the instruction sets are, under the names that ``npus.toml`` gives them."""


@dataclass(frozen=True)
class Architecture:
    """One NPU configuration.

    Raises:
        UnsupportedError: there is no such NPU, or the model does not cover it.
    """

    family: str
    macs: int
    design: Design = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        npu = npus().get(self.name)
        design = None if npu is None else design_of(npu)
        if design is None:
            known = ", ".join(npu.name for npu in modelled())
            raise UnsupportedError(f"no model of Ethos-{self.name}; known are {known}")
        object.__setattr__(self, "design", design)

    @property
    def name(self) -> str:
        """``U55-128`` and so on."""
        return f"{self.family}-{self.macs}"

    @property
    def config_word(self) -> int:
        """The CONFIG register, which is also the config word in the custom operator's payload."""
        return npus()[self.name].config_word

    @property
    def instruction_set(self) -> InstructionSet:
        """What its command streams are written in."""
        return _instruction_set(self.design.instruction_set)


@functools.cache
def _instruction_set(name: str) -> InstructionSet:
    # Imported when it is used: who has an NPU of one family does not wait for what others compute.
    found: InstructionSet = getattr(importlib.import_module(_MODULES[name]), name)
    return found


def architecture_of(config_word: int) -> Architecture:
    """The configuration that a CONFIG word describes.

    Raises:
        UnsupportedError: no known NPU has this word, or the model does not cover it.
    """
    for npu in npus().values():
        if npu.config_word == config_word:
            return Architecture(npu.family, npu.macs)
    raise UnsupportedError(f"config word {config_word:#010x} describes no known Ethos-U")
