"""The HTML report against its targets: written in 2 s, 2 MB, first paint in 1 s, compile at most 1.5x of Vela.

    python benchmarks/html_report.py MODEL.tflite [NPU]

Needs Chromium and its driver. Wall time depends on what else the computer does; so CPU time stands beside it.
"""

from __future__ import annotations

import resource
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
from deploy.reporting.html import write_report
write_report(build)
print(time.perf_counter() - wall, time.process_time() - cpu)
"""
_IMPORTED = """
import sys
from deploy.cli.main import run
status = run(sys.argv[1:])
print(status, "tensorflow" in sys.modules)
"""


def spent(command: list[str], folder: str) -> tuple[float, float]:
    """Wall and CPU seconds of a process and its children, which must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compiling(model: Path, npu: str, folder: str) -> None:
    """`deploy compile`, HTML report included, against the bare `vela` command, in turn."""
    from deploy.npu_config import npu_config

    config, scripts = npu_config(npu), Path(sys.executable).parent
    vela = [str(scripts / "vela"), str(model), "--output-dir", "vela", "--config", "Arm/vela.ini"]
    vela += ["--accelerator-config", config.accelerator, "--system-config", config.system_config]
    vela += ["--memory-mode", config.memory_mode]
    ours = [str(scripts / "deploy"), "compile", str(model), "--npu", npu, "-o", "build", "--quiet"]
    spent(vela, folder), spent(ours, folder)  # warm the file cache
    pairs = [(spent(ours, folder), spent(vela, folder)) for _ in range(ROUNDS)]
    for kind, name in enumerate(("wall", "CPU")):
        mine, other = (statistics.median(pair[i][kind] for pair in pairs) for i in (0, 1))
        between = statistics.median(a[kind] / b[kind] for a, b in pairs)
        print(f"compile with report / vela, {name}: {mine:.2f} s / {other:.2f} s = {between:.2f}x (measured)")
    said = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *ours[1:]], check=True, capture_output=True, text=True, cwd=folder
    ).stdout.split()
    print(f"compile of a .tflite imports TensorFlow: {said[-1]} (exit status {said[-2]})")


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
    from deploy.reporting import chart_library

    wall, cpu = time.perf_counter(), time.process_time()
    chart_library._bundle()
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


def main() -> None:
    """Measure with the model named on the command line."""
    model, npu = Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else "U55-128"
    with tempfile.TemporaryDirectory() as folder:
        compiling(model, npu, folder)
        writing(Path(folder) / "build")
        painting(Path(folder) / "build" / "report.html")
        bundling()


if __name__ == "__main__":
    main()
