"""Takes the pictures of the HTML report that the documentation shows.

    deploy compile build/demo/model.keras --data build/demo/calibration.npz --npu U55-128 -o build/pictured
    deploy verify build/pictured --data build/demo/test.npz --labels build/demo/labels.json --count 200
    deploy run-fvp build/pictured --data build/demo/test.npz --labels build/demo/labels.json --count 16
    python docs/screenshots.py build/pictured/report.html docs/images

    deploy compile build/demo/model.tflite --npu U55-128 --optimise Size -o build/small
    deploy report build/pictured build/small --format html --fail-on cycles+5%,sram+0 -o build/comparison.html
    python docs/screenshots.py build/comparison.html docs/images comparison-desktop

Needs Chromium and its driver. Writes report-desktop.png (light), report-dark.png, report-memory.png,
report-phone.png (dark) and report-print.png, or those that are named.
"""

from __future__ import annotations

import base64
import io
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver

_PICTURES = {
    "report-desktop": (1100, 1750, False, ""),
    "report-dark": (1100, 620, True, ""),
    "report-memory": (1100, 560, False, "memory"),
    "report-phone": (390, 1500, True, ""),
    "report-print": (800, 1400, False, "verification"),
    "comparison-desktop": (1100, 1750, False, ""),
}
"""Name -> width and height in pixels, whether dark, and the section that it begins with; empty for the top."""

_OF_A_REPORT = tuple(name for name in _PICTURES if name.startswith("report-"))
_COLOURS = 160
"""Few colours make small files; the page has few."""


def take(driver: webdriver.Chrome, page: Path, name: str) -> Image.Image:
    """One picture of a page."""
    width, height, dark, section = _PICTURES[name]
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    media = "print" if name.endswith("print") else ""
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": scheme})
    driver.get(page.resolve().as_uri())
    while not driver.execute_script("return window.deployReport?.drawn ?? false"):
        time.sleep(0.1)
    first = f"document.getElementById('{section}').getBoundingClientRect().top + scrollY" if section else "0"
    top = driver.execute_script(f"return {first}")
    clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
    options: dict[str, Any] = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    taken = driver.execute_cdp_cmd("Page.captureScreenshot", options)
    return Image.open(io.BytesIO(base64.b64decode(taken["data"])))


def main() -> None:
    """Take the pictures of the page named on the command line."""
    page, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        for name in sys.argv[3:] or _OF_A_REPORT:
            picture = take(driver, page, name).convert("RGB")
            picture.quantize(_COLOURS).save(folder / f"{name}.png", optimize=True)
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
