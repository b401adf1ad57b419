"""Arm's FVPs as the boards' files and ``fvps.toml`` describe them: names, places, parameters by release."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError
from deploy.hardware.boards import Board, board_table, boards, default_board
from deploy.hardware.sizes import bytes_of

Version = tuple[int, int]
_RELEASE = re.compile(r"Fast Models \[(\d+)\.(\d+)")


@dataclass(frozen=True)
class Release:
    """How parameters are named from a release on.

    Attributes:
        macs: parameter -> value that chooses the NPU's multiply-accumulate units; ``{macs}`` stands for them.
        functional: parameter -> value for results without cycle accuracy; empty where there is no such mode.
    """

    since: Version
    macs: Mapping[str, str]
    functional: Mapping[str, str]


@dataclass(frozen=True)
class Runner:
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
    arena_bytes: int
    sram_bytes: int | None = None


@dataclass(frozen=True)
class Fvp:
    """Arm's FVP of a board with an NPU of one family.

    Attributes:
        npu_family: ``U55``, ``U65`` or ``U85``.
        executables: file names, the FVP before the Arm Virtual Hardware build.
        bare_executables: those of builds without an NPU, which the open machine is linked under, too.
        roots: folders that installers use; ``~`` stands for the home folder.
        runner: Arm's prebuilt firmware for it.
        instances: ``board``, ``subsystem``, ``cpu`` and ``npu`` -> instance in the FVP.
        parameters: sent with every run.
        releases: newest first.
    """

    board: Board
    npu_family: str
    executables: tuple[str, ...]
    bare_executables: tuple[str, ...]
    roots: tuple[str, ...]
    runner: Runner
    terminals: tuple[int, ...]
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
    """What all FVPs share.

    Attributes:
        model_folders: below an installation's root.
        libraries: below the root; belongs on LD_LIBRARY_PATH where it exists.
        time_limit: without ``--timeout``.
    """

    model_folders: tuple[str, ...]
    libraries: str
    time_limit: TimeLimit


@functools.cache
def fvps() -> tuple[Fvp, ...]:
    """All FVPs, in the order of their boards' names."""
    return tuple(fvp for board in boards() for fvp in fvps_of(board))


@functools.cache
def common() -> Common:
    """What all FVPs share."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return Common(tuple(table["model_folders"]), table["libraries"], TimeLimit(**table["time_limit"]))


def fvps_of(board: Board) -> tuple[Fvp, ...]:
    """A board's FVPs, one for each NPU family that it comes with; none for a board that none models."""
    table = board_table(board.id)
    return tuple(_fvp(board, table["fvp"], npu) for npu in table["npus"] if "fvp" in table)


def default_fvp(npu_family: str) -> Fvp:
    """The FVP that a model for that NPU family runs on when none is named: the default board's.

    Raises:
        BadInputError: no board has such an NPU.
    """
    return next(fvp for fvp in fvps_of(default_board(npu_family)) if fvp.npu_family == npu_family)


def fvp_of_executable(name: str, npu_family: str) -> Fvp:
    """The FVP of that file name; the default one for a name that is not Arm's.

    Raises:
        BadInputError: the name is Arm's, for another NPU family.
    """
    for fvp in fvps():
        if name in fvp.executables:
            if fvp.npu_family != npu_family:
                raise BadInputError(
                    f"{name} models an Ethos-{fvp.npu_family}, the model was compiled for Ethos-{npu_family}",
                    hints=[f"known for it: {', '.join(executables(npu_family))}"],
                )
            return fvp
    return default_fvp(npu_family)


def executables(npu_family: str) -> tuple[str, ...]:
    """File names of all FVPs with an NPU of that family, the default one's first."""
    first = default_fvp(npu_family)
    others = (fvp for fvp in fvps() if fvp.npu_family == npu_family and fvp != first)
    return tuple(name for fvp in (first, *others) for name in fvp.executables)


def release_of(version_line: str) -> Version | None:
    """``(11, 27)`` of ``Fast Models [11.27.42 (Dec  9 2024)]``; None for a line without a release."""
    found = _RELEASE.search(version_line)
    return (int(found[1]), int(found[2])) if found else None


def check_release(text: str) -> str:
    """The text if it names a release as ``11.24.13`` or ``11.24`` does.

    Raises:
        BadInputError: it does not.
    """
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){1,2}", text):
        raise BadInputError(f"--release {text}: not a release of Arm's FVPs, as 11.24.13 is")
    return text


def _fvp(board: Board, table: dict[str, Any], npu: dict[str, Any]) -> Fvp:
    family = npu["family"]
    return Fvp(
        board=board,
        npu_family=family,
        executables=tuple(npu["executables"]),
        bare_executables=tuple(npu.get("bare_executables", ())),
        roots=tuple(root.replace("{npu_family}", family) for root in table["roots"]),
        runner=_runner(npu["runner"]),
        terminals=tuple(table["terminals"]),
        instances=table["instances"],
        parameters=table["parameters"],
        releases=tuple(_release(entry, npu.get("config_letter", "")) for entry in table["releases"]),
    )


def _runner(table: dict[str, Any]) -> Runner:
    return Runner(
        subsystem=table["subsystem"],
        memory_modes=tuple(table["memory_modes"]),
        arena=table["arena"],
        arena_bytes=bytes_of(table["arena_size"]),
        sram_bytes=bytes_of(table["sram"]) if "sram" in table else None,
    )


def _release(entry: dict[str, Any], config_letter: str) -> Release:
    macs = {name: value.replace("{config_letter}", config_letter) for name, value in entry["macs"].items()}
    major, minor = map(int, entry["since"].split("."))
    return Release((major, minor), macs, entry.get("functional", {}))
