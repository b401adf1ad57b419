"""Cycles of a network: Vela's own, or the roofline's; known ones are not computed again."""

from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInputError, NotInstalledError
from deploy.hardware.npus import npu_named
from deploy.processes import warm
from deploy.searching.oracle import VelaOracle, oracle_of, versions_of
from deploy.searching.proxy import VALIDATION, Proxy
from deploy.searching.space import block_space, width_space
from deploy.sweeping.cache import Cache

pytestmark = pytest.mark.tensorflow

IMAGES = np.random.default_rng(1).random((8, 28, 28, 1), dtype=np.float32)


@pytest.mark.slow
def test_both_oracles_agree_roughly_and_the_cache_answers_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npu, cache = npu_named("U55-128"), Cache(tmp_path)
    space = block_space(width_space(28).network((1, 1, 1)))
    network = space.network((0, 4, 3, 8, 7, 2))
    first = {name: oracle_of(name, npu, IMAGES, cache)(network) for name in ("vela", "roofline")}
    warm.close_pools()
    cycles = {name: next(f.value for f in figures if f.name == "total_cycles") for name, figures in first.items()}
    assert 1 / 1.3 < cycles["roofline"] / cycles["vela"] < 1.3
    assert {figure.label for figures in first.values() for figure in figures} == {"estimate"}
    assert {figure.name for figure in first["vela"]} == {"total_cycles", "inference_time", "sram_peak", "flash"}

    def refuse(_self: VelaOracle, _network: object) -> bytes:
        raise AssertionError("quantized again")

    monkeypatch.setattr(VelaOracle, "_quantized", refuse)
    for name in ("vela", "roofline"):
        assert oracle_of(name, npu, IMAGES, cache)(network) == first[name]
    for other in (
        VelaOracle(npu_named("U55-64"), IMAGES, cache),
        VelaOracle(npu, IMAGES, Cache(tmp_path / "b")),
    ):
        with pytest.raises(AssertionError, match="quantized again"):
            other(network)


def test_versions_are_those_that_figures_depend_on() -> None:
    assert {"ethos-u-vela", "deploy", "tensorflow", "keras"} <= set(versions_of("vela"))
    assert "ethos-u-vela" not in versions_of("roofline")


def test_an_npu_that_the_roofline_does_not_cover_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="U85-256: the roofline covers"):
        oracle_of("roofline", npu_named("U85-256"), IMAGES, Cache(tmp_path))


def test_training_needs_the_data_set_and_as_many_images_as_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="not installed") as caught:
        Proxy(size=28, samples=64, epochs=1, seed=1, folder=tmp_path)
    assert caught.value.hints == ("apt-get install dataset-fashion-mnist",)
    with pytest.raises(BadInputError, match=f"--samples 60000: 1 to 55,000; {VALIDATION:,} more"):
        Proxy(size=28, samples=60_000, epochs=1, seed=1)
