"""Looks at what is installed for every step and says what to type for what is missing."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import re
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from deploy.errors import DeployError, NotInstalledError
from deploy.hardware.fvps import Fvp, fvps
from deploy.hardware.npus import npus
from deploy.processes.python import module_command
from deploy.processes.supervisor import run
from deploy.simulators import fvp_locate


@dataclass(frozen=True)
class Together:
    """Versions with which every test passed, to two numbers: ``3.11``."""

    system: str
    python: str
    numpy: str
    qemu: str

    def holds(self, versions: Mapping[str, str]) -> bool:
        """Whether versions found (``{"qemu": "7.2.22"}``) are these; one that is not given may be any."""
        return all(_short(version) == getattr(self, name) for name, version in versions.items())

    def __str__(self) -> str:
        return f"Python {self.python}, NumPy {self.numpy}, QEMU {self.qemu} ({self.system})"


def combinations() -> tuple[Together, ...]:
    """All that were tried, from ``tried.toml``."""
    text = resources.files("deploy").joinpath("tried.toml").read_text(encoding="utf-8")
    return tuple(Together(**row) for row in tomllib.loads(text)["together"])


def _short(version: str) -> str:
    return ".".join(version.split(".")[:2])


_OPEN = "open Corstone-300, -310, -320"
State = Literal["ok", "missing", "broken", "optional", "untried"]


@dataclass(frozen=True)
class Finding:
    """One thing looked for.

    Attributes:
        state: ``optional`` means missing, but the main job runs without it; ``untried`` that it may do otherwise
            than where it was tested.
        detail: version and place, or what is wrong.
        remedy: the command that installs it; empty when there is nothing to do.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""
    needed_for: str = ""

    @property
    def blocks(self) -> bool:
        """Whether the main job cannot run because of it."""
        return self.state in ("missing", "broken")


def examine() -> list[Finding]:
    """Look at everything; the main job runs when no finding blocks."""
    return [
        Finding("python", "ok", platform.python_version()),
        *(_package(*row) for row in _PACKAGES),
        _vela(),
        _qemu(),
        _together(),
        _npu_core(),
        _runner("U55"),
        _runner("U65"),
        _runner("U85"),
        *_arm_fvps(),
        _docker(),
        _cross_compiler(),
        _package("tflite-micro", False, "--pre tflite-micro", "TFLM's kernels as second reference"),
    ]


_PACKAGES: tuple[tuple[str, bool, str, str], ...] = (
    ("numpy", True, "numpy", "everything"),
    ("ai-edge-litert", True, "ai-edge-litert==2.3.0", "reference kernels"),
    ("ethos-u-vela", True, "ethos-u-vela==5.2.0", "compile, NPU model"),
    ("mlia-ethos-u", True, "mlia-ethos-u==0.1.0", "run-fvp with Arm's runner"),
    ("capstone", True, "capstone", _OPEN),
    ("tensorflow", False, "tensorflow==2.21.0", "Keras models: quantize, models"),
    ("keras", False, "keras==3.15.1", "Keras models: quantize, models"),
    ("ai-edge-quantizer", False, "ai-edge-quantizer==0.10.0", "float .tflite files, 16-bit activations: quantize"),
    ("vl-convert-python", False, "'vl-convert-python>=1.9,<2'", "HTML report, sweep, search: charts"),
    ("scikit-image", False, "'scikit-image>=0.26,<0.27'", "models train featherface-v1"),
    ("distributed", False, "'distributed>=2026.8,<2027'", "--scheduler"),
)


def _package(name: str, required: bool, requirement: str, purpose: str) -> Finding:
    try:
        return Finding(name, "ok", importlib.metadata.version(name), needed_for=purpose)
    except importlib.metadata.PackageNotFoundError:
        state: State = "missing" if required else "optional"
        return Finding(name, state, "not installed", f"pip install {requirement}", purpose)


def _vela() -> Finding:
    remedy = "pip install --force-reinstall ethos-u-vela==5.2.0"
    version = _first_line(module_command("ethosu.vela", "--version"))
    if version is None:
        return Finding("vela", "broken", "does not start", remedy, "compile")
    return Finding("vela", "ok", version, needed_for="compile")


def _qemu() -> Finding:
    from deploy.corstone.qemu import find_qemu
    from deploy.corstone.stand_in import stand_in

    try:
        qemu = find_qemu(starting=True)
    except DeployError as error:
        remedy = next(iter(error.hints), "apt-get install qemu-system-arm")
        return Finding("qemu-system-arm", "missing", error.message, remedy, _OPEN)
    machine = stand_in().machine
    if machine not in (_output([str(qemu.path), "-machine", "help"]) or ""):
        what = f"{qemu.version} at {qemu.path} has no machine {machine}"
        return Finding("qemu-system-arm", "broken", what, "apt-get install qemu-system-arm", _OPEN)
    found = f"{qemu.version}, machine {machine}, {qemu.path}"
    return Finding("qemu-system-arm", "ok", found, needed_for=_OPEN)


