"""What axe, the checker of accessibility that browsers' own tools use, finds wrong in a page."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fetched_once import cache, fetched_once, wheel
from reporting.conftest import Browser

WHEEL = "axe-playwright-python==0.1.8"
"""A wheel that brings axe-core 4.12: one file of JavaScript, so that tests need no Node."""

_SCRIPT = "axe.min.js"
_RUN = """
const done = arguments[arguments.length - 1];
const told = (found) => done(found.violations);
axe.run(document, {resultTypes: ["violations"]}).then(told, (error) => done(String(error)));
"""


def findings(browser: Browser) -> list[str]:
    """What is wrong in the page that the browser shows: rule, weight, and the elements it is about.

    Raises:
        UnavailableError: axe is not in the cache and there is no network.
    """
    script = fetched_once(cache() / "test-tools" / WHEEL.replace("==", "-"), _fetch) / _SCRIPT
    # Evaluated by the developer tools, as the page's policy lets no other script run.
    browser.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": script.read_text(encoding="utf-8")})
    found: Any = browser.driver.execute_async_script(_RUN)
    assert isinstance(found, list), found
    return [
        f"{violation['impact']}: {violation['id']}: {violation['help']}: "
        + ", ".join(str(node["target"]) for node in violation["nodes"][:5])
        for violation in found
    ]


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name, wheel(WHEEL, Path(name) / "wheels") as opened:
        (folder / _SCRIPT).write_bytes(opened.read(f"axe_playwright_python/{_SCRIPT}"))
