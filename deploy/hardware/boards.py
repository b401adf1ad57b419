"""Reads ``fvp/``: what Arm's FVPs are called, where they lie, how their parameters differ by board and release."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError

_PACKAGE = "deploy.fvp"
Version = tuple[int, int]
_RELEASE = re.compile(r"Fast Models \[(\d+)\.(\d+)")


@dataclass(frozen=True)
class Release:
    """How parameters are named from a release on.

    Attributes:
        since: the first release, ``(11, 14)``.
        macs: parameter -> value that chooses the NPU's multiply-accumulate units; ``{macs}`` stands for them.
        functional: parameter -> value for results without cycle accuracy; empty where there is no such mode.
    """

    since: Version
    macs: Mapping[str, str]
    functional: Mapping[str, str]


@dataclass(frozen=True)
class BoardRunner:
    """What Arm's prebuilt TFLM runner for a board can hold.

    Attributes:
        subsystem: ``sse-300``: part of its folder's name.
        memory_modes: first letters of the names of Vela's memory modes that it is built for.
        arena: Vela's figure that its tensor arena has to hold.
        sram_bytes: SRAM for the NPU beside the arena; None where the arena itself is in SRAM.
    """

    subsystem: str
    memory_modes: tuple[str, ...]
    arena: str
    sram_bytes: int | None = None


@dataclass(frozen=True)
class Board:
    """A board of Arm's with an NPU, as its FVP models it.

    Attributes:
        name: ``Corstone-300``.
        npu_family: ``U55``, ``U65`` or ``U85``.
        macs: sizes of the NPU that it can model.
        executables: file names, the FVP before the Arm Virtual Hardware build.
        roots: folders that installers use; ``~`` stands for the home folder.
        runner: Arm's prebuilt firmware for it.
        open: whether the open Corstone-300 models it.
        instances: ``board``, ``cpu`` and ``npu`` -> instance in the FVP.
        parameters: sent with every run.
        releases: newest first.
    """

    name: str
    npu_family: str
    macs: tuple[int, ...]
    executables: tuple[str, ...]
    roots: tuple[str, ...]
    runner: BoardRunner
    open: bool
    instances: Mapping[str, str]
    parameters: Mapping[str, str]
    releases: tuple[Release, ...]

    def release(self, version: Version | None) -> Release:
        """The naming that holds for a release; the newest for None."""
        if version is None:
            return self.releases[0]
        return next((release for release in self.releases if release.since <= version), self.releases[-1])

    def named(self, name: str, **values: object) -> str:
        """A parameter's name or value with the instances (and ``values``) filled in."""
        return name.format(**self.instances, **values)

    def search_roots(self) -> tuple[Path, ...]:
        """The folders that installers use."""
        return tuple(Path(root).expanduser() for root in self.roots)


@dataclass(frozen=True)
class TimeLimit:
    """How long a run may take, from Vela's estimate of its cycles."""

    base_s: float
    accurate_us_per_cycle: float
    functional_us_per_cycle: float

    def seconds(self, cycles: float, *, accurate: bool) -> float:
        """The limit for a model of so many cycles."""
        each = self.accurate_us_per_cycle if accurate else self.functional_us_per_cycle
        return self.base_s + max(cycles, 0) * each * 1e-6


@dataclass(frozen=True)
class Common:
    """What all boards share.

    Attributes:
        model_folders: below an installation's root.
        libraries: below the root; belongs on LD_LIBRARY_PATH where it exists.
        time_limit: without ``--timeout``.
    """

    model_folders: tuple[str, ...]
    libraries: str
    time_limit: TimeLimit


@functools.cache
def boards() -> tuple[Board, ...]:
    """All boards, Corstone-300 first."""
    entries = sorted(files(_PACKAGE).joinpath("boards").iterdir(), key=lambda entry: entry.name)
    return tuple(
        _board(tomllib.loads(entry.read_text("utf-8"))) for entry in entries if entry.name[-5:] == ".toml"
    )


@functools.cache
def common() -> Common:
    """What all boards share."""
    table = tomllib.loads(files(_PACKAGE).joinpath("common.toml").read_text("utf-8"))
    return Common(tuple(table["model_folders"]), table["libraries"], TimeLimit(**table["time_limit"]))


def default_board(npu_family: str) -> Board:
    """The board that a model for that NPU family runs on when none is named.

    Raises:
        BadInputError: none has such an NPU.
    """
    found = next((board for board in boards() if board.npu_family == npu_family), None)
    if found is None:
        raise BadInputError(f"no board has an Ethos-{npu_family}")
    return found


def board_of_executable(name: str, npu_family: str) -> Board:
    """The board that an executable of that name models; the default board for a name that is not Arm's.

    Raises:
        BadInputError: the name is Arm's, for another NPU family.
    """
    for board in boards():
        if name in board.executables:
            if board.npu_family != npu_family:
                raise BadInputError(
                    f"{name} models an Ethos-{board.npu_family}, the model was compiled for Ethos-{npu_family}",
                    hints=[f"known for it: {', '.join(executables(npu_family))}"],
                )
            return board
    return default_board(npu_family)


def executables(npu_family: str) -> tuple[str, ...]:
    """File names of all executables with an NPU of that family, the default board's first."""
    return tuple(name for board in boards() if board.npu_family == npu_family for name in board.executables)


def release_of(version_line: str) -> Version | None:
    """``(11, 27)`` of ``Fast Models [11.27.42 (Dec  9 2024)]``; None for a line without a release."""
    found = _RELEASE.search(version_line)
    return (int(found[1]), int(found[2])) if found else None


def _board(table: dict[str, Any]) -> Board:
    return Board(
        name=table["name"],
        npu_family=table["npu_family"],
        macs=tuple(table["macs"]),
        executables=tuple(table["executables"]),
        roots=tuple(table["roots"]),
        runner=BoardRunner(**{**table["runner"], "memory_modes": tuple(table["runner"]["memory_modes"])}),
        open=table["open"],
        instances=table["instances"],
        parameters=table["parameters"],
        releases=tuple(
            Release(_version(entry["since"]), entry["macs"], entry.get("functional", {}))
            for entry in table["releases"]
        ),
    )


def _version(text: str) -> Version:
    major, minor = text.split(".")
    return int(major), int(minor)
