"""The page's section with advice: every hint with its figures, sortable, whatever names models have."""

import shutil
from pathlib import Path

import pytest
from reporting.conftest import ATTACK, HOSTILE_NAMES, Browser

from deploy.advising.documents import AdviceDocument, Costs, Hint
from deploy.build_folder import ADVICE_DOCUMENT, BuildFolder
from deploy.reporting.data.advice_rows import hint_row
from deploy.reporting.pages.build import write_report

HINTS = (
    Hint(
        kind="rewrite",
        title="mean over channels",
        operators=("MEAN",),
        places=4,
        names=tuple(name[:200] for name in HOSTILE_NAMES[:3]),
        present=Costs(cpu_operators=4, cycles=0),
        changed=Costs(cpu_operators=0, cycles=15_168),
        source="Vela 5.2.0, these operators alone",
        action=f"deploy optimize {ATTACK}.tflite",
        outputs="within rounding",
    ),
    Hint(
        kind="memory",
        title="memory mode Sram_Only",
        present=Costs(cpu_operators=0, cycles=1_266_444, sram_bytes=140_000),
        changed=Costs(cpu_operators=0, cycles=1_249_227, sram_bytes=225_000),
        source="Vela 5.2.0, the whole network",
        action="--memory-mode Sram_Only",
        outputs="exact",
    ),
    Hint(
        kind="input size",
        title="inputs of up to 128 x 128",
        present=Costs(sram_bytes=100_000),
        changed=Costs(sram_bytes=180_000),
        source="Vela 5.2.0, the whole network",
        action="--set size=128",
        outputs="needs retraining",
        value=(96, 128),
    ),
)


@pytest.fixture(scope="module")
def advised(residual: BuildFolder, tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    folder = tmp_path_factory.mktemp("advised") / "build"
    shutil.copytree(residual.path, folder)
    build = BuildFolder.open(folder)
    document = AdviceDocument(
        level="full", compiled_sha256=build.document.compiled_sha256, hints=HINTS, notes=(f"not tried: {ATTACK}",)
    )
    (folder / ADVICE_DOCUMENT).write_text(document.model_dump_json())
    return build


def test_figures_of_a_hint_are_those_that_change() -> None:
    first, second, third = map(hint_row, HINTS)
    assert [(figure.name, figure.present, figure.changed, figure.saved) for figure in first.figures] == [
        ("CPU operators", "4", "0", "-4"),
        ("cycles", "0", "15,168", "+15,168"),
    ]
    assert [figure.name for figure in second.figures] == ["cycles", "SRAM"]
    assert [figure.better for figure in second.figures] == [True, False]
    assert ("input", "96 x 96", "128 x 128") in [(row.name, row.present, row.changed) for row in third.figures]
    assert first.title.startswith("mean over channels (4 places: ")
    assert first.title.endswith(", ...)")


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (390, True)])
def test_every_hint_stands_in_the_page_with_its_figures(
    browser: Browser, advised: BuildFolder, width: int, dark: bool
) -> None:
    browser.open(write_report(advised), width=width, dark=dark)
    assert browser.log() == []
    rows = browser.run(
        "return [...document.querySelector('#hints').tBodies[0].rows]"
        ".map(row => [...row.cells].map(cell => cell.innerText.trim().replaceAll('\\n', '|')))"
    )
    assert [row[2:6] for row in rows] == [
        ["CPU operators|cycles", "4|0", "0|15,168", "-4|+15,168"],
        ["cycles|SRAM", "1,266,444|136.7 KiB", "1,249,227|219.7 KiB", "-17,217|+83.0 KiB"],
        ["SRAM|input", "97.7 KiB|96 x 96", "175.8 KiB|128 x 128", "+78.1 KiB"],
    ]
    assert ATTACK in rows[0][1]
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.run("return document.querySelector('nav a[href=\"#advice\"]') !== null")
    assert f"not tried: {ATTACK}" in browser.run("return document.querySelector('#advice').innerText")


@pytest.mark.browser
def test_hints_sort_by_the_cycles_they_save(browser: Browser, advised: BuildFolder) -> None:
    browser.open(write_report(advised))
    head = "document.querySelectorAll('#hints thead th')[6]"
    shown = "return [...document.querySelector('#hints').tBodies[0].rows].map(row => row.cells[6].innerText)"
    browser.run(f"{head}.querySelector('button').click()")
    assert browser.run(shown) == ["17,217", "0", "-15,168"]


def test_a_build_without_advice_says_how_to_get_it(residual: BuildFolder, tmp_path: Path) -> None:
    page = write_report(residual, tmp_path / "page.html").read_text()
    assert "No advice was asked for" in page
    assert 'id="hints"' not in page
