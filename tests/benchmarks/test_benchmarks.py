"""Every benchmark starts as its docstring says: here with its smallest input, for what it prints, times apart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.hardware.npus import modelled

ROOT = Path(__file__).parent.parent.parent
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def run(name: str, *words: str | Path, statuses: tuple[int, ...] = (0,)) -> str:
    """What a benchmark printed."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode in statuses, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_every_benchmark_is_started_here_and_says_how_it_is_called(path: Path) -> None:
    assert f'run("{path.stem}"' in Path(__file__).read_text(encoding="utf-8")
    assert f"python benchmarks/{path.name}" in path.read_text(encoding="utf-8").split('"""')[1]


def test_cluster_evaluation() -> None:
    said = run("cluster_evaluation", "--count", "100", "--workers", "2")
    assert "2 workers / one process" in said
    assert "counted the same: True" in said


@pytest.mark.system
def test_consecutive_boots(built: Path) -> None:
    said = run("consecutive_boots", built, "--boots", "1", "--machines", "2")
    assert "1 boots, each a run of its own: {'verdict: PASS': 1}" in said
    assert "the answers are the same" in said
    assert said.count("left behind: 0 processes, 0 temporary files") == 2


@pytest.mark.system
@pytest.mark.parametrize("model", ["", "model_vela.tflite"])
def test_corstone_boot_of_a_build_folder_and_of_a_model(built: Path, model: str) -> None:
    said = run("corstone_boot", built / model, "--runs", "1")
    assert "boot to the end, median of 1" in said
    assert "NPU model with its memory traffic" in said


@pytest.mark.system
def test_firmware_steady_state(built: Path) -> None:
    said = run("firmware_steady_state", built, "--count", "12", "--runner", "1")
    assert "host NPU model: 12 of 12 equal, bit for bit" in said
    assert "by files: 10 of 10 equal, bit for bit" in said
    assert "runner firmware: 1 of 1 equal, bit for bit" in said


@pytest.mark.browser
def test_html_report(tiny_tflite: Path) -> None:
    assert "first contentful paint: median" in run("html_report", tiny_tflite, "U55-32")


@pytest.mark.browser
def test_html_report_of_a_thousand_operators() -> None:
    said = run("html_report")
    assert "first contentful paint: median" in said
    assert float(said.split("report size: ")[1].split(" MB")[0]) < 2


@pytest.mark.system
def test_main_job(built: Path) -> None:
    said = run("main_job", built, "--rounds", "2")
    assert "compile of a .tflite imports TensorFlow: False (exit status 0)" in said
    assert "--help / import numpy, CPU:" in said


def test_npu_cycles(tiny_tflite: Path) -> None:
    said = run("npu_cycles", "--npu", "U55-128", "--every", "400", tiny_tflite)
    assert f"{tiny_tflite.stem} on U55-128: " in said
    assert "all operators" in said


def test_the_estimate_for_u85_stays_near_that_of_vela(mlperf_tiny: dict[str, Path]) -> None:
    npus = [npu.name for npu in modelled() if npu.family == "U85"]
    said = run("npu_cycles", "--npu", *npus, "--every", "8", *mlperf_tiny.values())
    p10, p50, p90 = map(float, said.splitlines()[-1].split()[-3:])
    assert p10 >= 0.8 and 0.98 <= p50 <= 1.02 and p90 <= 1.25, said


def test_npu_speed_of_a_model(tiny_tflite: Path) -> None:
    said = run("npu_speed", "--runs", "1", "--table", tiny_tflite)
    assert "0 elements differ" in said
    head, _, row, _, where = said[said.index("| network |") :].splitlines()
    columns = [column.strip() for column in head.strip("|").split("|")]
    assert columns[1:] == ["BUILTIN_REF", "NPU model, U55-256", "LiteRT optimised", "XNNPACK", "TFLM"]
    name, reference, *ratios = [cell.strip() for cell in row.strip("|").split("|")]
    assert (name, reference.endswith(" ms")) == (tiny_tflite.stem, True)
    assert all(float(ratio) > 0 for ratio in ratios[:3])
    assert where.startswith("Measured on ")


def test_npu_speed_without_a_model_builds_the_networks_that_it_names() -> None:
    lines = run("npu_speed", "--runs", "1").splitlines()[::2]
    assert [line.split()[0] for line in lines] == ["MobileNetV2", "EfficientNetB0", "ResNet50"]
    assert all(line.endswith(" elements differ") for line in lines)


@pytest.mark.system
def test_many_inputs(built: Path) -> None:
    said = run("many_inputs", built, "--count", "2", "--rounds", "1")
    assert "one boot: 2 inputs" in said
    assert "run-fvp --count 2, an input with one boot / a boot each:" in said


def test_kernel_process(tiny_tflite: Path) -> None:
    said = run("kernel_process", tiny_tflite)
    assert f"{tiny_tflite.name}, " in said
    assert "64 at once" in said


def test_roofline_error(tiny_tflite: Path) -> None:
    said = run("roofline_error", f"Tiny={tiny_tflite}", "--npu", "U55-128")
    assert f"| Tiny | {tiny_tflite.stem} | " in said
    assert "layer by layer, on U55-128" in said
    assert "U65-256" not in said


def test_sweep(tiny_tflite: Path) -> None:
    """Exit status 1 says that a target was missed, which is no matter of this test."""
    said = run("sweep", tiny_tflite, "--jobs", str(os.cpu_count()), statuses=(0, 1))
    assert "sweep / (bare / workers)" in said


def test_verify_throughput(built: Path) -> None:
    said = run("verify_throughput", built, "2")
    assert "verdict: PASS" in said
    assert "NPU model, one at a time" in said
