"""The doctor tells what is there and what to type for what is not."""

import functools
import importlib.metadata
import json
import platform
import stat
from pathlib import Path

import pytest

from deploy import doctor
from deploy.cli.main import run
from deploy.doctor import Together, combinations
from deploy.npu.core import library

VELA = functools.cache(doctor._vela)


@pytest.fixture(autouse=True)
def vela_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vela is a process of its own for a second, and the same for all tests here."""
    monkeypatch.setattr(doctor, "_vela", VELA)


def found() -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.examine()}


def test_on_this_machine_the_main_job_can_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    assert "the main job can run" in capsys.readouterr().out


def test_everything_that_is_not_ok_says_what_to_type() -> None:
    for finding in doctor.examine():
        assert finding.state == "ok" or finding.remedy, finding


def test_versions_are_those_of_the_tools_themselves() -> None:
    findings = found()
    assert findings["vela"].detail == findings["ethos-u-vela"].detail
    assert "mps3-an547" in findings["qemu-system-arm"].detail


def test_without_qemu_the_main_job_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["doctor"]) == 3
    out = capsys.readouterr().out
    assert "the main job cannot run: qemu-system-arm" in out
    assert "apt-get install qemu-system-arm" in out


def machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch, python: str = "", numpy: str = "", qemu: str | None = None
) -> None:
    """Pretend that these versions are installed, and no QEMU where none is named."""
    version = importlib.metadata.version
    monkeypatch.setattr(platform, "python_version", lambda: python)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: numpy if name == "numpy" else version(name))
    monkeypatch.setenv("PATH", str(folder))
    if qemu:
        fake = folder / "qemu-system-arm"
        fake.write_text(
            "#!/bin/sh\n"
            f'[ "$1" = --version ] && echo "QEMU emulator version {qemu}" || echo "mps3-an547  machine"\n'
        )
        fake.chmod(0o755)


@pytest.mark.parametrize("together", combinations(), ids=str)
def test_versions_that_were_tried_together_are_named(
    together: Together, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(tmp_path, monkeypatch, f"{together.python}.2", f"{together.numpy}.6", f"{together.qemu}.13")
    finding = found()["versions"]
    assert (finding.state, finding.detail) == ("ok", f"tried together: {together}")


@pytest.mark.parametrize(
    ("python", "numpy", "qemu"),
    [("3.11.2", "2.4.6", "99.1.0"), ("3.99.0", "2.4.6", "7.2.22"), ("3.11.2", "2.0.1", "7.2.22")],
)
def test_versions_that_nobody_tried_together_are_a_warning_that_names_those_who_were(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    python: str,
    numpy: str,
    qemu: str,
) -> None:
    machine(tmp_path, monkeypatch, python, numpy, qemu)
    finding = found()["versions"]
    assert (finding.state, finding.blocks) == ("untried", False)
    assert finding.detail == f"not tried together: Python {python}, NumPy {numpy}, QEMU {qemu}"
    assert run(["doctor"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "versions: tried were Python 3.11, NumPy 2.4, QEMU 7.2 (Debian 12); " in said


def test_without_qemu_the_other_versions_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(tmp_path, monkeypatch, "3.11.2", "2.4.6")
    assert found()["versions"].state == "ok"


def test_a_qemu_without_the_machine_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "qemu-system-arm"
    fake.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "QEMU emulator version 9.0.0" || echo "virt  machine"\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    finding = found()["qemu-system-arm"]
    assert (finding.state, finding.blocks) == ("broken", True)
    assert "no machine mps3-an547" in finding.detail


def test_without_the_compiled_core_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found()["NPU model's core"].state == "ok"
    monkeypatch.setattr(library, "native", lambda: None)
    finding = found()["NPU model's core"]
    assert (finding.state, finding.remedy) == ("optional", library.how_to_compile())


def test_the_places_searched_for_arms_fvp_are_named() -> None:
    finding = found()["Arm FVP Corstone-300 U55"]
    if finding.state != "ok":
        assert "PATH" in finding.remedy
        assert "/opt/VHT" in finding.remedy


def test_json_carries_the_same_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    names = [finding["name"] for finding in json.loads(capsys.readouterr().out)]
    assert names == [finding.name for finding in doctor.examine()]


def test_an_fvp_that_does_not_start_is_shown_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, body in (
        (
            "FVP_Corstone_SSE-300_Ethos-U55",
            'echo "error while loading shared libraries: libx.so.1: none"; exit 127',
        ),
        ("FVP_Corstone_SSE-310", "echo license checkout failed; exit 1"),
        ("FVP_Corstone_SSE-320", 'echo "Fast Models [11.27.25 (Dec  9 2024)]"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "VHT_Corstone_SSE-300_Ethos-U65").write_bytes(
        b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xf3\0" + bytes(44)
    )
    (tmp_path / "VHT_Corstone_SSE-300_Ethos-U65").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    findings = found()
    shown = {name: findings[f"Arm FVP Corstone-{name}"] for name in ("300 U55", "300 U65", "310 U55", "320 U85")}
    assert "shared library is missing: libx.so.1" in shown["300 U55"].detail
    assert "wrong architecture: built for riscv64" in shown["300 U65"].detail
    assert "needs a licence" in shown["310 U55"].detail
    assert shown["320 U85"].state == "ok"
    assert not any(finding.blocks for finding in shown.values())
    assert findings["Arm FVP Corstone-310 U65"].detail == "not found"


@pytest.mark.parametrize(
    ("body", "says"), [(None, "not found"), ("exit 1", "daemon does not answer"), ("echo 28.2", "")]
)
def test_docker_missing_silent_and_there_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str | None, says: str
) -> None:
    if body is not None:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = found()["docker"]
    assert says in finding.detail
    assert (finding.state == "ok") is (body == "echo 28.2")
