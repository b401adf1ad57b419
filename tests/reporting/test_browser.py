"""The page in a real browser: no errors, no network, tables that sort, charts that hold their data."""

import pytest
from reporting.conftest import Browser

from deploy.build_folder import BuildFolder
from deploy.reporting.data.report import collect
from deploy.reporting.pages.build import write_report

pytestmark = pytest.mark.browser

# Counts the shapes of one mark of one chart in the SVG that was drawn.
_MARKS = """
const svg = document.querySelector(`[data-chart="${arguments[0]}"] svg`);
const marks = `.mark-${arguments[1]}.role-mark`;
return svg.querySelectorAll(`${marks} > path, ${marks} > text`).length;
"""
_COLUMN = """
const table = document.querySelector(arguments[0]);
return [...table.tBodies[0].rows].map(row => row.cells[arguments[1]].textContent.trim());
"""


@pytest.fixture(scope="module", params=["residual", "partly_on_cpu", "hostile"])
def opened(request: pytest.FixtureRequest, browser: Browser) -> tuple[Browser, BuildFolder]:
    build: BuildFolder = request.getfixturevalue(request.param)
    browser.open(write_report(build))
    return browser, build


def test_an_answer_is_awaited_for_longer_than_a_page_or_a_script_may_take(browser: Browser) -> None:
    allowed = browser.driver.timeouts
    assert browser.driver.command_executor.client_config.timeout > max(allowed.script, allowed.page_load)


def test_the_page_opens_without_errors_and_asks_for_nothing_but_itself(
    opened: tuple[Browser, BuildFolder],
) -> None:
    browser, build = opened
    assert browser.log() == []
    assert browser.requests() == [(build.path / "report.html").resolve().as_uri()]
    assert browser.run("return performance.getEntriesByType('resource').length") == 0


def test_every_chart_is_drawn_with_all_of_its_data(opened: tuple[Browser, BuildFolder]) -> None:
    browser, build = opened
    report = collect(build)
    costly = [row for row in report.operators if row.cycles]
    assert browser.run(_MARKS, "cycles", "rect") == len(costly)
    for memory in report.memories:
        drawn = browser.run(_MARKS, f"memory-{memory.memory.lower()}", "rect")
        bands = 1 + len(memory.cpu_steps)
        assert drawn == len(memory.tensors) + bands, "every tensor, the band over the peak and those of the CPU"
    for roof in report.roofs:
        assert browser.run(_MARKS, f"roofline-{roof.memory.lower()}", "symbol") == len(roof.points)
    assert browser.run(_MARKS, "flash", "rect") == len(report.flash.parts)
    assert browser.run(_MARKS, "compression", "rect") == 2 * len(report.flash.weights)
    assert browser.run(_MARKS, "traffic", "rect") == len(report.traffic)
    assert browser.run(_MARKS, "graph", "symbol") == len(report.graph.nodes)
    assert browser.run(_MARKS, "graph", "text") == len(report.graph.nodes)
    places = browser.run("return [...document.querySelectorAll('[data-chart]')].map(e => e.dataset.chart)")
    assert sorted(places) == sorted(browser.run("return Object.keys(window.deployReport.views)"))
    assert browser.run("return [...document.querySelectorAll('[data-chart]')].every(e => e.querySelector('svg'))")


def test_clicking_a_column_sorts_the_table_both_ways(opened: tuple[Browser, BuildFolder]) -> None:
    browser, build = opened
    cycles = [row.cycles for row in collect(build).operators]
    known = sorted((count for count in cycles if count is not None), reverse=True)
    head = "document.querySelectorAll('#operators thead th')[3]"
    for order, expected in (("descending", known), ("ascending", known[::-1])):
        browser.run(f"{head}.querySelector('button').click()")
        shown = browser.run(_COLUMN, "#operators", 3)
        assert [int(text.replace(",", "")) for text in shown if text != "-"] == expected
        assert browser.run(f"return {head}.getAttribute('aria-sort')") == order
    browser.run("document.querySelectorAll('#operators thead th')[1].querySelector('button').click()")
    types = browser.run(_COLUMN, "#operators", 1)
    assert types == sorted(types, key=str.lower)
    assert browser.run("return document.querySelectorAll('#operators th[aria-sort]').length") == 1


@pytest.mark.parametrize(("width", "dark", "media"), [(390, True, ""), (1200, False, ""), (800, True, "print")])
def test_nothing_runs_out_of_the_page_and_text_stands_out_from_its_back(
    browser: Browser, residual: BuildFolder, width: int, dark: bool, media: str
) -> None:
    browser.open(write_report(residual), width=width, dark=dark, media=media)
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
    back, text, axis = browser.run(
        "const colour = (e, what) => getComputedStyle(e)[what];"
        "return [colour(document.body, 'backgroundColor'), colour(document.body, 'color'),"
        " colour(document.querySelector('[data-chart=cycles] svg .role-axis-label text'), 'fill')];"
    )
    assert contrast(back, text) >= 7
    assert contrast(back, axis) >= 4.5
    assert (luminance(back) < 0.5) == (dark and media != "print")


def test_everything_folded_is_open_on_paper(browser: Browser, residual: BuildFolder) -> None:
    browser.open(write_report(residual))
    folded = "return document.querySelectorAll('details:not([open])').length"
    before = browser.run(folded)
    assert before > 0
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(folded) == 0
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run(folded) == before


def test_the_policy_of_the_page_stops_a_script_that_got_into_it(browser: Browser, residual: BuildFolder) -> None:
    page = write_report(residual, residual.path.parent / "injected.html")
    text = page.read_text(encoding="utf-8").replace("</main>", "<script>window.broken = 1</script></main>")
    page.write_text(text, encoding="utf-8")
    browser.open(page)
    assert browser.run("return window.broken") is None
    assert any("Content Security Policy" in line for line in browser.log())


def luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two CSS colours."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
