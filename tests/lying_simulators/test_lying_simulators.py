"""Simulators whose answers arrive whole and are wrong: none passes ``run-fvp`` with default options."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from liar import ARM, liar
from trained_networks import SATURATED

from deploy.build_folder import BuildFolder
from deploy.cli.main import run

pytestmark = [pytest.mark.early, pytest.mark.system]

LIES = ("plus-one", "plus-one-once", "replay", "stale", "stuck", "swapped", "other-input", "idle")


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[BuildFolder, tuple[str, ...]], Path]:
    """What a simulator remembers of an honest run of a build, which is made once for all lies."""

    @functools.cache
    def earlier(build: Path, options: tuple[str, ...]) -> Path:
        program = liar(tmp_path_factory.mktemp("earlier") / "liar", "honest", BuildFolder.open(build))
        assert run(["run-fvp", str(build), "--fvp", str(program), "-q", *options, "--seed", "1"]) == 0
        return program.parent / "memory"

    return lambda build, options: earlier(build.path, options)


Told = Callable[..., int]


@pytest.fixture
def told(remembered: Callable[[BuildFolder, tuple[str, ...]], Path]) -> Told:
    """The exit status when a lying simulator runs a build with default options; it remembers an earlier run."""

    def told(folder: Path, lie: str, build: BuildFolder, *options: str, version: str = "") -> int:
        program = liar(folder / "liar", lie, build, version=version)
        if lie in ("replay", "stale"):
            shutil.copytree(remembered(build, options), program.parent / "memory", dirs_exist_ok=True)
        # Of the few answers between the ends of its range, two runs may by chance meet the same.
        return run(["run-fvp", str(build.path), "--fvp", str(program), "-q", *options, "--seed", "2"])

    return told


@pytest.mark.parametrize("firmware", ["runner", pytest.param("npu", marks=pytest.mark.slow)])
@pytest.mark.parametrize("lie", LIES)
def test_no_lie_passes(told: Told, lie: str, firmware: str, built: Path, in_folder: Path) -> None:
    assert told(in_folder, lie, BuildFolder.open(built), "--firmware", firmware) == 1


@pytest.mark.parametrize("lie", ["plus-one-once", "replay"])
def test_no_lie_passes_from_a_simulator_that_says_it_is_arms(
    told: Told, lie: str, built: Path, in_folder: Path
) -> None:
    assert told(in_folder, lie, BuildFolder.open(built), version=ARM) == 1


@pytest.mark.parametrize("name", SATURATED)
@pytest.mark.parametrize("lie", ["replay", "stale", "stuck"])
def test_no_answer_that_never_changes_passes_for_a_network_that_is_sure_of_noise(
    told: Told, lie: str, name: str, saturated: dict[str, BuildFolder], in_folder: Path
) -> None:
    assert told(in_folder, lie, saturated[name]) == 1


def test_the_same_simulator_passes_when_it_tells_the_truth(told: Told, built: Path, in_folder: Path) -> None:
    build = BuildFolder.open(built)
    assert told(in_folder, "honest", build) == 0
    assert told(in_folder / "arm", "honest", build, version=ARM) == 0
    assert told(in_folder / "npu", "honest", build, "--firmware", "npu") == 0
