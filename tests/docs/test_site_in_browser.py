"""The documentation in a real browser, opened as files: the search, phones, no network, no errors."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from reporting.conftest import Browser

pytestmark = [pytest.mark.early, pytest.mark.browser]

_READY = "document.readyState === 'complete'"
_FOUND = "return [...document.querySelectorAll('.md-search-result__link')].map(link => link.getAttribute('href'))"
_TOO_WIDE = """
return [...document.querySelectorAll("article *")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
    .filter(each => !each.closest("pre, table, .md-typeset__scrollwrap, .doc-signature"))
    .map(each => each.outerHTML.slice(0, 200));
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for this module."""
    opened = Browser()
    yield opened
    opened.driver.quit()


def test_the_search_finds_pages_without_a_server(site: Path, chromium: Browser) -> None:
    chromium.open(site / "how-to" / "compare.html", ready=_READY)
    field = chromium.driver.find_element("css selector", "[data-md-component=search-query]")
    field.click()
    field.send_keys("watchpoint")
    end = time.monotonic() + 30
    while not (found := chromium.run(_FOUND)):
        assert time.monotonic() < end, chromium.log()
        time.sleep(0.1)
    assert any("explanation/corstone-300.html" in link for link in found)
    assert [line for line in chromium.log() if "SEVERE" in line] == []
    assert {address.split(":")[0] for address in chromium.requests()} <= {"file", "data", "blob", "about"}


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)], ids=["sample", "all"])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_is_wider_than_a_phone(site: Path, chromium: Browser, dark: bool, step: int) -> None:
    pages = sorted(set(site.rglob("*.html")) - {site / "404.html"})
    assert len(pages) > 25
    for page in pages[::step] if dark else pages[step // 2 :: step]:
        chromium.open(page, width=390, height=800, dark=dark, ready=_READY)
        assert chromium.run("return document.scrollingElement.scrollWidth") <= 390, page.name
        assert chromium.run(_TOO_WIDE) == [], page.name
        scheme = chromium.run("return document.body.dataset.mdColorScheme")
        assert scheme == ("slate" if dark else "default")
