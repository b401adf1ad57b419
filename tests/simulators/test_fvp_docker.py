"""An FVP in a container. `docker` is a script here that runs what it is told on the host."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.cli.main import run
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.simulators import fvp_docker, fvp_locate

U55 = npu_named("U55-128")
FVP = "FVP_Corstone_SSE-300_Ethos-U55"
DOCKER = """#!/bin/bash
echo "$@" >> "$DOCKER_LOG"
[ "$1" = rm ] && exit 0
for word; do
  shift
  case $word in
    --cidfile=*) echo c0ffee > "${word#*=}";;
    IMAGE) exec "$@";;
  esac
done
exit 125
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a fake docker that runs the container's command on the host, with the open machine as its FVP."""
    folder = tmp_path / "bin"
    folder.mkdir()
    open_machine = f'#!/bin/sh\nexec {sys.executable} -P -m deploy.corstone --npu-family U55 "$@"\n'
    for name, text in (("docker", DOCKER), (FVP, open_machine)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o700 | stat.S_IXUSR)
    log = tmp_path / "docker.log"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_LOG", str(log))
    return log


def test_the_container_sees_the_files_of_the_command_line_and_nothing_else(tmp_path: Path) -> None:
    real = tmp_path / "real.elf"
    real.touch()
    link = tmp_path / "run" / "firmware.elf"
    link.parent.mkdir()
    link.symlink_to(real)
    words = [FVP, "-a", str(link), "--data", f"{link.parent}/m@0x90000000"]
    words += ["--dump", f"cpu0={link.parent}/out.bin@Memory:0x93000000,4", "--timelimit", "60"]
    words += ["-C", f"mps3_board.uart0.out_file={link.parent}/u.log", "-C", "mps3_board.uart1.out_file=-"]
    words += ["-C", f"cpu0.semihosting-cwd={link.parent}/files"]
    command = fvp_docker.container_command("IMAGE", words, tmp_path / "cid")
    assert [word for word in command if word.startswith("--mount")] == [
        f"--mount=type=bind,source={link.parent},target={link.parent}",
        f"--mount=type=bind,source={link.parent}/files,target={link.parent}/files",
        f"--mount=type=bind,source={real},target={link},readonly",
        f"--mount=type=bind,source={link.parent}/m,target={link.parent}/m,readonly",
    ]
    assert "--network=none" in command
    assert command[command.index("IMAGE") :] == ["IMAGE", "timeout", "-k", "5", "70", *words]


@pytest.mark.system
def test_run_fvp_in_a_container_comes_to_its_verdict(built: Path, docker: Path, in_folder: Path) -> None:
    assert run(["run-fvp", str(built), "--fvp", "docker:IMAGE", "--count", "1"]) == 0
    assert "rm --force c0ffee" in docker.read_text()


@pytest.mark.usefixtures("docker")
def test_firmware_that_is_fed_over_a_port_is_refused_in_a_container() -> None:
    with pytest.raises(BadInputError, match="cannot run in a container"):
        fvp_locate.find(U55, "docker:IMAGE").check_terminal()


@pytest.mark.usefixtures("docker")
@pytest.mark.parametrize("image", ["", "--privileged"])
def test_what_is_no_image_name_is_refused(image: str) -> None:
    with pytest.raises(BadInputError, match="not the name of an image"):
        fvp_locate.find(U55, f"docker:{image}")


def test_the_container_goes_when_the_launcher_is_told_to_end(docker: Path) -> None:
    command = [sys.executable, "-P", "-m", "deploy.simulators.fvp_docker", "IMAGE", "sleep", "30"]
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + 20
        while not docker.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 128 + signal.SIGTERM
    assert "rm --force c0ffee" in docker.read_text()
