"""The tools that tests hold imported: where a run starts anew, and what a warm one counts as its time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from warm_tools import TimedFromItsStart, WarmTool

from deploy.compiling import compiler, vela, vela_program
from deploy.processes import warm
from deploy.processes.supervisor import Ended
from deploy.quantizing import converter


@pytest.mark.parametrize("name", ["PATH", "PYTHONPATH", "TMPDIR"])
def test_a_run_starts_anew_where_a_test_has_changed_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, without_files = WarmTool("nothing", "nothing"), WarmTool("nothing", "nothing", temporary=False)
    assert tool.usable and without_files.usable
    monkeypatch.setenv(name, "/elsewhere")
    assert not tool.usable
    assert without_files.usable == (name == "TMPDIR")


def test_warm_vela_counts_its_start_so_that_checks_have_as_long_as_a_users(tmp_path: Path) -> None:
    timed = compiler.Timed(lambda _command, _folder, *, timeout_s: Ended(0, False, f"{timeout_s}"))
    assert isinstance(timed, TimedFromItsStart)
    assert timed([], tmp_path, timeout_s=1).output == "1"
    assert timed.seconds >= 1.0


def test_both_ways_to_run_vela_are_warm_here(monkeypatch: pytest.MonkeyPatch) -> None:
    from deploy.cli.latency import starting_vela

    shared = vela.Supervisor(limits=vela_program.LIMITS)
    with starting_vela() as run:
        assert isinstance(shared, WarmTool) and run == shared.run
    monkeypatch.setenv("PATH", "/elsewhere", prepend=os.pathsep)
    with starting_vela() as run:
        assert run != shared.run


def test_sweeps_and_searches_share_the_tools_and_have_their_own_in_another_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, imported in ((vela_program.MODULE, vela_program.IMPORTED), (converter.MODULE, "tensorflow")):
        assert isinstance(tool := warm.pool(module, imported), WarmTool)
        warm.close_pools()
        assert warm.pool(module, imported) is tool
    assert isinstance(warm.pool("json.tool", "json"), warm.WarmPool)
    monkeypatch.setenv("PATH", "/elsewhere", prepend=os.pathsep)
    assert isinstance(warm.pool(vela_program.MODULE, vela_program.IMPORTED), warm.WarmPool)
    warm.close_pools()
