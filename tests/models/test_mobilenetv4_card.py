"""MobileNetV4's card: made from its results, which hold what the family promises."""

from __future__ import annotations

import re

import pytest

from deploy import zoo
from deploy.models.mobilenetv4.blocks import NETWORKS
from deploy.models.mobilenetv4.counting import parameters
from deploy.zoo import cards
from deploy.zoo.card_results import CardResults

NAME = "mobilenetv4"
MEGAHERTZ = 500


@pytest.fixture(scope="module")
def results() -> CardResults:
    found: CardResults = cards.read(zoo.find(NAME))
    return found


def test_the_cards_tables_are_those_of_the_results() -> None:
    assert cards.disagreement(zoo.find(NAME)) is None


def test_the_parameters_in_the_card_are_those_of_the_blocks() -> None:
    text = cards.card(zoo.find(NAME)).replace("**", "")
    rows = {
        cells[0].replace(" ", ""): [int(cell.replace(",", "")) for cell in cells[1:]]
        for cells in (
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines()
            if re.match(r"\| (stem|stage \d|head|all) \|", line)
        )
    }
    counts = [parameters(NETWORKS[name]) for name in ("conv-s", "conv-m", "conv-l", "hybrid-m", "hybrid-l")]
    for part in counts[0]:
        assert rows[part] == [count[part] for count in counts]
    assert rows["all"] == [sum(count.values()) for count in counts]


def test_nothing_stays_on_the_cpu_of_any_network_on_any_npu(results: CardResults) -> None:
    assert all(not figures.cpu_operators for network in results.networks for figures in network.npus)
    for title in (
        "Conv-S, 224x224",
        "Conv-M, 256x256",
        "Conv-L, 384x384",
        "Hybrid-M, 256x256",
        "Hybrid-L, 384x384",
    ):
        for npu in ("U55-128", "U55-256", "U65-256"):
            assert results.figures(title, npu).cycles > 0


@pytest.mark.parametrize(
    ("title", "milliseconds"),
    [
        ("Conv-S, 224x224", 11.3),
        ("Conv-M, 224x224", 30.9),
        ("Conv-L, 384x384", 138),
        # At least a tenth below the 95 ms and 1,010 ms that plain forms of attention take.
        ("Hybrid-M, 224x224", 0.9 * 95),
        ("Hybrid-L, 384x384", 0.9 * 1010),
    ],
)
def test_u55_128_needs_no_longer_than_was_known_to_be_reachable(
    results: CardResults, title: str, milliseconds: float
) -> None:
    found = results.figures(title, "U55-128")
    assert found.milliseconds <= milliseconds
    assert found.cycles / (1000 * MEGAHERTZ) == pytest.approx(found.milliseconds, rel=1e-6)


@pytest.mark.parametrize(
    ("title", "fits"),
    [
        ("Conv-S, 224x224", True),
        ("Conv-M, 256x256", True),
        ("Hybrid-M, 256x256", True),
        ("Conv-L, 384x384", False),
        ("Conv-L, 352x352", True),
        ("Hybrid-L, 384x384", False),
        ("Hybrid-L, 288x288", True),
    ],
)
def test_the_card_says_which_fit_the_board(results: CardResults, title: str, fits: bool) -> None:
    assert results.figures(title, "U55-128").fits is fits
