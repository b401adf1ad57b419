"""Cycles of a network: Vela's own, or the roofline's; known ones are not computed again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInputError, NotInstalledError
from deploy.hardware.npus import npu_named
from deploy.models.mobilenetv4 import search
from deploy.models.mobilenetv4.search_space import block_space, network_of, stages, width_space
from deploy.processes import warm
from deploy.searching import oracle
from deploy.searching.finding import Searched
from deploy.searching.oracle import VelaOracle, oracle_of, versions_of
from deploy.searching.problem import Problem
from deploy.sweeping.cache import Cache

pytestmark = pytest.mark.tensorflow

IMAGES = np.random.default_rng(1).random((8, 28, 28, 1), dtype=np.float32)
PROBLEM = Problem(
    stages=stages(28), build=search.build, train=lambda _model: 0.5, training="none", calibration=IMAGES
)
FOUND = Searched("models:mobilenetv4", {}, replace(PROBLEM, layers=search.layers))


@pytest.mark.slow
def test_all_oracles_agree_roughly_and_the_cache_answers_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npu, cache = npu_named("U55-128"), Cache(tmp_path)
    network = block_space(network_of(width_space(28).describe((1, 1, 1)))).describe((0, 4, 3, 8, 7, 2))
    first = {name: oracle_of(name, npu, FOUND, cache)(network) for name in ("vela", "roofline")}
    # The project that does not tell its layers: those of the quantized network, but for the weights' compression.
    untold = oracle_of("roofline", npu, replace(FOUND, problem=PROBLEM), cache)(network)
    warm.close_pools()
    cycles = {name: next(f.value for f in figures if f.name == "total_cycles") for name, figures in first.items()}
    assert 1 / 1.3 < cycles["roofline"] / cycles["vela"] < 1.3
    assert untold[0].value == pytest.approx(cycles["roofline"], rel=0.05)
    assert {figure.label for figures in first.values() for figure in figures} == {"estimate"}
    assert {figure.name for figure in first["vela"]} == {"total_cycles", "inference_time", "sram_peak", "flash"}

    def refuse(_problem: Problem, _network: object) -> bytes:
        raise AssertionError("quantized again")

    monkeypatch.setattr(oracle, "quantized", refuse)
    for name in ("vela", "roofline"):
        assert oracle_of(name, npu, FOUND, cache)(network) == first[name]
    for other in (
        VelaOracle(npu_named("U55-64"), FOUND, cache),
        VelaOracle(npu, FOUND, Cache(tmp_path / "b")),
        VelaOracle(npu, replace(FOUND, model="mine.py:problem"), cache),
        VelaOracle(npu, replace(FOUND, versions={"mine.py": "0"}), cache),
        VelaOracle(npu, replace(FOUND, problem=replace(PROBLEM, calibration=IMAGES / 2)), cache),
    ):
        with pytest.raises(AssertionError, match="quantized again"):
            other(network)


def test_versions_are_those_that_figures_depend_on() -> None:
    assert {"ethos-u-vela", "deploy", "tensorflow", "keras"} <= set(versions_of("vela"))
    assert "ethos-u-vela" not in versions_of("roofline")


@pytest.mark.parametrize("name", ["U55-128", "U85-256"])
def test_the_roofline_tells_cycles_of_every_family(name: str, tmp_path: Path) -> None:
    network = width_space(28).describe((0, 0, 0))
    [figure] = oracle_of("roofline", npu_named(name), FOUND, Cache(tmp_path))(network)
    assert figure.source == f"roofline of {name}" and figure.value > 0


def test_calibration_data_that_does_not_fit_the_network_is_refused() -> None:
    network = width_space(28).describe((0, 0, 0))
    with pytest.raises(BadInputError, match=r"calibration data: .* shape \[8, 27, 28, 1\]"):
        oracle.quantized(replace(PROBLEM, calibration=IMAGES[:, 1:]), network)


def test_training_needs_the_data_set_and_as_many_images_as_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="not installed") as caught:
        search.ShortTraining(size=28, samples=64, epochs=1, seed=1, folder=tmp_path)
    assert caught.value.hints == ("apt-get install dataset-fashion-mnist",)
    with pytest.raises(BadInputError, match=f"--samples 60000: 1 to 55,000; {search.VALIDATION:,} more"):
        search.problem(samples=60_000)
