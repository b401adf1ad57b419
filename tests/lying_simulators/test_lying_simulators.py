"""Simulators whose answers arrive whole and are wrong: none passes ``run-fvp`` with default options."""

from __future__ import annotations

from pathlib import Path

import pytest
from liar import ARM, liar
from trained_networks import NetworksUnavailableError, trained_networks

from deploy import api
from deploy.build_folder import BuildFolder
from deploy.cli.main import run

pytestmark = [pytest.mark.early, pytest.mark.system]

LIES = ("plus-one", "plus-one-once", "replay", "stale", "stuck", "swapped", "other-input", "idle")
SATURATED = ("keyword_spotting_alexa", "rock_paper_scissors", "tflite_micro_magic_wand")
"""Networks of others that answer noise with the ends of the range, always the same."""


@pytest.fixture(scope="session")
def saturated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BuildFolder]:
    """Builds of these networks."""
    try:
        networks = trained_networks()
    except NetworksUnavailableError as error:
        pytest.fail(str(error), pytrace=False)
    folder = tmp_path_factory.mktemp("saturated")
    return {name: api.compile(networks[name], output=folder / name) for name in SATURATED}


def told(folder: Path, lie: str, build: BuildFolder, *options: str, version: str = "") -> int:
    """The exit status when a lying simulator runs a build with default options; it remembers an earlier run."""
    program = liar(folder / "liar", lie, build, version=version)
    words = ["run-fvp", str(build.path), "--fvp", str(program), "-q", *options]
    if lie in ("replay", "stale"):
        run([*words, "--seed", "1"])
        (program.parent / "memory" / "over").touch()
    # Of the few answers that a network has between the ends of its range, two runs may by chance meet the same.
    return run([*words, "--seed", "2"])


@pytest.mark.parametrize("firmware", ["runner", pytest.param("npu", marks=pytest.mark.slow)])
@pytest.mark.parametrize("lie", LIES)
def test_no_lie_passes(lie: str, firmware: str, built: Path, in_folder: Path) -> None:
    assert told(in_folder, lie, BuildFolder.open(built), "--firmware", firmware) == 1


@pytest.mark.parametrize("lie", ["plus-one-once", "replay"])
def test_no_lie_passes_from_a_simulator_that_says_it_is_arms(lie: str, built: Path, in_folder: Path) -> None:
    assert told(in_folder, lie, BuildFolder.open(built), version=ARM) == 1


@pytest.mark.parametrize("name", SATURATED)
@pytest.mark.parametrize("lie", ["replay", "stale", "stuck"])
def test_no_answer_that_never_changes_passes_for_a_network_that_is_sure_of_noise(
    lie: str, name: str, saturated: dict[str, BuildFolder], in_folder: Path
) -> None:
    assert told(in_folder, lie, saturated[name]) == 1


def test_the_same_simulator_passes_when_it_tells_the_truth(built: Path, in_folder: Path) -> None:
    build = BuildFolder.open(built)
    assert told(in_folder, "honest", build) == 0
    assert told(in_folder / "arm", "honest", build, version=ARM) == 0
    assert told(in_folder / "npu", "honest", build, "--firmware", "npu") == 0
