"""The Ethos-U NPUs, read from ``npus.toml``: everything that differs between them stands there, and only there.

Here is what everybody asks for; how an NPU is built is :mod:`deploy.hardware.designs`.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError

_GAP = r"[-_/:. ]*"
_MISTYPED = 0.1
"""A size so little off (share of it) is a slip of the finger; a larger difference may be another NPU."""
_DIGITS = 9


@dataclass(frozen=True)
class Npu:
    """One NPU as ``--npu`` names it.

    Attributes:
        family: ``U55``, ``U65`` or ``U85``.
        macs: 8-bit multiply-accumulate units, all cores together: so many a clock cycle.
        config_word: CONFIG register, which is also the config word in an ``ethos-u`` operator's payload.
        system_config: default for Vela's ``--system-config`` (a section of ``Arm/vela.ini``).
        memory_mode: default for Vela's ``--memory-mode``.
        modelled: whether the NPU model executes its command streams (else it is compiled and reported only); then
            :func:`deploy.hardware.designs.design_of` says how it is built.
    """

    family: str
    macs: int
    config_word: int
    system_config: str
    memory_mode: str
    modelled: bool

    @property
    def name(self) -> str:
        """``U55-128`` and so on."""
        return f"{self.family}-{self.macs}"

    @property
    def accelerator(self) -> str:
        """Vela's ``--accelerator-config``."""
        return f"ethos-{self.name.lower()}"


@functools.cache
def npu_tables() -> Mapping[str, dict[str, Any]]:
    """What the file says of each NPU, by its name: its own entry together with its family's."""
    with Path(__file__).with_name("npus.toml").open("rb") as file:
        families: dict[str, dict[str, Any]] = tomllib.load(file)
    return {
        f"{family}-{size['macs']}": {"family": family, **shared, **size}
        for family, shared in families.items()
        for size in shared.pop("sizes")
    }


@functools.cache
def npus() -> Mapping[str, Npu]:
    """All NPUs by name, in the order of the file: smaller families and sizes first."""
    return {
        name: Npu(
            family=table["family"],
            macs=table["macs"],
            config_word=table["config"],
            system_config=table["system_config"],
            memory_mode=table["memory_mode"],
            modelled="instruction_set" in table,
        )
        for name, table in npu_tables().items()
    }


def npu_named(name: str) -> Npu:
    """Look up an NPU by the name a user typed, in any spelling: ``ethos-u55-128``, ``u55_128``, ``U55/128``.

    Raises:
        BadInputError: there is no such configuration, or several are named.
    """
    wanted = _spelled(name)
    if wanted in npus():
        return npus()[wanted]
    if "," in name or wanted == "ALL":
        raise BadInputError(
            f"--npu {name}: one NPU at a time here", hints=[f"deploy sweep MODEL --npu {name} compares several"]
        )
    raise BadInputError(f"--npu {name}: no such NPU configuration", hints=[_others(wanted)])


def _spelled(name: str) -> str:
    """A name as the file writes it, where it is one of an NPU in some spelling; else in capitals."""
    plain = name.strip().upper()
    found = _spelling().fullmatch(plain)
    return f"{found['family']}-{found['macs']}" if found else plain


@functools.cache
def _spelling() -> re.Pattern[str]:
    """Arm writes Ethos-U55-128, Vela ethos-u55-128, its FVPs U55 and H128, others ethos_u55_128 or U55 128 MAC."""
    known = "|".join(families(npus().values()))
    return re.compile(rf"(ETHOS)?{_GAP}(?P<family>{known}){_GAP}[A-Z]?(?P<macs>[0-9]+)({_GAP}MACS?)?")


def _others(wanted: str) -> str:
    """What may have been meant: the nearest name, or the sizes of the family, or all."""
    family, _, size = wanted.partition("-")
    sizes = [npu for npu in npus().values() if npu.family == family]
    if not sizes:
        import difflib  # for a mistake alone

        near = difflib.get_close_matches(wanted, npus(), n=1)
        return f"did you mean {near[0]}? known: {', '.join(npus())}" if near else f"known: {', '.join(npus())}"
    macs = int(size[:_DIGITS]) if size.isdecimal() else 0
    nearest = min(sizes, key=lambda npu: abs(npu.macs - macs))
    if macs and abs(nearest.macs - macs) < nearest.macs * _MISTYPED:
        return f"did you mean {nearest.name}? known: {', '.join(npus())}"
    elsewhere = [npu.name for npu in npus().values() if npu.macs == macs]
    also = f"; {' and '.join(elsewhere)} have {macs} multipliers" if elsewhere else ""
    return f"Ethos-{family} comes as {', '.join(npu.name for npu in sizes)}{also}"


def modelled() -> tuple[Npu, ...]:
    """The NPUs whose command streams the NPU model executes."""
    return tuple(npu for npu in npus().values() if npu.modelled)


def families(of: Iterable[Npu]) -> tuple[str, ...]:
    """The families of some NPUs, each once, in their order."""
    return tuple(dict.fromkeys(npu.family for npu in of))


def listed(of: Iterable[Npu] | None = None) -> str:
    """Some NPUs (default: all) in few words: ``U55-32 to U55-256, U65-256, U65-512``."""
    return ", ".join(_spans(npus().values() if of is None else of))


def _spans(some: Iterable[Npu]) -> Iterator[str]:
    for _, members in groupby(some, lambda npu: npu.family):
        names = [npu.name for npu in members]
        if len(names) > 2:
            yield f"{names[0]} to {names[-1]}"
        else:
            yield from names
