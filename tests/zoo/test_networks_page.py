"""docs/networks.md: what the networks cost, against what they cost in the forms they are usually written in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy import zoo
from deploy.zoo import cards
from deploy.zoo.card_results import NpuFigures

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
NPU = "U55-128"


@dataclass(frozen=True)
class Row:
    """A line of the table, as it stands there."""

    project: str
    network: str
    before: str
    now: str
    sram_before: str
    sram_now: str
    change: str

    @property
    def figures(self) -> NpuFigures:
        """What the card says about the network."""
        figures: NpuFigures = cards.read(zoo.find(self.project)).figures(self.network, NPU)
        return figures

    @property
    def ratio(self) -> float:
        """Time now by time before."""
        return self.figures.milliseconds / number(self.before)


def number(cell: str) -> float:
    return float(cell.split(maxsplit=1)[0].replace(",", ""))


def rows() -> list[Row]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines[1:]]


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.project}, {row.network}")
def test_no_network_is_slower_or_larger_than_in_its_usual_form(row: Row) -> None:
    assert row.now == f"{row.figures.milliseconds:.3f} ms"
    assert row.sram_now == f"{row.figures.sram_bytes / 1024:,.1f} KB"
    assert row.change == f"{100 * (row.ratio - 1):.0f} %".replace("-0 %", "0 %")
    assert row.ratio <= 1
    if row.sram_before:  # given in whole KB
        assert row.figures.sram_bytes < (number(row.sram_before) + 0.5) * 1024


def test_the_table_holds_every_family_and_at_least_three_networks_gain_a_tenth() -> None:
    assert {row.project for row in rows()} == {project.name for project in zoo.projects()}
    faster = {(row.project, row.network.split(",")[0]) for row in rows() if row.ratio <= 0.9}
    assert len({project for project, _ in faster}) >= 3, faster


def test_the_strategy_size_saves_what_it_did_before() -> None:
    results = cards.read(zoo.find("featherface-v1"))
    assert results.figures("512x512, compiled for size", NPU).sram_bytes == 1536 * 1024
    assert results.figures("640x640, compiled for size", NPU).sram_bytes == 2400 * 1024


@pytest.mark.parametrize("project", zoo.projects(), ids=lambda project: project.name)
def test_no_card_shows_an_operator_on_the_cpu(project: zoo.Project) -> None:
    for network in cards.read(project).networks:
        assert not [figures for figures in network.npus if figures.cpu_operators], network.title


@pytest.mark.parametrize("project", zoo.projects(), ids=lambda project: project.name)
def test_every_family_is_measured_on_three_npus(project: zoo.Project) -> None:
    measured = {figures.npu for network in cards.read(project).networks for figures in network.npus}
    assert measured >= {"U55-128", "U55-256", "U65-256"}
