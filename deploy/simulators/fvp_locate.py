"""Finds a simulator for a build: Arm's FVP where it is installed, the open Corstone otherwise."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from deploy.errors import BadInputError, NotInstalledError
from deploy.hardware.fvps import (
    Fvp,
    Version,
    common,
    default_fvp,
    executables,
    fvp_of_executable,
    fvps,
    release_of,
)
from deploy.hardware.npus import Npu
from deploy.processes.python import module_command
from deploy.processes.supervisor import run
from deploy.simulators.fvp_diagnosis import cannot_start, starts_but_fails

FVP_VARIABLE = "DEPLOY_FVP"
"""Environment variable that names a simulator, as ``--fvp`` does."""
OPEN = "open"
OPEN_PREFIX = f"{OPEN}:"
"""``--fvp open:corstone-310`` runs the open machine as that board, ``--fvp open`` as the NPU's default one."""
DOCKER_PREFIX = "docker:"
"""``--fvp docker:IMAGE`` runs Arm's FVP in a container of that image."""

_VERSION_TIMEOUT_S = 20
_DOCKER_VERSION_TIMEOUT_S = 120
_OWN = tuple(module_command("deploy.corstone"))
_OPEN_MARK = "Open Corstone-"


@dataclass(frozen=True)
class Simulator:
    """A simulator that can be started.

    Attributes:
        kind: Arm's own FVP or the open one.
        version: its own first line for ``--version``.
        fvp: what it models, by the names of Arm's FVP.
    """

    command: tuple[str, ...]
    kind: Literal["open", "arm"]
    version: str
    fvp: Fvp
    in_container: bool = False

    @property
    def executable(self) -> str:
        """The command as one string, for messages and documents."""
        return " ".join(self.command)

    @property
    def release(self) -> Version | None:
        """Arm's release; None for the open one, which knows the newest names."""
        return release_of(self.version) if self.kind == "arm" else None

    @property
    def components(self) -> dict[str, str]:
        """Tool name -> version, as far as the version line tells them."""
        found = {"qemu": r"QEMU (\d[\w.]*)", "fast-models": r"Fast Models \[([\d.]+)"}
        matches = {name: re.search(pattern, self.version) for name, pattern in found.items()}
        return {name: match[1] for name, match in matches.items() if match}

    @property
    def own(self) -> bool:
        """Whether it is the open machine of this installation, which can run within this process."""
        return self.command[: len(_OWN)] == _OWN

    def accurate(self, *, timing: bool) -> bool:
        """Whether a run counts cycles: where that was asked for, and on releases that cannot do without."""
        return self.kind == "arm" and (timing or not self.fvp.release(self.release).functional)

    def check_terminal(self) -> None:
        """Check that UART0 can be reached over a TCP port of this computer.

        Raises:
            BadInputError: the simulator runs in a container, whose ports are not passed on.
        """
        if self.in_container:
            raise BadInputError(
                f"{self.executable}: firmware that is fed over a terminal port cannot run in a container",
                hints=["`--firmware runner` can; so can any firmware on the open machine (`--fvp open`)"],
            )


def arm_candidates(fvp: Fvp) -> list[Path]:
    """Every file that may be that FVP of Arm's, in the order of preference."""
    names = fvp.executables
    found = [Path(on_path) for name in names if (on_path := shutil.which(name))]
    for root in fvp.search_roots():
        found += _in_folder(root, names)
    return list(dict.fromkeys(found))


def find(npu: Npu, choice: str | None = None) -> Simulator:
    """Choose the simulator for a run.

    Args:
        npu: what the model was compiled for.
        choice: ``open``, ``open:BOARD``, a path, ``docker:IMAGE``, or None for Arm's FVP if installed, else the
            open one.

    Raises:
        NotInstalledError: the one asked for is not there, or does not start.
        BadInputError: it models another NPU.
    """
    fvp = default_fvp(npu.family)
    choice = choice or os.environ.get(FVP_VARIABLE) or None
    if choice is not None and (choice == OPEN or choice.startswith(OPEN_PREFIX)):
        return _open(npu, _open_fvp(choice.removeprefix(OPEN).removeprefix(":"), npu))
    if choice is not None and choice.startswith(DOCKER_PREFIX):
        return _in_docker(choice.removeprefix(DOCKER_PREFIX), fvp)
    if choice is not None:
        path = _named(choice, npu)
        return identified((str(path),), fvp_of_executable(path.name, npu.family))
    for path in arm_candidates(fvp):
        try:
            return identified((str(path),), fvp)
        except NotInstalledError:
            continue  # `deploy doctor` tells what is wrong with it
    return _open(npu, fvp)


