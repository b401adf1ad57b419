"""The measured part of a card: rendered from numbers, put between the markers, compared."""

import pytest

from deploy.errors import BadInputError
from deploy.zoo.card_results import BEGIN, END, CardResults, NetworkFigures, NpuFigures, into_card, npu_tables

FIGURES = NpuFigures(
    npu="U55-128",
    system_config="Ethos_U55_High_End_Embedded",
    memory_mode="Shared_Sram",
    optimise="Performance",
    cycles=1_234_567,
    milliseconds=2.469134,
    sram_bytes=3 * 1024 * 1024,
    flash_bytes=2048,
    dram_bytes=0,
    macs=987_654,
    cpu_operators={"GATHER": 2},
    parts={"heads": 123_457},
)
RESULTS = CardResults(
    networks=(
        NetworkFigures(
            title="640x640",
            options=("size=640",),
            parameters=487_103,
            tflite_bytes=500_000,
            trained="",
            calibration="8 samples of random images in [0, 1]",
            npus=(FIGURES,),
        ),
    ),
    versions={"ethos-u-vela": "5.2.0"},
)


def test_a_row_shows_cycles_memory_shares_and_what_stays_on_the_cpu() -> None:
    text = npu_tables(RESULTS)
    assert (
        "| U55-128 | Shared_Sram | Performance | 1,234,567 | 2.469 ms | 3,072.0 KB, does not fit | 2.0 KB "
        "| 0.0 KB | 10.0 % | 2 GATHER |"
    ) in text
    assert "**640x640** (`size=640`): 487,103 parameters; weights: random;" in text
    assert "estimates by Vela" in text and "Versions: ethos-u-vela 5.2.0." in text


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    card = f"# A\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    assert into_card(card, "new") == f"# A\n\n{BEGIN}\nnew\n{END}\n\nafter\n"


@pytest.mark.parametrize("card", ["# A card\n", f"{BEGIN}\n", f"{END}\n", f"{END}\n{BEGIN}\n"])
def test_a_card_without_its_markers_is_refused(card: str) -> None:
    with pytest.raises(BadInputError, match="are missing"):
        into_card(card, "new")


def test_figures_are_found_by_title_and_npu() -> None:
    assert RESULTS.figures("640x640", "U55-128") is RESULTS.networks[0].npus[0]
    with pytest.raises(KeyError):
        RESULTS.figures("640x640", "U55-256")
