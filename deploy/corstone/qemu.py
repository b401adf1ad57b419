"""Finding QEMU, checking its version, and building the command line that makes it the machine."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy import __version__
from deploy.corstone.core_clock import SHIFT
from deploy.corstone.file_arguments import DataLoad
from deploy.corstone.qemu_version import keep_version, known_version
from deploy.corstone.stand_in import StandIn
from deploy.corstone.uart import ESCAPE
from deploy.errors import NotInstalledError
from deploy.processes.supervisor import run

PROGRAM = "qemu-system-arm"
MIN_VERSION = (7, 2)
INSTALL_HINT = "sudo apt-get install qemu-system-arm   (macOS: brew install qemu)"


@dataclass(frozen=True)
class Qemu:
    """An installed QEMU that can be the open machine."""

    path: Path
    version: str


def find_qemu(*, starting: bool = False) -> Qemu:
    """The QEMU on PATH and its version.

    Args:
        starting: start it, whether it has said its version before or not.

    Raises:
        NotInstalledError: there is none, it does not start, or it is too old.
    """
    path = locate_qemu()
    version = None if starting else known_version(path)
    if version is None:
        version = installed_version(path)
        keep_version(path, version)
    check_version(version)
    return Qemu(path, version)


def locate_qemu() -> Path:
    """The QEMU on PATH, unchecked: starting it tells its version anyway.

    Raises:
        NotInstalledError: there is none.
    """
    found = shutil.which(PROGRAM)
    if found is None:
        raise NotInstalledError(f"{PROGRAM} is not installed (not found on PATH)", hints=[INSTALL_HINT])
    return Path(found)


@functools.cache
def installed_version(qemu: Path) -> str:
    """The version that an installed QEMU reports, like ``7.2.22``.

    Raises:
        NotInstalledError: it does not start or does not say.
    """
    try:
        answer = run([qemu, "--version"], timeout_s=20, apart=True)
    except NotInstalledError as error:
        raise NotInstalledError(f"{qemu}: does not start: {error.__cause__}", hints=[INSTALL_HINT]) from error
    match = re.search(r"version (\d+(?:\.\d+)+)", answer.output[:4096])
    if match is None:
        raise NotInstalledError(f"{qemu}: does not say which version it is", hints=[INSTALL_HINT])
    return match.group(1)


def check_version(version: str) -> None:
    """Refuse a QEMU that is too old.

    Raises:
        NotInstalledError: it is older than 7.2, the first release checked.
    """
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if numbers < MIN_VERSION:
        wanted = ".".join(map(str, MIN_VERSION))
        raise NotInstalledError(
            f"QEMU {version} is too old: the open Corstone needs {wanted} or newer", hints=[INSTALL_HINT]
        )


@dataclass(frozen=True)
class Channels:
    """The descriptors that QEMU inherits.

    Attributes:
        gdb: socket of the gdbstub.
        qmp: socket of the machine protocol (its greeting tells the version).
        qtest: socket of the test protocol (interrupt line, memory access).
        uarts: socket of each UART but UART0 that is connected, by number. UART0 is on the standard input and
            output: pipes carry its single bytes at a lower cost.
        ddr: path under which QEMU opens the file that backs DDR.
        start: path of a file with what lies at address 0, where the CPU begins; None where the program lies there.
    """

    gdb: int
    qmp: int
    qtest: int
    uarts: Mapping[int, int]
    ddr: str
    start: str | None = None


def command_line(
    qemu: Path,
    model: StandIn,
    applications: Sequence[Path],
    channels: Channels,
    *,
    semihosting: bool = False,
    counting: bool = True,
    data: Sequence[DataLoad] = (),
    nonsecure_vectors: int = 0,
) -> list[str]:
    """The words that start QEMU, stopped before the first instruction.

    With ``semihosting`` a call that nobody stops at is handed over to the debugger: QEMU itself opens no file.
    Its time is counted in instructions where ``counting`` asks for it (:mod:`deploy.corstone.core_clock`). QEMU
    itself loads ``data``. VTOR_NS is ``nonsecure_vectors`` at reset.
    """
    words = [str(qemu), "-nodefaults", "-no-user-config", "-display", "none", "-S"]
    words += ["-M", f"{model.machine},memory-backend=ddr"]
    size = model.memories.ddr.open_size
    words += ["-object", f"memory-backend-file,id=ddr,size={size},mem-path={_escaped(channels.ddr)},share=on"]
    for number, image in enumerate(applications):
        words += ["-device", f"loader,file={_escaped(str(image))}"] if number else ["-kernel", str(image)]
    raw = [(str(each.path.absolute()), each.address) for each in data]
    if channels.start is not None:
        raw.append((channels.start, 0))
    for file, address in raw:
        words += ["-device", f"loader,file={_escaped(file)},addr={address:#x},force-raw=on"]
    words += ["-chardev", f"socket,id=gdb,fd={channels.gdb}", "-gdb", "chardev:gdb"]
    words += ["-chardev", f"socket,id=qmp,fd={channels.qmp}", "-mon", "chardev=qmp,mode=control"]
    words += ["-chardev", f"socket,id=qtest,fd={channels.qtest}"]
    words += ["-object", "qtest,id=lines,chardev=qtest,log=/dev/null"]
    # A multiplexer keeps input at hand for its UART, which takes one byte at a time: without it, each byte takes
    # a change from the CPU's thread to another one and back.
    words += ["-echr", f"{ESCAPE:#x}"]
    for number in range(max(channels.uarts, default=0) + 1):
        if number in channels.uarts:
            words += ["-chardev", f"socket,id=uart{number},fd={channels.uarts[number]},mux=on"]
        elif number == 0:
            words += ["-chardev", "stdio,id=uart0,signal=off,mux=on"]
        connected = number == 0 or number in channels.uarts
        words += ["-serial", f"chardev:uart{number}" if connected else "null"]
    if nonsecure_vectors:
        words += ["-global", f"armv7m.init-nsvtor={nonsecure_vectors:#x}"]
    if counting:
        words += ["-icount", f"shift={SHIFT}"]
    if semihosting:
        words += ["-semihosting-config", "enable=on,target=gdb"]
    return words


def _escaped(text: str) -> str:
    """QEMU's option syntax writes a comma as two."""
    return text.replace(",", ",,")


FOLLOWED = "11.27.42"
"""The release of Arm's FVPs whose command line is followed."""


def version_lines(name: str, release: str = FOLLOWED) -> str:
    """What ``--version`` prints under a name: recognisable, and not to be mistaken for Arm's.

    Scripts look for a release of Fast Models in it, so the second line names the one that is followed. Some know
    only those that were there when they were written: Arm's core platform of 2024 takes 11.16, 11.22 and 11.24.
    """
    return (
        f"{version_line(name)}\nFast Models [{release} (followed by this open model, which has nothing of Arm's)]"
    )


def version_line(name: str) -> str:
    """Its first line."""
    try:
        engine = f"QEMU {find_qemu().version}"
    except NotInstalledError as error:
        engine = f"QEMU: {error.message}"
    return f"{name} {__version__} (functional model on {engine}, not Arm's FVP)"
