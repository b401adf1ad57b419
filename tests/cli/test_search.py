"""``deploy search`` on the command line: bad input, what is missing, and a real search that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import interruptible
import pytest
from answers import answered, found

from deploy.cli.main import run

TINY = ["--oracle", "roofline", "--trials", "3", "--samples", "64", "--epochs", "1", "--npu", "U55-64"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--oracle", "guess"], "--oracle guess: choose vela or roofline"),
        (["--npu", "U55-1"], "--npu U55-1: no such NPU"),
        (["--size", "32"], "--size 32: must be 28 or 56"),
        (["--minutes", "0"], "--minutes 0.0: must be positive"),
        (["--trials", "1"], "--trials"),
        (["--samples", "0"], "--samples"),
        (["models:featherface-v1"], "featherface-v1 cannot be searched"),
        (["--set", "widht=3"], "models:mobilenetv4 has no option 'widht'"),
    ],
)
def test_bad_options_end_with_status_2_before_any_work(
    words: list[str], message: str, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["search", *words]) == 2
    assert message in capsys.readouterr().err
    assert not (in_folder / "build").exists()


def test_without_tensorflow_it_says_what_to_install(
    in_folder: Path, without_tensorflow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["search"]) == 3
    assert "pip install" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_real_search_that_is_interrupted_and_killed_ends_as_one_that_was_not(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    words = [sys.executable, "-m", "deploy", "search", *TINY, "-o"]
    log = tmp_path / "killed" / "candidates.jsonl"
    statuses = {signal.SIGINT: 128 + signal.SIGINT, signal.SIGKILL: -signal.SIGKILL}
    for wanted, number in enumerate(statuses, start=1):
        killed = interruptible.started(
            [*words, str(tmp_path / "killed")],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        deadline = time.monotonic() + 300
        while not (log.exists() and log.read_bytes().count(b"\n") >= wanted):
            assert killed.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        killed.send_signal(number)
        said = interruptible.said(killed, 60)[1]
        assert killed.returncode == statuses[number], said
        before = log.read_text().splitlines()
        if number == signal.SIGINT:
            assert f"{len(before)} candidates are in {log}; the same command continues" in said
            assert "Traceback" not in said
    for name in ("killed", "whole"):
        ended = subprocess.run(
            [*words, str(tmp_path / name)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert ended.returncode == 0, ended.stderr
        assert (f"continuing after {len(before)} candidates" in ended.stderr) == (name == "killed")
    assert log.read_text().splitlines()[: len(before)] == before
    results = [(tmp_path / name / "result.json").read_text() for name in ("killed", "whole")]
    assert results[0] == results[1]
    result = json.loads(results[0])
    assert result["candidates"] == [2, 1]
    labels = {f["name"]: f["label"] for f in result["front"][0]["figures"]}
    assert labels == {"total_cycles": "estimate", "accuracy": "measured"}
    assert "Pareto front on U55-64" in ended.stdout
    import keras

    model = keras.models.load_model(tmp_path / "whole" / "best.keras")
    assert model.input_shape == (None, 28, 28, 1)
    best = json.loads((tmp_path / "whole" / "best.json").read_text())
    assert model.count_params() == best["parameters"]
    page = (tmp_path / "whole" / "pareto.html").read_text()
    assert "Accuracy against cycles" in page
    assert "src=" not in page.partition('<script type="module">')[0]


@pytest.mark.tensorflow
def test_without_the_charting_library_or_a_network_within_the_limit_it_says_so(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from deploy.reporting.charts import library

    monkeypatch.setattr(library, "PACKAGE", "no-such-package-here")
    assert run(["search", *TINY, "--limit-cycles", "10", "--json", "s.json"]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("no chart") == 1
    assert "vl-convert-python" in printed.err
    assert "3 too slow" in printed.out
    assert "no network was trained" in printed.out
    assert not (in_folder / "build" / "search" / "pareto.html").exists()
    kept = json.loads((in_folder / "build" / "search" / "result.json").read_text())
    assert kept["best"] is None
    document = answered((in_folder / "s.json").read_text())
    assert found(document) == kept
    assert document["notes"][0].startswith("no chart: ")
    assert document["written"] == ["build/search/result.json"]
