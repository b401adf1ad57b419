"""Finds a Corstone-300 simulator: Arm's FVP where it is installed, the open one otherwise."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.errors import BadInputError, NotInstalledError
from deploy.npu_config import NpuConfig

FVP_VARIABLE = "DEPLOY_FVP"
"""Environment variable that names a simulator, as ``--fvp`` does."""

_MODEL_FOLDERS = ("models/Linux64_GCC-9.3", "models/Linux64_GCC-6.4", "models/Linux64_armv8l_GCC-9.3", "")
_VERSION_TIMEOUT_S = 20
_OPEN_MARK = "Open Corstone-300"


@dataclass(frozen=True)
class Simulator:
    """A simulator that can be started.

    Attributes:
        command: the words that start it.
        kind: Arm's own FVP or the open one.
        version: its own first line for ``--version``.
    """

    command: tuple[str, ...]
    kind: Literal["open", "arm"]
    version: str

    @property
    def executable(self) -> str:
        """The command as one string, for messages and documents."""
        return " ".join(self.command)

    @property
    def components(self) -> dict[str, str]:
        """Tool name -> version, as far as the version line tells them."""
        found = {"qemu": r"QEMU (\d[\w.]*)", "fast-models": r"Fast Models \[([\d.]+)"}
        matches = {name: re.search(pattern, self.version) for name, pattern in found.items()}
        return {name: match[1] for name, match in matches.items() if match}


def binary_names(family: str) -> tuple[str, ...]:
    """File names of Arm's Corstone-300 models with an NPU of that family, the FVP before the AVH build."""
    return tuple(f"{prefix}_Corstone_SSE-300_Ethos-{family}" for prefix in ("FVP", "VHT"))


def search_roots() -> tuple[Path, ...]:
    """Folders below which Arm's installers put their models."""
    home = Path.home()
    return (
        Path("/opt/arm/FVP_Corstone_SSE-300"),
        Path("/opt/arm/FVP_Corstone_SSE-300_Ethos-U55"),
        Path("/opt/FVP_Corstone_SSE-300"),
        Path("/opt/VHT"),
        Path("/opt/VHT/bin"),
        home / "FVP_Corstone_SSE-300",
        home / "FVP_Corstone_SSE-300_Ethos-U55",
    )


def arm_candidates(family: str) -> list[Path]:
    """Every file that may be Arm's FVP for that NPU family, in the order of preference."""
    names = binary_names(family)
    found = [Path(on_path) for name in names if (on_path := shutil.which(name))]
    for root in search_roots():
        for folder in _MODEL_FOLDERS:
            found += [file for name in names if (file := root / folder / name).is_file()]
    return list(dict.fromkeys(found))


def open_command(npu: NpuConfig) -> tuple[str, ...]:
    """The words that start the open Corstone-300 of this installation."""
    # -P: a folder `deploy` in the working directory must not be taken for this package.
    return (sys.executable, "-P", "-m", "deploy.corstone", "--npu-family", npu.family)


def find(npu: NpuConfig, choice: str | None = None) -> Simulator:
    """Choose the simulator for a run.

    Args:
        npu: what the model was compiled for.
        choice: ``open``, a path, or None for Arm's FVP if installed, else the open one.

    Raises:
        NotInstalledError: the one asked for is not there, or does not start.
        BadInputError: Corstone-300 has no such NPU.
    """
    if not npu.simulated:
        raise BadInputError(
            f"no Corstone-300 has an Ethos-{npu.name}", hints=["U85 models can be compiled and reported only"]
        )
    choice = choice or os.environ.get(FVP_VARIABLE) or None
    if choice == "open":
        return _open(npu)
    if choice is not None:
        path = _named(choice, npu)
        return _identified((str(path),))
    for path in arm_candidates(npu.family):
        try:
            return _identified((str(path),))
        except NotInstalledError:
            continue  # `deploy doctor` tells what is wrong with it
    return _open(npu)


def _named(choice: str, npu: NpuConfig) -> Path:
    path = Path(choice).expanduser()
    if path.is_dir():
        for folder in ("", *_MODEL_FOLDERS):
            for name in binary_names(npu.family):
                if (path / folder / name).is_file():
                    return path / folder / name
        raise NotInstalledError(
            f"--fvp {choice}: no {binary_names(npu.family)[0]} in that folder",
            hints=["name the executable itself, or `open` for the open Corstone-300"],
        )
    resolved = path if path.exists() else Path(shutil.which(choice) or path)
    if not resolved.is_file():
        raise NotInstalledError(
            f"--fvp {choice}: no such simulator",
            hints=["`--fvp open` runs the open Corstone-300", "`deploy doctor` lists what is installed"],
        )
    if not os.access(resolved, os.X_OK):
        raise NotInstalledError(f"--fvp {choice}: not executable", hints=[f"chmod +x {resolved}"])
    return resolved.absolute()


def _open(npu: NpuConfig) -> Simulator:
    """The open one belongs to this installation, so its version is asked for without starting it."""
    from deploy.corstone.cli import version_line
    from deploy.corstone.qemu import find_qemu

    find_qemu()
    return Simulator(open_command(npu), "open", version_line())


def _identified(command: tuple[str, ...]) -> Simulator:
    """Ask a simulator for its version, which also proves that it starts.

    Raises:
        NotInstalledError: it does not start, or does not say what it is.
    """
    try:
        answer = subprocess.run(
            [*command, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
            env=environment(command[0]),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(
            f"{command[0]}: does not start: {error}",
            hints=["is it built for this machine's architecture?", "`deploy doctor` looks closer"],
        ) from error
    text = (answer.stdout[:4096] + b"\n" + answer.stderr[:4096]).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if _OPEN_MARK in line:
            return Simulator(command, "open", line)
        if re.search(r"Fast Models \[\d+\.\d+", line):
            return Simulator(command, "arm", line)
    said = f"it says: {lines[-1]}" if lines else "it says nothing"
    raise NotInstalledError(
        f"{' '.join(command)}: not a Corstone-300 simulator (--version: {said})",
        hints=["`--fvp open` runs the open Corstone-300", "`deploy doctor` lists what is installed"],
    )


def environment(executable: str) -> dict[str, str]:
    """Environment to start a simulator in: release 11.27 of Arm's FVP needs its own Python library on the path."""
    variables = dict(os.environ)
    for parent in Path(executable).resolve().parents[:3]:
        library = parent / "python" / "lib"
        if library.is_dir():
            known = variables.get("LD_LIBRARY_PATH")
            variables["LD_LIBRARY_PATH"] = f"{library}:{known}" if known else str(library)
            break
    return variables
