"""Firmware for Corstone-310 and Corstone-320: what is rendered, and what the compiler makes of it."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.corstone.relocation import relocate
from deploy.corstone.stand_in import stand_in
from deploy.firmware_project.firmware_build import build_project, npu_firmware, project_folder, write_project
from deploy.firmware_project.firmware_network import read_network
from deploy.firmware_project.rendering import render_project
from deploy.hardware.boards import board


def project(build: BuildFolder, board_id: str, runtime: str = "npu") -> dict[str, str]:
    files = render_project(read_network(build, board=board(board_id)), runtime)
    return {name: content.decode() for name, content in files.items()}


def addresses(elf: Path) -> dict[str, int]:
    """Section -> where it lies."""
    table = subprocess.run(["arm-none-eabi-objdump", "-h", elf], capture_output=True, text=True, check=True).stdout
    return {name: int(address, 16) for name, address in re.findall(r"^ +\d+ (\.\S+) +\w+ +(\w+)", table, re.M)}


def test_each_board_has_its_own_addresses(small_build: BuildFolder, u85_build: BuildFolder) -> None:
    for build, board_id, uart, code in (
        (small_build, "corstone-310", "0x59303000u", "0x11000000"),
        (u85_build, "corstone-320", "0x58203000u", "0x12000000"),
    ):
        files = project(build, board_id)
        assert f"#define BOARD_UART_BASE {uart}\n" in files["source/board.h"]
        assert "#define BOARD_NPU_BASE 0x50004000u\n#define BOARD_NPU_IRQ 16\n" in files["source/board.h"]
        assert f"    BRAM (rx)  : ORIGIN = {code}, LENGTH = 2M\n" in files[f"linker/{board_id}.ld"]
        for toolchain in ("arm-none-eabi-gcc", "llvm", "armclang"):
            assert "-mcpu=cortex-m55 " in files[f"cmake/{toolchain}.cmake"]


def test_a_project_has_the_driver_of_its_npus_family(small_build: BuildFolder, u85_build: BuildFolder) -> None:
    u55, u85 = project(small_build, "corstone-310"), project(u85_build, "corstone-320")
    assert '#define ETHOSU_FAMILY_NAME "Ethos-U55 or U65"' in u55["source/ethosu_family.h"]
    assert '#define ETHOSU_FAMILY_NAME "Ethos-U85"' in u85["source/ethosu_family.h"]
    assert not any("ethosu_family_" in name for name in (*u55, *u85))


def test_the_stack_leaves_room_for_variables_in_a_small_memory(
    small_build: BuildFolder, u85_build: BuildFolder
) -> None:
    sizes = {
        board_id: re.search(r"STACK_SIZE = (\d+)", project(build, board_id, "tflm")[f"linker/{board_id}.ld"])
        for build, board_id in ((small_build, "corstone-300"), (u85_build, "corstone-320"))
    }
    assert {board_id: found and int(found[1]) for board_id, found in sizes.items()} == {
        "corstone-300": 64 * 1024,
        "corstone-320": 24 * 1024,
    }


def test_a_build_for_u85_is_rendered_for_corstone_320_without_being_told(
    u85_build: BuildFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["firmware", str(u85_build.path)]) == 0
    assert (u85_build.path / "firmware-npu" / "linker" / "corstone-320.ld").is_file()
    assert project_folder(u85_build, "npu", board("corstone-320")) == u85_build.path / "firmware-npu"
    capsys.readouterr()
    assert run(["firmware", str(u85_build.path), "--board", "corstone-310", "-o", str(tmp_path / "other")]) == 2
    assert "no firmware for Ethos-U85-256: Corstone-310 has U55 and U65" in capsys.readouterr().err


@pytest.mark.usefixtures("toolchain")
def test_firmware_for_corstone_320_can_be_moved_and_its_network_stays_as_it_is(u85_build: BuildFolder) -> None:
    """Vectors where a reset looks, and no number of a network that is taken for an address."""
    elf = npu_firmware(u85_build, board("corstone-320"))
    found = addresses(elf)
    assert (found[".vectors"], found[".text"]) == (0x1100_0000, 0x1200_0000)
    assert (found[".stack"] >> 24, found[".fast_memory"], found[".network_data"]) == (
        0x30,
        0x3100_0000,
        0x7000_0000,
    )
    content = bytearray(elf.read_bytes())
    at = content.index(read_network(u85_build).weights[:64])
    assert at % 4 == 0
    numbers = struct.pack("<4I", 0x1200_0000, 0x1200_0101, 0x5820_3000, 0x7000_0000)
    content[at : at + 16] = numbers
    model = stand_in("corstone-320", "U85")
    moved = relocate(bytes(content), model.moves)
    assert moved.content[at : at + 16] == numbers
    assert {move.name for move in moved.words} == {"BRAM", "UART0"}


@pytest.mark.slow
@pytest.mark.usefixtures("toolchain")
@pytest.mark.parametrize("name", ["small_build", "u65_build"])
def test_firmware_for_corstone_310_builds(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> None:
    write_project(request.getfixturevalue(name), "npu", board=board("corstone-310"), folder=tmp_path)
    found = addresses(build_project(tmp_path))
    assert (found[".vectors"], found[".stack"] >> 24) == (0x1100_0000, 0x30)


@pytest.mark.system
@pytest.mark.usefixtures("toolchain")
@pytest.mark.parametrize(
    ("name", "machine"),
    [
        ("u85_build", "open"),
        ("small_build", "open:corstone-310"),
        pytest.param("u65_build", "open:corstone-310", marks=pytest.mark.slow),
    ],
)
def test_npu_firmware_answers_on_the_open_machine_as_the_npu_model_does(
    request: pytest.FixtureRequest, name: str, machine: str, tmp_path: Path
) -> None:
    build: BuildFolder = request.getfixturevalue(name)
    document = tmp_path / "verdict.json"
    words = ["run-fvp", str(build.path), "--firmware", "npu", "--fvp", machine, "--count", "3", "-q"]
    assert run([*words, "--json", str(document)]) == 0
    verdict = json.loads(document.read_text())
    assert (verdict["verdict"], verdict["inputs"], verdict["firmware"]["kind"]) == ("pass", 3, "npu")
    assert verdict["platform"]["npu"] == build.document.npu
    figures = {figure["name"]: figure["value"] for figure in verdict["figures"]}
    assert figures["target_npu_active_cycles"] > 0


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize(("name", "machine"), [("u85_build", "corstone-320"), ("u65_build", "corstone-310")])
def test_tflm_firmware_answers_on_the_open_machine(
    request: pytest.FixtureRequest, name: str, machine: str
) -> None:
    """Needs a TFLM build, which this repository does not hold: ``DEPLOY_TFLM`` names its root."""
    tflm = os.environ.get("DEPLOY_TFLM")
    if not tflm:
        pytest.skip("DEPLOY_TFLM names no TFLM build")
    build: BuildFolder = request.getfixturevalue(name)
    words = [str(build.path), "--runtime", "tflm", "--tflm", tflm, "--board", machine, "--build", "-q"]
    assert run(["firmware", *words]) == 0
    words = ["run-fvp", str(build.path), "--firmware", "tflm", "--fvp", f"open:{machine}", "--count", "3", "-q"]
    assert run(words) == 0