def _together() -> Finding:
    """Whether these versions of Python, NumPy and QEMU were tried together; which were, where they were not."""
    from deploy.corstone.qemu import find_qemu

    versions = {"python": platform.python_version()}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        versions["numpy"] = importlib.metadata.version("numpy")
    with contextlib.suppress(DeployError):
        versions["qemu"] = find_qemu(starting=True).version
    tried = combinations()
    for together in tried:
        if together.holds(versions):
            return Finding("versions", "ok", f"tried together: {together}", needed_for="everything")
    titles = {"python": "Python", "numpy": "NumPy", "qemu": "QEMU"}
    found = ", ".join(f"{titles[name]} {version}" for name, version in versions.items())
    remedy = f"tried were {'; '.join(map(str, tried))}"
    return Finding("versions", "untried", f"not tried together: {found}", remedy, "everything")


def _npu_core() -> Finding:
    """The compiled core of the NPU model, without which NumPy computes the same."""
    from deploy.npu.core import library

    name, purpose = "NPU model's core", "verify, evaluate, run-fvp: speed"
    if library.native() is None:
        found = f"{library.lack()}: NumPy computes the same, slowly"
        return Finding(name, "optional", found, library.how_to_compile(), purpose)
    return Finding(name, "ok", library.version(), needed_for=purpose)


def _runner(family: str) -> Finding:
    from deploy.targets.runner_firmware import runner_path

    name = f"TFLM runner {family}"
    try:
        path = runner_path(next(npu for npu in npus().values() if npu.family == family))
    except DeployError as error:
        return Finding(name, "missing", error.message, next(iter(error.hints), ""), "run-fvp")
    return Finding(name, "ok", path.parent.name, needed_for="run-fvp")


_FVP_PURPOSE = "run-fvp on Arm's own model"


def _arm_fvps() -> list[Finding]:
    """One finding for each FVP: not found, or each executable found with what is wrong with it."""
    return [finding for fvp in fvps() for finding in _arm_fvp(fvp)]


def _arm_fvp(fvp: Fvp) -> list[Finding]:
    label = f"Arm FVP {fvp.board.name} {fvp.npu_family}"
    findings = []
    for path in fvp_locate.arm_candidates(fvp):
        try:
            simulator = fvp_locate.identified((str(path),), fvp)
        except DeployError as error:
            remedy = "; ".join(error.hints)
            findings.append(Finding(label, "optional", error.message, remedy, _FVP_PURPOSE))
        else:
            kind = "" if simulator.kind == "arm" else " (the open one, by Arm's name)"
            findings.append(Finding(label, "ok", f"{simulator.version}, {path}{kind}", needed_for=_FVP_PURPOSE))
    if findings:
        return findings
    searched = ", ".join(["PATH", *map(str, fvp.search_roots())])
    remedy = (
        f"not in {searched}: download it from developer.arm.com, then `deploy fvp install ARCHIVE` "
        f"(it asks you to accept Arm's licence){_until_then(fvp)}"
    )
    return [Finding(label, "optional", "not found", remedy, _FVP_PURPOSE)]


def _until_then(fvp: Fvp) -> str:
    if sys.platform == "darwin":
        return ", or run it in a container: `--fvp docker:IMAGE`, see fvp/README.md"
    return f"; until then the open {fvp.board.name} runs" if fvp.board.open_machine else ""


def _docker() -> Finding:
    """Docker matters where Arm has no executable for this computer, and for whoever asks for it."""
    path = shutil.which("docker")
    if path is None:
        remedy = "install Docker Desktop" if sys.platform == "darwin" else "apt-get install docker.io"
        return Finding("docker", "optional", "not found", remedy, "--fvp docker:IMAGE")
    if _output([path, "version", "--format", "{{.Server.Version}}"]) is None:
        return Finding(
            "docker", "optional", f"{path}: its daemon does not answer", "start it", "--fvp docker:IMAGE"
        )
    return Finding("docker", "ok", path, needed_for="--fvp docker:IMAGE")


def _cross_compiler() -> Finding:
    name = "arm-none-eabi-gcc"
    path = shutil.which(name)
    line = _first_line([path, "--version"]) if path else None
    if line is None:
        return Finding(name, "optional", "not found", f"apt-get install gcc-{_ARM_GCC}", "firmware --build")
    return Finding(name, "ok", f"{line}, {path}", needed_for="firmware --build")


_ARM_GCC = "arm-none-eabi libnewlib-arm-none-eabi"


def _first_line(command: list[str]) -> str | None:
    lines = [re.sub(r"\s+", " ", line).strip() for line in (_output(command) or "").splitlines() if line.strip()]
    return lines[0][:120] if lines else None


def _output(command: list[str]) -> str | None:
    """Standard output of a program that ends well within 30 s; None otherwise."""
    try:
        answer = run(command, timeout_s=30, apart=True)
    except NotInstalledError:
        return None
    return answer.output if answer.status == 0 else None
