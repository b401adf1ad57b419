"""Starts an FVP in a container: ``python -m deploy.simulators.fvp_docker IMAGE FVP ARGUMENTS``.

For computers that Arm's executables do not run on, macOS above all. Every file that the command line names is made
visible in the container under the same name; the container has no network, and it ends with this process, or by
itself when the run's time limit is over.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from deploy.errors import DeployError, ExitStatus, NotInstalledError
from deploy.files import private_folder
from deploy.interrupts import signals_terminate
from deploy.processes.child import Child
from deploy.processes.supervisor import run

_GRACE_S = 5
_NO_LIMIT_S = 3600
_REMOVE_TIMEOUT_S = 30
_SERVED = re.compile(r"(?:^|\.)semihosting-cwd=(.+)$")
_WRITTEN = re.compile(r"(?:^|\.)uart\d\.out_file=(.+)$")


def mounts(words: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Which files of an FVP's command line are read, and which folders are written.

    Returns:
        Files to show read-only, and folders to show writable.
    """
    reads: list[Path] = []
    writes: list[Path] = []
    for option, value in pairwise(words):
        if option in ("-a", "--application"):
            reads.append(Path(value))
        elif option == "--data":
            reads.append(Path(value.rpartition("@")[0].rpartition("cpu0=")[2]))
        elif option == "--dump":
            writes.append(Path(value.partition("=")[2].rpartition("@")[0]).parent)
        elif option == "-C" and (found := _WRITTEN.search(value)) and found[1] != "-":
            writes.append(Path(found[1]).parent)
        elif option == "-C" and (found := _SERVED.search(value)):
            writes.append(Path(found[1]))
    return list(dict.fromkeys(reads)), list(dict.fromkeys(writes))


def container_command(image: str, words: Sequence[str], cid_file: Path) -> list[str]:
    """The ``docker run`` for an FVP's command line (its executable first). Pure but for resolving links."""
    reads, writes = mounts(words)
    command = ["docker", "run", "--rm", "--init", f"--cidfile={cid_file}", "--network=none"]
    command += ["--platform=linux/amd64", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    command += [f"--user={os.getuid()}:{os.getgid()}"]
    for folder in writes:
        command += [f"--mount=type=bind,source={folder.resolve()},target={folder.absolute()}"]
    for file in reads:
        # A link is shown as what it points to: its target lies outside of what the container sees.
        command += [f"--mount=type=bind,source={file.resolve()},target={file.absolute()},readonly"]
    # Should this process be killed, the container ends by itself.
    limit = time_limit_s(words) + 2 * _GRACE_S
    return [*command, image, "timeout", "-k", str(_GRACE_S), str(limit), *words]


def time_limit_s(words: Sequence[str]) -> int:
    """The value of ``--timelimit``; a bound for command lines without one."""
    for option, value in pairwise(words):
        if option == "--timelimit" and value.isdecimal():
            return int(value)
    return _NO_LIMIT_S


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the container and return the FVP's exit status."""
    image, *words = sys.argv[1:] if arguments is None else arguments
    signals_terminate()
    try:
        with private_folder("docker") as folder:
            cid_file = folder / "cid"
            with Child(container_command(image, words, cid_file), stdout=None, stderr=None) as container:
                try:
                    status = container.wait(time_limit_s(words) + _GRACE_S)
                finally:
                    _remove(cid_file)
    except DeployError as error:
        print(error.message, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    if status is None:
        print("Info: Simulation is stopping. Reason: CPU time has been exceeded.", flush=True)
        return ExitStatus.TARGET_FAILED
    return status


def _remove(cid_file: Path) -> None:
    """Remove the container, should it still be there."""
    with contextlib.suppress(OSError, NotInstalledError):
        container = cid_file.read_text("ascii").strip()
        if container.isalnum():
            run(["docker", "rm", "--force", container], timeout_s=_REMOVE_TIMEOUT_S)


if __name__ == "__main__":
    sys.exit(main())
