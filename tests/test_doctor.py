"""The doctor tells what is there and what to type for what is not."""

import json
import stat
from pathlib import Path

import pytest

from deploy import doctor
from deploy.cli.main import run


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


def test_the_places_searched_for_arms_fvp_are_named() -> None:
    finding = found()["Arm FVP Corstone-300 U55"]
    if finding.state != "ok":
        assert "PATH" in finding.remedy
        assert "/opt/VHT" in finding.remedy


def test_json_carries_the_same_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    names = [finding["name"] for finding in json.loads(capsys.readouterr().out)]
    assert names == [finding.name for finding in doctor.examine()]
