"""Every project's card agrees with its results, and measuring gives Vela's figures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy import zoo
from deploy.errors import BadInputError
from deploy.zoo import Measured, Project, cards
from deploy.zoo.card_results import BEGIN, END, RESULTS_FILE, CardResults

pytestmark = pytest.mark.early

MEASURED = [project.name for project in zoo.projects() if project.measured]


@pytest.mark.parametrize("name", MEASURED)
def test_the_card_shows_what_the_results_say(name: str) -> None:
    assert cards.disagreement(zoo.find(name)) is None


@pytest.mark.parametrize("name", MEASURED)
def test_the_results_are_of_the_networks_that_the_project_names(name: str) -> None:
    project = zoo.find(name)
    networks = cards.read(project).networks
    assert [network.title for network in networks] == [item.title for item in project.measured]
    for network, item in zip(networks, project.measured, strict=True):
        assert network.options == zoo.assignments_of(item.options)
        assert [figures.npu for figures in network.npus] == list(item.npus or cards.DEFAULT_NPUS)


def copied(tmp_path: Path) -> Project:
    """The multi-head project with its card and results where they can be changed."""
    project = zoo.find("multihead-mobilenetv3")
    for name in ("README.md", RESULTS_FILE):
        (tmp_path / name).write_text((project.folder / name).read_text())
    return replace(project, folder=tmp_path)


def test_a_number_changed_by_hand_is_found_with_its_line(tmp_path: Path) -> None:
    project = copied(tmp_path)
    results = cards.read(project)
    cycles = f"{results.networks[0].npus[0].cycles:,}"
    card = (tmp_path / "README.md").read_text()
    assert card.count(cycles) == 1
    (tmp_path / "README.md").write_text(card.replace(cycles, "1"))
    found = cards.disagreement(project)
    assert found is not None and found.startswith("README.md, line ") and cycles in found


def test_a_missing_line_is_found(tmp_path: Path) -> None:
    project = copied(tmp_path)
    card = (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text(card.partition(BEGIN)[0] + BEGIN + "\n" + END)
    assert cards.disagreement(project)


@pytest.mark.parametrize("content", ["", "{}", "not JSON"])
def test_damaged_results_are_refused_with_the_command_that_makes_them(content: str, tmp_path: Path) -> None:
    project = copied(tmp_path)
    (tmp_path / RESULTS_FILE).write_text(content)
    with pytest.raises(BadInputError, match="cannot be read") as caught:
        cards.read(project)
    assert caught.value.hints == ("python -m deploy.models.multihead_mobilenetv3.evaluate",)


def test_a_card_that_shows_more_than_estimates_is_not_overwritten_with_these() -> None:
    with pytest.raises(BadInputError, match="featherface-v1: its card shows more than estimates") as caught:
        cards.main(["featherface-v1"])
    assert caught.value.hints == ("python -m deploy.models.featherface_v1.evaluate",)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Estimates that are made up at once; NPUs that were asked for."""
    asked: list[str] = []

    def measure(project: Project, wanted: Sequence[Measured], **_rest: object) -> CardResults:
        old = cards.read(project)
        [item] = wanted
        asked.extend(item.npus)
        network = next(network for network in old.networks if network.title == item.title)
        npus = tuple(network.npus[0].model_copy(update={"npu": name}) for name in item.npus)
        return old.model_copy(update={"networks": (network.model_copy(update={"npus": npus}),)})

    monkeypatch.setattr(cards, "measure", measure)
    return asked


def test_what_the_results_lack_is_measured_and_the_rest_stays(tmp_path: Path, measured: list[str]) -> None:
    project = copied(tmp_path)
    old = cards.read(project)
    first = old.networks[0].model_copy(update={"npus": old.networks[0].npus[1:]})
    cards.write(project, old.model_copy(update={"networks": (first, *old.networks[1:])}))
    new = cards.completed(project)
    assert measured == [cards.DEFAULT_NPUS[0]]
    assert [figures.npu for figures in new.networks[0].npus] == list(cards.DEFAULT_NPUS)
    assert new.networks[0].npus[1:] == old.networks[0].npus[1:] and new.networks[1:] == old.networks[1:]
    assert type(new) is type(old)  # with what the project measures beside estimates


@pytest.mark.parametrize("change", [{"parameters": 7}, {"tflite_bytes": 7}])
def test_figures_of_another_network_do_not_join_the_others(
    change: dict[str, int], tmp_path: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, made = copied(tmp_path), cards.measure
    old = cards.read(project)
    first = old.networks[0].model_copy(update={"npus": old.networks[0].npus[1:]})
    cards.write(project, old.model_copy(update={"networks": (first, *old.networks[1:])}))

    def other(*arguments: Any, **options: Any) -> CardResults:
        new = made(*arguments, **options)
        return new.model_copy(update={"networks": (new.networks[0].model_copy(update=change),)})

    monkeypatch.setattr(cards, "measure", other)
    with pytest.raises(BadInputError, match="quantized anew it has"):
        cards.completed(project)
    assert measured


@pytest.mark.tensorflow
def test_measuring_writes_results_and_card_that_agree(tmp_path: Path) -> None:
    found = zoo.find("multihead-mobilenetv3")
    functions = {role: name for role, name in found.functions.items() if role not in ("results", "tables")}
    wanted = Measured("32x32", {"alpha": 0.75, "size": 32}, ("U55-64", "U65-256"), parts={"heads": "_logits"})
    project = replace(found, folder=tmp_path, functions=functions, measured=(wanted,))
    (tmp_path / "README.md").write_text(f"# A\n{BEGIN}\n{END}\n")
    lines: list[str] = []
    cards.write(project, cards.measure(project, log=lines.append))
    assert len(lines) == 2 and "cycles (estimate)" in lines[0]
    assert cards.disagreement(project) is None
    figures = cards.read(project).figures("32x32", "U65-256")
    assert figures.memory_mode == "Dedicated_Sram_384KB" and figures.dram_bytes > figures.flash_bytes == 0
    assert 0 < figures.parts["heads"] < figures.cycles
