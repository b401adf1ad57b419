"""``deploy sweep`` on the command line: table, files, cache, exit status."""

import csv
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from two_signatures import two_signatures

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.compiler import VELA
from deploy.compiling.vela_config import installed_config
from deploy.hardware.npus import npu_named

pytestmark = pytest.mark.tensorflow  # the model that is compiled is quantized by a fixture


@pytest.fixture
def model(tiny_tflite: Path) -> Path:
    return tiny_tflite


def document(folder: Path) -> dict:
    return json.loads((folder / "sweep.json").read_text())


def test_all_npus_make_a_table_and_files_with_labelled_figures(
    model: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("vl_convert")
    assert run(["sweep", str(model), "-o", "out"]) == 0
    printed = capsys.readouterr().out
    assert "11 points" in printed
    assert "U55-256" in printed and "U85-2048" in printed
    assert "estimate: Vela" in printed
    written = document(in_folder / "out")
    assert written["schema_version"] == 1
    assert [point["npu"] for point in written["points"]][:2] == ["U55-32", "U55-64"]
    assert all(figure["label"] == "estimate" for point in written["points"] for figure in point["figures"])
    assert any(point["pareto"] for point in written["points"])
    with (in_folder / "out" / "sweep.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 11
    assert float(rows[0]["inference_time [ms, estimate]"]) > 0
    page = (in_folder / "out" / "sweep.html").read_text()
    assert "Pareto" in page
    assert "src=" not in page.partition('<script type="module">')[0]
    assert len(page) < 2_000_000


def test_a_point_is_what_the_vela_command_gives(model: Path, in_folder: Path) -> None:
    assert run(["sweep", str(model), "--npu", "U55-64,U65-512", "--json", "s.json", "--fresh", "-q"]) == 0
    source = tflite.read(model)
    for point in json.loads(Path("s.json").read_text())["points"]:
        options = CompileOptions(
            npu_named(point["npu"]), point["system_config"], point["memory_mode"], point["optimise"]
        )
        compiled = VELA.compile(source, options).output.model
        assert point["compiled_sha256"] == hashlib.sha256(compiled).hexdigest()


def test_what_is_known_is_not_compiled_again(model: Path, in_folder: Path) -> None:
    words = ["sweep", str(model), "-o", "out", "-q", "--chart", "out/chart.svg"]
    assert run([*words, "--npu", "U55-32,U55-64"]) == 0
    first = {file: file.stat().st_mtime_ns for file in (in_folder / "out" / "cache").iterdir()}
    assert run([*words, "--npu", "U55-32,U55-64,U55-128"]) == 0
    assert [point["cached"] for point in document(in_folder / "out")["points"]] == [True, True, False]
    assert {file: file.stat().st_mtime_ns for file in first} == first
    assert (in_folder / "out" / "chart.svg").read_text().startswith("<svg")


def test_accuracy_is_measured_over_labelled_data(model: Path, in_folder: Path) -> None:
    from deploy.judging.reference import ReferenceKernels

    images = np.random.default_rng(5).integers(0, 256, (70, 16, 16, 1), dtype=np.uint8)
    np.savez("data.npz", image=images)
    kernels = ReferenceKernels(tflite.read(model))
    kind = [int(kernels.run({"image": image[None]})["kind"].argmax()) for image in images]
    wrong = [(number + 1) % 4 for number in kind[:7]] + kind[7:]
    Path("labels.json").write_text(json.dumps({"kind": {"true": wrong}}))
    words = ["sweep", str(model), "--npu", "U55-128", "-o", "out", "-q"]
    assert run([*words, "--data", "data.npz", "--labels", "labels.json"]) == 0
    (point,) = document(in_folder / "out")["points"]
    (figure,) = [figure for figure in point["figures"] if figure["name"] == "accuracy"]
    assert figure["value"] == 63 / 70
    assert figure["label"] == "measured"
    assert "accuracy" in [objective["name"] for objective in document(in_folder / "out")["objectives"]]


def test_what_is_remarkable_about_the_data_of_an_accuracy_is_said(
    model: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(5).uniform(-0.001, 0.001, (8, 16, 16, 1)).astype(np.float32)
    np.savez("set.npz", image=images)
    Path("labels.json").write_text(json.dumps({"kind": {"true": [0] * 8}}))
    words = ["sweep", str(model), "--npu", "U55-128", "--data", "set.npz", "--labels", "labels.json", "-o", "out"]
    assert run(words) == 0
    assert any("is it scaled as in training?" in warning for warning in document(in_folder / "out")["warnings"])
    assert "is it scaled as in training?" in " ".join(capsys.readouterr().out.split())


def test_the_signature_that_is_asked_for_is_swept_and_compiled_by_the_command_of_a_point(in_folder: Path) -> None:
    Path("two.tflite").write_bytes(two_signatures())
    words = ["sweep", "two.tflite", "--npu", "U55-128", "-o", "out", "-q"]
    assert run(words) == 4
    assert "double, size" in document(in_folder / "out")["points"][0]["reason"]
    assert run([*words, "--signature", "size"]) == 0
    found = document(in_folder / "out")
    assert found["warnings"] == ["signature size is taken; --signature chooses another one: double"]
    (point,) = found["points"]
    assert run([*shlex.split(point["command"])[1:], "-o", "build", "-q", "--advice", "none"]) == 0
    assert [spec.name for spec in BuildFolder.open(Path("build")).document.inputs] == ["second"]


def test_a_point_that_does_not_fit_is_a_row_with_its_reason(
    model: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", str(model), "--npu", "U55-128", "--memory-mode", "all", "--sram-limit", "1000"]
    assert run([*words, "--json", "s.json"]) == 0
    points = json.loads(Path("s.json").read_text())["points"]
    assert [point["status"] for point in points] == ["does not fit", "does not fit"]
    assert not any(point["pareto"] for point in points)
    assert "--sram-limit is 1,000" in points[0]["reason"]
    assert installed_config() is not None


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--npu", "U55-127"], 2),
        (["--data", "x.npz"], 2),
        (["--chart", "chart.pdf"], 2),
        (["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], 2),
        (["--scheduler", "127.0.0.1"], 2),
        (["--size", "96,128"], 2),
        (["--npu", "U55-32", "--memory-mode", "Dedicated_Sram"], 2),
        (["--data", "absent.npz", "--labels", "absent.json", "--npu", "U55-32"], 2),
    ],
)
def test_options_that_cannot_be_used_end_with_their_status(
    model: Path, in_folder: Path, words: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sweep", str(model), *words]) == status
    assert "deploy: error:" in capsys.readouterr().err


def test_a_killed_sweep_goes_on_where_it_was_and_computes_nothing_twice(model: Path, in_folder: Path) -> None:
    npus = "U55-32,U55-64,U55-128,U55-256,U65-256,U65-512"
    words = ["sweep", str(model), "--npu", npus, "--memory-mode", "all", "--jobs", "1", "-o", "out", "-q"]
    command = [sys.executable, "-P", "-m", "deploy", *words]
    cache = in_folder / "out" / "cache"
    process = subprocess.Popen(command, cwd=in_folder, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(cache.glob("point-*.json"))) < 3:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in cache.glob("point-*.json")}
    assert 3 <= len(kept) < 20, "it was killed in the middle"
    assert run(words) == 0
    points = document(in_folder / "out")["points"]
    assert len(points) == 20
    assert sum(point["cached"] for point in points) == len(kept)
    assert {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in kept} == kept
    assert len(list(cache.glob("point-*.json"))) == 20


@pytest.mark.slow
def test_networks_of_a_function_are_quantized_once_each_and_a_failing_one_is_a_row(in_folder: Path) -> None:
    Path("net.py").write_text(
        "CALLS = __import__('pathlib').Path('calls.txt')\n"
        "def build(size=16):\n"
        "    import keras\n"
        "    if size == 13:\n"
        "        raise ValueError('thirteen')\n"
        "    with CALLS.open('a') as calls: calls.write(f'{size}\\n')\n"
        "    keras.utils.set_random_seed(1)\n"
        "    image = keras.Input((size, size, 1), name='image')\n"
        "    x = keras.layers.Conv2D(4, 3, name='c')(image)\n"
        "    return keras.Model(image, keras.layers.Dense(2, name='d')(keras.layers.Flatten(name='f')(x)))\n"
    )
    words = ["sweep", "net.py:build", "--size", "8,13,16", "--npu", "U55-32,U55-64", "--calibration", "random"]
    assert run([*words, "-o", "out", "-q"]) == 0
    points = document(in_folder / "out")["points"]
    assert [point["status"] for point in points] == ["ok", "ok", "failed", "failed", "ok", "ok"]
    assert "thirteen" in points[2]["reason"]
    assert points[0]["source_sha256"] == points[1]["source_sha256"] != points[4]["source_sha256"]
    assert Path("calls.txt").read_text().split() == ["8", "16"]
    models = {file: file.stat().st_mtime_ns for file in (in_folder / "out" / "cache").glob("network-*.tflite")}
    assert len(models) == 2
    assert run([*words, "-o", "out", "-q"]) == 0
    assert {file: file.stat().st_mtime_ns for file in models} == models
    assert sum(point["cached"] for point in document(in_folder / "out")["points"]) == 4
