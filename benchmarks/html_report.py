"""The HTML report against its targets: written in 2 s, 2 MB, first paint in 1 s.

    python benchmarks/html_report.py [MODEL.tflite] [NPU]

Without a model it is a network of 1,000 operators that the tests know, for U55-128.
Needs Chromium and its driver. Wall time depends on what else the computer does; so CPU time stands beside it. What
the report adds to `deploy compile` is part of benchmarks/main_job.py.
"""

from __future__ import annotations

import importlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 5
_FIRST_PAINT = """
const paint = performance.getEntriesByName('first-contentful-paint')[0];
return window.deployReport?.drawn && paint ? [paint.startTime, performance.now()] : null;
"""
_WRITE = """
import sys, time
from pathlib import Path
from deploy.build_folder import BuildFolder
build = BuildFolder.open(Path(sys.argv[1]))
wall, cpu = time.perf_counter(), time.process_time()
from deploy.reporting.pages.build import write_report
write_report(build)
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def writing(build: Path) -> None:
    """Seconds that writing the report takes in a fresh process, its own imports included."""
    command = [sys.executable, "-c", _WRITE, str(build)]

    def once() -> list[float]:
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        return [float(word) for word in said]

    walls, cpus = zip(*(once() for _ in range(ROUNDS)), strict=True)
    print(
        f"report written in {statistics.median(walls):.2f} s wall, {statistics.median(cpus):.2f} s CPU (measured)"
    )
    print(f"report size: {(build / 'report.html').stat().st_size / 1e6:.2f} MB")


def bundling() -> None:
    """Seconds for taking Vega's JavaScript out of its package, once a version and user."""
    from deploy.reporting.charts import library

    wall, cpu = time.perf_counter(), time.process_time()
    library._bundle()
    print(
        f"charting library bundled in {time.perf_counter() - wall:.2f} s wall, "
        f"{time.process_time() - cpu:.2f} s CPU, once a version (measured)"
    )


def painting(page: Path) -> None:
    """First paint, and the time until every chart is drawn, in a headless Chromium."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        loads = [_load(driver.get, driver.execute_script, page) for _ in range(ROUNDS + 1)][1:]
    finally:
        driver.quit()
    for i, name in enumerate(("first contentful paint", "all charts drawn")):
        times = sorted(load[i] for load in loads)
        print(f"{name}: median {statistics.median(times):.0f} ms, worst {times[-1]:.0f} ms (measured)")


def _load(get: Callable[[str], None], run: Callable[[str], list[float] | None], page: Path) -> list[float]:
    get(page.resolve().as_uri())
    for _ in range(600):
        times = run(_FIRST_PAINT)
        if times is not None:
            return times
        time.sleep(0.02)
    raise SystemExit("the charts were not drawn in time")


def _thousand_operators(folder: Path) -> Path:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    written: bytes = importlib.import_module("reporting.thousand_operators").thousand_operators()
    path = folder / "thousand.tflite"
    path.write_bytes(written)
    return path


def main() -> None:
    """Measure with the model named on the command line."""
    npu = sys.argv[2] if len(sys.argv) > 2 else "U55-128"
    with tempfile.TemporaryDirectory() as folder:
        model = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else _thousand_operators(Path(folder))
        words = ["compile", str(model), "--npu", npu, "-o", f"{folder}/build", "--quiet"]
        subprocess.run([sys.executable, "-m", "deploy", *words], check=True)
        writing(Path(folder) / "build")
        painting(Path(folder) / "build" / "report.html")
        bundling()


if __name__ == "__main__":
    main()
