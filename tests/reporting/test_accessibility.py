"""Pages for those who do not see them, or have no mouse: axe finds nothing, the keyboard gets everywhere."""

from __future__ import annotations

import itertools

import pytest
from reporting.axe import findings
from reporting.conftest import Browser

from deploy.build_folder import BuildFolder
from deploy.reporting.pages.build import write_report

pytestmark = pytest.mark.browser

# What is wider or higher than its window: name and place among the stops of the keyboard.
_SCROLLING = """
const shown = [...document.querySelectorAll(".scroll, .tall")].filter((e) => e.checkVisibility());
const larger = shown.filter((e) => e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight);
return larger.map((e) => [e.ariaLabel, e.tabIndex]);
"""


def test_axe_finds_nothing_in_a_report_on_a_phone(browser: Browser, residual: BuildFolder) -> None:
    browser.open(write_report(residual), width=390, dark=True)
    assert findings(browser) == []


def test_headings_step_down_one_level_at_a_time_and_every_section_has_one(
    browser: Browser, residual: BuildFolder
) -> None:
    browser.open(write_report(residual))
    levels = browser.run("return [...document.querySelectorAll('h1,h2,h3,h4')].map(e => +e.tagName[1])")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert browser.run("return [...document.querySelectorAll('section')].every(e => e.querySelector('h2'))")
    assert browser.run("return document.querySelectorAll('main, header, nav[aria-label]').length") == 3


def test_the_keyboard_sorts_tables_opens_what_is_folded_and_reaches_what_scrolls(
    browser: Browser, residual: BuildFolder
) -> None:
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    browser.open(write_report(residual), width=390)
    before = browser.run(_SCROLLING)
    assert before and [stop for _, stop in before] == [0] * len(before)
    browser.run("document.querySelector('#operators th:nth-child(4) button').focus()")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.run("return document.querySelector('#operators th:nth-child(4)').ariaSort") == "descending"
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "it shows where the keyboard is"
    browser.run("document.querySelector('details summary').focus()")
    browser.driver.switch_to.active_element.send_keys(Keys.SPACE)
    assert browser.run("return document.querySelector('details').open")
    # What comes into sight is looked at with the next frame.
    WebDriverWait(browser.driver, 10).until(lambda _: all(name for name, _ in browser.run(_SCROLLING)))
    after = browser.run(_SCROLLING)
    assert len(after) > len(before)
    assert [stop for _, stop in after] == [0] * len(after)


def test_every_chart_is_told_in_a_sentence_and_nothing_moves(browser: Browser, residual: BuildFolder) -> None:
    browser.open(write_report(residual))
    told = browser.run("return [...document.querySelectorAll('[data-chart]')].map(e => e.ariaLabel)")
    assert [sentence for sentence in told if not sentence.endswith(".") or len(sentence) < 20] == []
    assert browser.run("return document.getAnimations().length") == 0
