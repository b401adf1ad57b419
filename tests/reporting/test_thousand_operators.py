"""The page of a network of a thousand operators that Vela compiled: whole, bounded, and small."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_once import made_once
from reporting.axe import findings
from reporting.conftest import Browser, compiled
from reporting.test_build_page import SECTIONS, Page
from reporting.thousand_operators import thousand_operators

from deploy.build_folder import BuildFolder
from deploy.reporting.data.report import collect
from deploy.reporting.pages.build import MAX_ROWS, write_report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    def make(folder: Path) -> None:
        compiled(thousand_operators(), folder / "build", name="thousand")

    return BuildFolder.open(made_once(tmp_path_factory, "thousand", make) / "build")


def test_the_page_is_below_two_megabytes_and_says_what_it_leaves_out(thousand: BuildFolder) -> None:
    path = write_report(thousand)
    assert path.stat().st_size < 2_000_000
    page = Page(path.read_text(encoding="utf-8"))
    assert [a["id"] for tag, a in page.elements if tag == "section"] == SECTIONS
    assert f"The {MAX_ROWS} costliest of 1000 operators" in page.text
    assert "1,000 of 1,000" in page.text
    assert len(collect(thousand).operators) == 1000


@pytest.mark.browser
def test_every_chart_is_drawn_and_axe_finds_nothing(browser: Browser, thousand: BuildFolder) -> None:
    browser.open(write_report(thousand))
    assert browser.log() == []
    assert browser.run("return [...document.querySelectorAll('[data-chart]')].every(e => e.querySelector('svg'))")
    assert browser.run("return performance.getEntriesByName('first-contentful-paint').length") == 1
    assert findings(browser) == []
