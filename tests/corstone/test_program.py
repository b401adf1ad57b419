"""What is looked for in a program before it runs."""

from pathlib import Path

import pytest
from elf_files import NONE, Part, elf

from deploy.corstone.command_line import parse_options
from deploy.corstone.images import Images, load_images
from deploy.corstone.program import Program, program
from deploy.errors import BadInputError

GATEWAY = bytes.fromhex("7fe97fe9")
CODE = [("$t", 0, 0, NONE)]


@pytest.fixture
def found(tmp_path: Path):
    def look(code: bytes, *words: str, data: bytes | None = None) -> Program:
        path = tmp_path / "program.axf"
        path.write_bytes(elf(Part(0, bytes(64) + code, CODE)))
        arguments = ["-a", str(path), *words]
        if data is not None:
            (tmp_path / "data.bin").write_bytes(data)
            arguments += ["--data", f"{tmp_path / 'data.bin'}@0x11000000"]
        options = parse_options(arguments)
        return program(options, load_images(options.applications, options.model, data=options.data))

    return look


@pytest.mark.parametrize("code", [GATEWAY, b"\0\0" + GATEWAY])
def test_a_gateway_is_found_in_an_application(found, code: bytes) -> None:
    assert found(code).gateways
    assert not found(code[:-1]).gateways


def test_a_gateway_is_found_in_data_that_is_loaded_beside_it(found) -> None:
    assert found(b"", data=bytes(100) + GATEWAY).gateways
    assert found(b"", data=bytes((1 << 20) - 1) + GATEWAY).gateways  # as files are read
    assert not found(b"", data=bytes(100)).gateways
    assert not found(b"", data=b"").gateways


def test_a_gateway_is_found_in_an_application_that_was_changed() -> None:
    options = parse_options([])
    assert program(options, Images((bytes(3) + GATEWAY,))).gateways
    assert not program(options, Images((bytes(30),))).gateways


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    options = parse_options(["-C", "cpu0.semihosting-enable=1"])
    with pytest.raises(BadInputError, match=r"gone\.axf: cannot be read"):
        program(options, Images((tmp_path / "gone.axf",)))


def test_where_a_debugger_may_load_another_program_there_may_be_gateways(found) -> None:
    assert found(b"", "--gdb", "3333").gateways


def test_calls_are_looked_for_where_the_program_may_call_its_host(found) -> None:
    breakpoint_ = bytes.fromhex("abbe")
    assert found(breakpoint_).calls is None
    assert found(breakpoint_, "-C", "cpu0.semihosting-enable=1").calls == {64}