def _named(choice: str, npu: Npu) -> Path:
    path = Path(choice).expanduser()
    if path.is_dir():
        names = executables(npu.family)
        found = _in_folder(path, names)
        if found:
            return found[0].absolute()
        others = [other.name for fvp in fvps() for other in _in_folder(path, fvp.executables)]
        hint = f"it holds {', '.join(others)}" if others else f"looked for {', '.join(names)}"
        raise NotInstalledError(
            f"--fvp {choice}: no simulator of an Ethos-{npu.family} in that folder",
            hints=[hint, "name the executable itself, or `open` for the open machine"],
        )
    resolved = path if path.exists() else Path(shutil.which(choice) or path)
    if not resolved.is_file():
        raise NotInstalledError(
            f"--fvp {choice}: no such simulator",
            hints=["`--fvp open` runs the open machine", "`deploy doctor` lists what is installed"],
        )
    if not os.access(resolved, os.X_OK):
        raise NotInstalledError(f"--fvp {choice}: not executable", hints=[f"chmod +x {resolved}"])
    return resolved.absolute()


def _in_folder(root: Path, names: tuple[str, ...]) -> list[Path]:
    return [
        file for folder in common().model_folders for name in names if (file := root / folder / name).is_file()
    ]


def _open_fvp(board: str, npu: Npu) -> Fvp:
    """What the open machine stands in for, with that NPU: a board by its file's name, or the default one."""
    if not board:
        return default_fvp(npu.family)
    able = {fvp.board.id: fvp for fvp in fvps() if fvp.board.open_machine and fvp.npu_family == npu.family}
    found = able.get(board.lower())
    if found is None:
        raise BadInputError(
            f"--fvp {OPEN_PREFIX}{board}: no such open machine with an Ethos-{npu.family}",
            hints=[f"known for it: {', '.join(able)}"],
        )
    return found


def _open(npu: Npu, fvp: Fvp) -> Simulator:
    """The open one belongs to this installation, so its version is asked for without starting it."""
    from deploy.corstone.qemu import find_qemu, version_line

    find_qemu()
    command = (*_OWN, "--board", fvp.board.id, "--npu-family", npu.family)
    return Simulator(command, "open", version_line(f"Open {fvp.board.name}"), fvp)


def _in_docker(image: str, fvp: Fvp) -> Simulator:
    if not image or image.startswith("-"):
        raise BadInputError(f"--fvp {DOCKER_PREFIX}{image}: not the name of an image")
    if shutil.which("docker") is None:
        raise NotInstalledError(
            f"--fvp {DOCKER_PREFIX}{image}: docker is not installed (not found on PATH)",
            hints=["install Docker, or use `--fvp open`"],
        )
    command = module_command("deploy.simulators.fvp_docker", image, fvp.executables[0])
    found = identified(tuple(command), fvp, timeout_s=_DOCKER_VERSION_TIMEOUT_S)
    return replace(found, in_container=True)


def identified(command: tuple[str, ...], fvp: Fvp, *, timeout_s: float | None = None) -> Simulator:
    """Ask a simulator for its version, which also proves that it starts.

    Raises:
        NotInstalledError: it does not start (says why), or does not say what it is.
    """
    limit_s = timeout_s or _VERSION_TIMEOUT_S
    try:
        answer = run([*command, "--version"], timeout_s=limit_s, environment=environment(command[0]), apart=True)
    except NotInstalledError as error:
        raise cannot_start(Path(command[0]), error.__cause__ or error) from error
    if answer.timed_out:
        raise cannot_start(Path(command[0]), TimeoutError(f"no answer to --version within {limit_s:g} s"))
    text = f"{answer.output[:4096]}\n{answer.errors[:4096]}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if _OPEN_MARK in line:
            return Simulator(command, "open", line, fvp)
        if release_of(line) and answer.status == 0:
            return Simulator(command, "arm", line, fvp)
    raise starts_but_fails(" ".join(command), answer.status, lines)


def environment(executable: str) -> dict[str, str]:
    """Environment to start a simulator in: Arm's FVP from release 11.27 on brings its own Python.

    The two variables are those that Arm's MLIA sets for Corstone-320.
    """
    variables = dict(os.environ)
    for parent in Path(executable).resolve().parents[:3]:
        library = parent / common().libraries
        if library.is_dir():
            known = variables.get("LD_LIBRARY_PATH")
            variables["LD_LIBRARY_PATH"] = f"{library}:{known}" if known else str(library)
            variables["PYTHONHOME"] = str(library.parent)
            break
    return variables
