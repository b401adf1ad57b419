"""Parameters of Arm's FVPs that have no effect on the open machine, read from ``fvp_parameters.toml``."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Value = int | bool | str

_TYPES = ("bool", "int", "string")


@dataclass(frozen=True)
class FvpParameter:
    """A parameter as the file says it.

    Attributes:
        name: ``instance.parameter``.
        default: its type is the parameter's type.
        text: what it is.
        choices: all values; empty for no such limit.
        low: smallest integer.
        high: largest integer.
        note: what there is instead.
        refused: why another value than the default is refused; empty where it is accepted without effect.
        up_to: integers up to this one are had; None where only the default is.
    """

    name: str
    default: Value
    text: str
    choices: tuple[Value, ...]
    low: int
    high: int
    note: str
    refused: str
    up_to: int | None


def without_effect(
    fill_ins: Mapping[str, str | int], uarts: Iterable[int], terminals: Iterable[int]
) -> Iterator[FvpParameter]:
    """All parameters of the file, for one board.

    Args:
        fill_ins: what its placeholders stand for.
        uarts: numbers of the UARTs.
        terminals: numbers of those that have a terminal.
    """
    several = {
        "{uart}": [f"{fill_ins['board']}.uart{number}" for number in uarts],
        "{terminal}": [f"{fill_ins['board']}.telnetterminal{number}" for number in terminals],
    }
    for instance, entries in _data().items():
        if instance in ("families", "others"):
            continue
        for named in several.get(instance) or [instance.format(**fill_ins)]:
            for name, entry in entries.items():
                yield _parameter(f"{named}.{name}", entry, fill_ins)


def families(instances: Mapping[str, str]) -> dict[str, str]:
    """First words of parameters that are accepted without effect whatever they are -> what there is instead."""
    return {prefix.format(**instances): note for prefix, note in _data()["families"].items()}


def other_fvps() -> dict[str, str]:
    """First word of parameters that other FVPs have -> their names."""
    return dict(_data()["others"])


@functools.cache
def _data() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def _parameter(name: str, entry: Mapping[str, Any], fill_ins: Mapping[str, str | int]) -> FvpParameter:
    kind = next(kind for kind in _TYPES if kind in entry)

    def filled(value: Value) -> Value:
        return int(value.format(**fill_ins)) if kind == "int" and isinstance(value, str) else value

    return FvpParameter(
        name=name,
        default=filled(entry[kind]),
        text=entry["text"],
        choices=tuple(entry.get("choices", ())),
        low=entry.get("low", 0),
        high=entry.get("high", 0xFFFFFFFF),
        note=entry.get("note", "").format(**fill_ins),
        refused=entry.get("refused", ""),
        up_to=int(filled(entry["up_to"])) if "up_to" in entry else None,
    )
