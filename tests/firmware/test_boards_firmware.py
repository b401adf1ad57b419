"""A further board is a file: its firmware is rendered, builds, and lies in its own memories."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.errors import BadInputError
from deploy.firmware_project.firmware_build import build_project, npu_firmware, project_folder, write_project
from deploy.firmware_project.firmware_network import read_network
from deploy.firmware_project.rendering import render_project
from deploy.hardware import boards
from deploy.hardware.boards import firmware_board

CHANGES = {
    'name = "Corstone-300"': 'name = "Small"',
    'default_for = ["U55", "U65"]': "default_for = []",
    'SRAM = { size = "2M", nonsecure = 0x2100_0000, secure = 0x3100_0000,': (
        'SRAM = { size = "1M", nonsecure = 0x2180_0000, secure = 0x3180_0000,'
    ),
    "secure = 0x5930_3000": "secure = 0x5930_4000",
    "receive_interrupt = 33": "receive_interrupt = 44",
    "interrupt = 56": "interrupt = 16",
    'family = "U55"': 'family = "U55"\nmacs = [128]',
}
"""A board that there is not: less SRAM and elsewhere, another UART, interrupts in another order, one NPU."""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[boards.Board]:
    """The made-up board beside the real ones."""
    folder = tmp_path / "boards"
    folder.mkdir()
    for board_id in boards.board_ids():
        (folder / f"{board_id}.toml").write_text((boards._FOLDER / f"{board_id}.toml").read_text())
    text = (folder / "corstone-300.toml").read_text()
    for old, new in CHANGES.items():
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    for section in (r"\[+open\b.*?\n\n", r"\[fvp\].*?(?=# The NPUs)"):
        text = re.sub(section, "", text, flags=re.DOTALL)
    (folder / "a-small.toml").write_text(text)
    cached = (boards.board_ids, boards.board_table, boards.board, boards.hardware)
    monkeypatch.setattr(boards, "_FOLDER", folder)
    for each in cached:
        each.cache_clear()
    try:
        yield firmware_board("Small")
    finally:
        for each in cached:
            each.cache_clear()


def test_everything_that_is_rendered_follows_from_its_file(small_build: BuildFolder, small: boards.Board) -> None:
    project = {
        name: content.decode()
        for name, content in render_project(read_network(small_build, board=small), "npu").items()
    }
    board = project["source/board.h"]
    for line in ("UART_BASE 0x59304000u", "UART_RX_IRQ 44", "NPU_BASE 0x58102000u", "NPU_IRQ 16"):
        assert f"#define BOARD_{line}\n" in board
    assert "    SRAM (rw)  : ORIGIN = 0x31800000, LENGTH = 1M\n" in project["linker/a-small.ld"]
    assert "\nSRAM 0x31800000 0x00100000 {\n" in project["linker/a-small.sct"]
    assert "on Small" in project["README.md"]
    assert not any("Corstone-300" in text or "corstone-300" in text for text in project.values())


def test_the_compiler_is_told_the_boards_processor(small_build: BuildFolder, small: boards.Board) -> None:
    assert small.hardware is not None
    newer = replace(small, hardware=replace(small.hardware, cpu=replace(small.hardware.cpu, name="Cortex-M85")))
    project = render_project(read_network(small_build, board=newer), "npu")
    for toolchain in ("arm-none-eabi-gcc", "armclang", "llvm"):
        assert b"-mcpu=cortex-m85 " in project[f"cmake/{toolchain}.cmake"]


@pytest.mark.usefixtures("toolchain")
def test_its_firmware_builds_and_lies_in_its_own_memories(
    small_build: BuildFolder, small: boards.Board, tmp_path: Path
) -> None:
    write_project(small_build, "npu", board=small, folder=tmp_path / "project")
    elf = build_project(tmp_path / "project")
    table = subprocess.run(["arm-none-eabi-objdump", "-h", elf], capture_output=True, text=True, check=True).stdout
    arena = re.search(r"\.tensor_arena +\w+ +(\w+)", table)
    assert arena is not None and int(arena[1], 16) == 0x3180_0000
    symbols = subprocess.run(["arm-none-eabi-nm", elf], capture_output=True, text=True, check=True).stdout
    found = {name: int(address, 16) for address, _, name in map(str.split, symbols.splitlines())}
    dump = ["arm-none-eabi-objcopy", "-O", "binary", "-j", ".vectors", elf, tmp_path / "vectors"]
    subprocess.run(dump, check=True)
    vectors = memoryview((tmp_path / "vectors").read_bytes()).cast("I")
    assert len(vectors) == 16 + 64
    handlers = {16: "NPU_Handler", 44: "UART_Handler"}
    for number in range(64):
        assert vectors[16 + number] == found[handlers.get(number, "Default_Handler")] | 1


def test_a_network_for_an_npu_that_it_does_not_have_is_refused(
    u65_build: BuildFolder, small_build: BuildFolder, small: boards.Board
) -> None:
    one = replace(small, name="One", npus={"U55": (64,)})
    with pytest.raises(BadInputError, match="no firmware for Ethos-U55-128: One has U55-64"):
        read_network(small_build, board=one)
    with pytest.raises(BadInputError, match="no firmware for Ethos-U65-256: One has U55-64"):
        read_network(u65_build, board=one)


@pytest.mark.usefixtures("toolchain")
def test_the_firmware_of_two_boards_does_not_share_a_folder(small_build: BuildFolder, small: boards.Board) -> None:
    own, other = npu_firmware(small_build), npu_firmware(small_build, small)
    assert own != other
    assert npu_firmware(small_build, small) == other
    assert project_folder(small_build, "npu", small).name == "firmware-npu-a-small"
    assert other.parents[1].name == "firmware-npu-a-small"


@pytest.mark.usefixtures("toolchain")
def test_the_command_line_names_the_board_or_deploy_toml_does(
    small_build: BuildFolder,
    small: boards.Board,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["firmware", str(small_build.path), "-o"]
    assert run([*words, "a", "--board", "small"]) == 0
    assert (tmp_path / "a" / "linker" / "a-small.ld").is_file()
    (tmp_path / "deploy.toml").write_text('board = "small"\n')
    assert run([*words, "b"]) == 0
    assert (tmp_path / "b" / "linker" / "a-small.ld").is_file()
    capsys.readouterr()
    assert run([*words, "built", "--build"]) == 0
    assert f"then deploy run-board {small_build.path} --port PORT" in capsys.readouterr().out
    assert run([*words, "c", "--board", "corstone-300"]) == 0
    assert (tmp_path / "c" / "linker" / "corstone-300.ld").is_file()
    capsys.readouterr()
    assert run([*words, "d", "--board", "smal"]) == 2
    said = capsys.readouterr().err
    assert "--board smal: no such board" in said and "known: a-small, corstone-300" in said
