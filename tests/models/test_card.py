"""The card's numbers: they are those of ``results.json``, good enough, and come out again when measured."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from deploy import zoo
from deploy.build_folder import sha256_of_file
from deploy.errors import BadInputError
from deploy.models.multihead_mobilenetv3 import fashion_mnist
from deploy.models.multihead_mobilenetv3.evaluate import NAME, compare, estimate, quantize_as_the_demo
from deploy.models.multihead_mobilenetv3.results import (
    CARD_FILE,
    RESULTS_FILE,
    HeadResult,
    Results,
    interval,
    into_card,
)
from deploy.npu_config import npu_config

FOLDER = Path(str(files("deploy.models.multihead_mobilenetv3")))
SAMPLE = 1000


@pytest.fixture(scope="module")
def results() -> Results:
    return Results.model_validate_json((FOLDER / RESULTS_FILE).read_text(encoding="utf-8"))


def head(results: Results, name: str) -> HeadResult:
    return next(item for item in results.heads if item.head == name)


def test_the_cards_tables_are_those_of_the_results(results: Results) -> None:
    card = (FOLDER / CARD_FILE).read_text(encoding="utf-8")
    assert into_card(card, results) == card


def test_a_changed_number_changes_the_card(results: Results) -> None:
    card = (FOLDER / CARD_FILE).read_text(encoding="utf-8")
    first = results.heads[0]
    other = first.model_copy(update={"uint8_correct": first.uint8_correct - 1})
    assert into_card(card, results.model_copy(update={"heads": (other, *results.heads[1:])})) != card


def test_a_card_without_its_markers_is_refused(results: Results) -> None:
    with pytest.raises(BadInputError, match="are missing"):
        into_card("# A card\n", results)


def test_the_results_belong_to_the_weights_that_are_shipped(results: Results) -> None:
    weights = FOLDER / zoo.find(NAME).pretrained[0].weights
    assert results.weights_sha256 == sha256_of_file(weights)
    assert results.weights_bytes == weights.stat().st_size < 2_000_000
    assert results.parameters == zoo.find(NAME).parameters


def test_the_confidence_interval_is_wilsons() -> None:
    # 81 of 263: Newcombe 1998, table I, method 3.
    assert interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    low, high = interval(10, 10)
    assert low < 1 and high == pytest.approx(1)


def test_garments_are_told_apart_as_well_as_promised_and_quantization_costs_little(results: Results) -> None:
    garment = head(results, "garment")
    assert garment.images == 10_000
    assert garment.float_correct >= 9_000
    for item in results.heads:
        assert abs(item.uint8_correct - item.float_correct) <= 50


def test_nothing_stays_on_the_cpu_on_any_npu(results: Results) -> None:
    assert {npu.npu for npu in results.npus} >= {"U55-32", "U55-64", "U55-128", "U55-256", "U65-256", "U65-512"}
    assert all(npu.cpu_operators == 0 for npu in results.npus)


@pytest.mark.tensorflow
@pytest.mark.skipif(not fashion_mnist.FOLDER.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_measuring_again_gives_the_cards_accuracy_and_estimate(results: Results) -> None:
    model = zoo.build(NAME)
    quantized = quantize_as_the_demo(model)
    again = estimate(quantized, npu_config("U55-128"))[0]
    once = next(npu for npu in results.npus if npu.npu == "U55-128")
    # Another processor rounds the calibration differently in the last bit, which can move a few weight bytes.
    assert again.cycles == pytest.approx(once.cycles, rel=0.01)
    assert again.sram_bytes == pytest.approx(once.sram_bytes, rel=0.01)
    for sampled in compare(model, quantized, SAMPLE):
        full = head(results, sampled.head)
        assert sampled.images == SAMPLE
        # Three standard deviations of a sample of that size around what was measured on all images.
        for correct, expected in (
            (sampled.float_correct, full.float_correct),
            (sampled.uint8_correct, full.uint8_correct),
        ):
            share = expected / full.images
            assert abs(correct / SAMPLE - share) < 3 * (share * (1 - share) / SAMPLE) ** 0.5
        assert abs(sampled.uint8_correct - sampled.float_correct) <= 0.01 * SAMPLE
