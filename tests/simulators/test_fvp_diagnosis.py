"""Why a simulator does not start is told apart; the programs here are fakes that fail as real ones do."""

import stat
import struct
from pathlib import Path

import pytest

from deploy.errors import NotInstalledError
from deploy.hardware.npus import npu_named
from deploy.simulators import fvp_locate
from deploy.simulators.fvp_diagnosis import executable_format

U55 = npu_named("U55-128")
NAME = "FVP_Corstone_SSE-300_Ethos-U55"


def program(folder: Path, content: str | bytes) -> Path:
    path = folder / NAME
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def elf(machine: int, *, big_endian: bool = False) -> bytes:
    order = ">" if big_endian else "<"
    return (
        b"\x7fELF\x02"
        + bytes([2 if big_endian else 1])
        + bytes(10)
        + struct.pack(f"{order}HH", 2, machine)
        + bytes(44)
    )


def reason(path: Path) -> str:
    with pytest.raises(NotInstalledError) as error:
        fvp_locate.find(U55, str(path))
    assert "--fvp open" in " ".join(error.value.hints)
    return error.value.message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (elf(183), "aarch64"),
        (elf(62), "x86_64"),
        (elf(21, big_endian=True), "ppc64"),
        (elf(999), "ELF machine 999"),
        (b"MZ\x90\0", "Windows"),
        (b"\xcf\xfa\xed\xfe" + bytes(16), "macOS"),
        (b"#!/bin/sh\n", None),
        (b"\x7fELF", None),
        (b"", None),
    ],
)
def test_the_header_tells_the_machine(tmp_path: Path, content: bytes, expected: str | None) -> None:
    assert executable_format(program(tmp_path, content)) == expected


def test_a_wrong_architecture_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, elf(183))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert "wrong architecture: built for aarch64, this computer is x86_64" in reason(path)


def test_a_missing_shared_library_is_named(tmp_path: Path) -> None:
    said = f"{NAME}: error while loading shared libraries: libpython3.9.so.1.0: cannot open shared object file"
    path = program(tmp_path, f"#!/bin/sh\necho '{said}' >&2\nexit 127\n")
    assert "a shared library is missing: libpython3.9.so.1.0" in reason(path)


def test_a_shared_library_that_is_too_old_is_named(tmp_path: Path) -> None:
    said = "/lib/libstdc++.so.6: version `GLIBCXX_3.4.29\\047 not found"
    path = program(tmp_path, f"#!/bin/sh\nprintf '{said}\\n' >&2\nexit 1\n")
    assert "no version GLIBCXX_3.4.29" in reason(path)


def test_a_licence_that_is_needed_is_said(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\necho 'Error: a license for FM_Simulator could not be obtained'\nexit 1\n")
    assert "needs a licence: Error: a license for FM_Simulator" in reason(path)


def test_a_loader_that_is_missing_is_told_from_a_missing_file(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/nonexistent/interpreter\n")
    assert "its loader or interpreter is missing" in reason(path)


def test_a_version_line_with_a_failing_status_is_no_simulator(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\necho 'Fast Models [11.27.42 (Dec  9 2024)]'\nexit 1\n")
    assert "not a Corstone simulator" in reason(path)


def test_docker_that_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalledError, match="docker is not installed"):
        fvp_locate.find(U55, "docker:fvp")
