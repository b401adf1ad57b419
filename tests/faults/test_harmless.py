"""What looks like a fault and is none: the verdict must come out right all the same, and nothing must be left."""

import contextlib
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import pytest

from deploy.build_folder import BuildFolder
from deploy.cli.main import run

pytestmark = pytest.mark.system
Deploy: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


def deploy(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "deploy", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def deploy_here(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The same in this process."""
    with contextlib.chdir(folder):
        status = run([str(word) for word in words])
    return subprocess.CompletedProcess(words, status, "", "")


@pytest.mark.parametrize(
    ("name", "deploy"),
    [("größe 模型 %s {x} @1,2", deploy), ("n" * 120, deploy_here)],
    ids=["of any letters", "long"],
)
def test_folders_of_any_name(tiny_tflite: Path, tmp_path: Path, name: str, deploy: Deploy) -> None:
    folder = tmp_path / name / name[:60]
    folder.mkdir(parents=True)
    model = Path(shutil.copy(tiny_tflite, folder / f"{name[:40]}.tflite"))
    done = deploy(folder, "compile", model.name, "--npu", "U55-128", "-o", "build/b", "-q")
    assert done.returncode == 0, done.stderr
    done = deploy(folder, "run-fvp", "build/b", "--fvp", "open", "--json", f"{name[:40]}.json", "-q")
    assert done.returncode == 0, done.stderr
    assert (folder / f"{name[:40]}.json").is_file()


def test_two_compilations_into_one_folder_leave_a_whole_build(tiny_tflite: Path, tmp_path: Path) -> None:
    words = ["compile", tiny_tflite, "--npu", "U55-128", "-o", "b", "-q"]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: deploy(tmp_path, *words), range(2)))
    assert 0 in [each.returncode for each in done]
    assert all(each.returncode in (0, 2) and "Traceback" not in each.stderr for each in done), done
    BuildFolder.open(tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_two_runs_of_one_build_do_not_disturb_each_other(built: Path, tmp_path: Path) -> None:
    words = ["run-fvp", built, "--fvp", "open", "--count", "2", "-q"]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: deploy(tmp_path, *words), range(2)))
    assert [each.returncode for each in done] == [0, 0], done


def test_the_terminals_usual_port_is_taken(built: Path, tmp_path: Path) -> None:
    """Firmware that never answers: what matters is that the terminal was reached, on another port."""
    from .running import FOREVER, elf

    (tmp_path / "f.elf").write_bytes(elf(40, FOREVER))
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # taken already, by a machine of a test beside this one
            taken.bind(("127.0.0.1", 5000))
            taken.listen()
        done = deploy(tmp_path, "run-fvp", built, "--fvp", "open", "--firmware", "f.elf", "--timeout", "1", "-q")
    assert done.returncode == 4
    assert "no hello within 1 s" in done.stderr
