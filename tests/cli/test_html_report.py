"""The report that a fork writes beside a run on a target: the same one, or one that is written here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.build_folder import REPORT_FILE, BuildFolder, verdict_path
from deploy.cli.html_report import ReportBeside, keep_verdict, refresh_report
from deploy.judging.verdict import Verdict
from deploy.verifying.host_session import host_origin

pytest.importorskip("vl_convert")


@pytest.fixture
def build(built: Path, tmp_path: Path) -> BuildFolder:
    return BuildFolder.open(shutil.copytree(built, tmp_path / "build"))


def verdict(build: BuildFolder) -> Verdict:
    return Verdict(
        verdict="pass",
        exit_status=0,
        reason="made up",
        reference="none",
        inputs=1,
        tolerance=1,
        platform=host_origin(build.document.npu).platform,
        firmware=None,
        build=str(build.path),
        model_sha256=build.document.compiled_sha256,
        versions={},
    )


def test_it_is_the_report_that_is_written_without_it_and_shows_the_verdict(build: BuildFolder) -> None:
    beside = ReportBeside(build)
    keep_verdict(build, "run-fvp", verdict(build), beside=beside)
    beside.close()
    written = (build.path / REPORT_FILE).read_text()
    assert "made up" in written
    assert verdict_path(build, "run-fvp").is_file()
    refresh_report(build)
    assert (build.path / REPORT_FILE).read_text() == written


def test_a_fork_that_has_ended_is_not_needed(build: BuildFolder) -> None:
    beside = ReportBeside(build)
    beside.close()
    (build.path / REPORT_FILE).unlink(missing_ok=True)
    keep_verdict(build, "run-fvp", verdict(build), beside=beside)
    assert "made up" in (build.path / REPORT_FILE).read_text()


def test_a_report_that_cannot_be_written_is_a_note_and_nothing_where_that_is_not_wanted(
    build: BuildFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    (build.path / REPORT_FILE).unlink(missing_ok=True)
    (build.path / REPORT_FILE).mkdir()
    beside = ReportBeside(build)
    assert beside.write(quiet=True)
    assert capsys.readouterr().err == ""
    assert beside.write()
    beside.close()
    assert capsys.readouterr().err.startswith("note: no HTML report: ")
