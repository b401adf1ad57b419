"""Projects compile without a warning, stay small, and hold neither heap nor third-party code."""

from __future__ import annotations

import graphlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.errors import BadInputError, NotInstalledError, TargetError
from deploy.firmware_project.firmware_build import (
    build_project,
    cache_folder,
    elf_path,
    npu_firmware,
    project_folder,
    tflm_firmware,
    write_project,
)
from deploy.firmware_project.rendering import ARM_DRIVER_SOURCES, DRIVER_SOURCES

MAX_CODE_BYTES = 16 * 1024
pytestmark = pytest.mark.usefixtures("toolchain")


@pytest.fixture(scope="module")
def npu_elf(small_build: BuildFolder) -> Path:
    return npu_firmware(small_build)


def sections(elf: Path) -> dict[str, tuple[int, int]]:
    """Name -> (size, address) of an ELF's sections."""
    output = subprocess.run(["arm-none-eabi-size", "-A", elf], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^(\.\S+)\s+(\d+)\s+(\d+)$", output, re.MULTILINE)
    return {name: (int(size), int(address)) for name, size, address in rows}


def test_the_npu_firmware_is_small(npu_elf: Path) -> None:
    found = sections(npu_elf)
    code = sum(found[name][0] for name in (".vectors", ".text"))
    assert 4096 < code <= MAX_CODE_BYTES


def test_there_is_no_heap_in_it(npu_elf: Path) -> None:
    symbols = subprocess.run(["arm-none-eabi-nm", npu_elf], capture_output=True, text=True, check=True).stdout
    assert "server_run" in symbols
    assert not re.search(r"\b_*(malloc|calloc|free|sbrk|printf)", symbols)


def test_nothing_the_npu_touches_lies_in_a_tcm(npu_elf: Path, u65_build: BuildFolder) -> None:
    shared, dedicated = sections(npu_elf), sections(npu_firmware(u65_build))
    assert shared[".network_data"][1] >= 0x70000000
    assert 0x31000000 <= shared[".tensor_arena"][1] < 0x31200000
    assert dedicated[".tensor_arena"][1] >= 0x70000000
    assert 0x31000000 <= dedicated[".fast_memory"][1] < 0x31200000
    assert all(found[".vectors"][1] == 0 for found in (shared, dedicated))


def test_a_second_build_does_nothing_and_a_changed_source_is_seen(small_build: BuildFolder, npu_elf: Path) -> None:
    first = npu_elf.stat().st_mtime_ns
    assert npu_firmware(small_build) == npu_elf
    assert npu_elf.stat().st_mtime_ns == first
    source = cache_folder(small_build, "npu") / "source" / "message.c"
    source.write_bytes(source.read_bytes() + b"\n#error edited\n")
    npu_firmware(small_build)  # renders it again
    assert b"edited" not in source.read_bytes()
    assert npu_elf.stat().st_mtime_ns > first


def test_what_run_fvp_boots_is_built_apart_from_the_project_that_a_user_edits(
    small_build: BuildFolder, npu_elf: Path
) -> None:
    write_project(small_build, "npu")
    header = project_folder(small_build, "npu") / "source" / "board.h"
    header.write_text("#error edited\n")
    assert npu_firmware(small_build) == npu_elf
    assert header.read_text() == "#error edited\n"
    with pytest.raises(BadInputError, match=r"source/board\.h \(edited since\)"):
        write_project(small_build, "npu")
    write_project(small_build, "npu", force=True)
    assert "edited" not in header.read_text()


def test_a_project_builds_on_its_own_where_it_is_copied_to(small_build: BuildFolder, tmp_path: Path) -> None:
    write_project(small_build, "npu", folder=tmp_path / "here")
    elf = build_project(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    again = build_project(tmp_path / "there")
    assert again.read_bytes() == (tmp_path / "there" / "build" / "firmware.elf").read_bytes()
    assert elf != again


def test_llvm_builds_the_same_project(small_build: BuildFolder, tmp_path: Path) -> None:
    for program in ("clang", "ld.lld"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    write_project(small_build, "npu", folder=tmp_path)
    command = ["cmake", "-S", tmp_path, "-B", tmp_path / "build", "-DCMAKE_TOOLCHAIN_FILE=cmake/llvm.cmake"]
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run(["cmake", "--build", tmp_path / "build"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = sections(tmp_path / "build" / "firmware.elf")
    assert found[".vectors"][0] + found[".text"][0] <= MAX_CODE_BYTES


def test_an_error_in_a_source_is_shown_with_exit_status_4(small_build: BuildFolder, tmp_path: Path) -> None:
    write_project(small_build, "npu", folder=tmp_path)
    (tmp_path / "source" / "main.c").write_text("#error broken on purpose\n")
    with pytest.raises(TargetError) as caught:
        build_project(tmp_path)
    assert caught.value.exit_status == 4
    assert any("broken on purpose" in line for line in caught.value.log)


def test_a_missing_compiler_is_exit_status_3(
    small_build: BuildFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(small_build, "npu", folder=tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalledError, match="arm-none-eabi-gcc"):
        build_project(tmp_path)


def test_the_command_line_renders_and_builds(
    small_build: BuildFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["firmware", str(small_build.path), "-o", str(tmp_path / "p"), "--build"]) == 0
    assert "tensor arena:" in capsys.readouterr().out
    assert (tmp_path / "p" / "build" / "firmware.elf").is_file()
    assert (tmp_path / "p" / "README.md").is_file()


def test_tflm_firmware_is_never_guessed(small_build: BuildFolder) -> None:
    with pytest.raises(BadInputError, match="there is no TFLM firmware yet"):
        tflm_firmware(small_build)
    assert not elf_path(project_folder(small_build, "tflm")).exists()


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        (["--runtime", "tflm", "--build"], 2, "needs --tflm DIR"),
        (["--runtime", "tflm", "--tflm", "/does/not/exist"], 2, "no such folder"),
        (["--runtime", "zephyr"], 2, "known are npu and tflm"),
        (["--tflm", "/tmp"], 2, "belongs to --runtime tflm"),  # noqa: S108
    ],
)
def test_wrong_options_say_what_is_expected(
    small_build: BuildFolder, capsys: pytest.CaptureFixture[str], words: list[str], status: int, expected: str
) -> None:
    assert run(["firmware", str(small_build.path), *words]) == status
    assert expected in capsys.readouterr().err


def test_operators_on_the_cpu_point_to_the_tflm_runtime(
    cpu_build: BuildFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["firmware", str(cpu_build.path)]) == 2
    error = capsys.readouterr().err
    assert "ethos-u, LOG_SOFTMAX" in error
    assert "--runtime tflm" in error


@pytest.fixture(scope="module")
def tflm_objects(small_build: BuildFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C sources of the ``tflm`` project, those for either driver, compiled without a warning.

    Linking needs a TFLM build, which not everybody has; ``test_on_corstone`` does it where there is one.
    """
    folder = tmp_path_factory.mktemp("tflm")
    write_project(small_build, "tflm", folder=folder)
    flags = ["-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    flags += ["-DNPU_TIMEOUT_MS=5000u", f"-I{folder / 'source'}", f"-I{folder / 'model'}"]
    sources = [*(folder / "source").glob("*.c"), folder / "model" / "network.c"]
    command = ["arm-none-eabi-gcc", *flags, "-c", *map(str, sources)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def symbols(obj: Path) -> tuple[set[str], set[str]]:
    """What an object defines, and what it needs (or may need) from others."""
    listing = subprocess.run(["arm-none-eabi-nm", "-g", obj], capture_output=True, text=True, check=True).stdout
    rows = [line.split()[-2:] for line in listing.splitlines()]
    return {name for kind, name in rows if kind not in "UwW"}, {name for kind, name in rows if kind in "UwW"}


@pytest.mark.parametrize("driver", ["own", "arm"])
def test_no_two_sources_need_each_other(tflm_objects: Path, driver: str) -> None:
    left_out = {Path(name).stem for name in (ARM_DRIVER_SOURCES if driver == "own" else DRIVER_SOURCES)}
    objects = {path.stem: symbols(path) for path in tflm_objects.glob("*.o") if path.stem not in left_out}
    # TFLM's headers are not here, so its runtime is read by name instead of being compiled.
    text = (tflm_objects / "source" / "runtime_tflm.cc").read_text()
    own = set(re.findall(r"^[\w *]*?\b(runtime_\w+)\(", text, re.MULTILINE))
    assert len(own) == 8
    objects["runtime_tflm"] = (own, set(re.findall(r"\w+", text)) - own)
    needs = {
        name: {other for other, (defined, _) in objects.items() if other != name and needed & defined}
        for name, (_, needed) in objects.items()
    }
    assert "runtime_tflm" in needs["server"] and "cpu" in needs["uart"]
    order = graphlib.TopologicalSorter(needs)
    order.prepare()  # a CycleError would name the circle


def test_arms_driver_gets_every_function_that_it_leaves_to_the_system(tflm_objects: Path) -> None:
    defined, _ = symbols(tflm_objects / "ethosu_system_arm.o")
    semaphores = {f"ethosu_semaphore_{what}" for what in ("create", "destroy", "take", "give")}
    mutexes = {f"ethosu_mutex_{what}" for what in ("create", "lock", "unlock")}
    assert defined >= {*semaphores, *mutexes, "ethosu_inference_begin", "ethosu_inference_end"}
    _, needed = symbols(tflm_objects / "ethosu_platform_arm.o")
    assert {name for name in needed if name.startswith("ethosu_")} == {
        "ethosu_init",
        "ethosu_irq_handler",
        "ethosu_system_limit",
    }
