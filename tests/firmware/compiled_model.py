"""Models on their way into build folders."""

from __future__ import annotations

import contextlib
from pathlib import Path

from deploy.build_folder import BuildFolder
from deploy.cli.main import run


def compiled(folder: Path, content: bytes, npu: str = "U55-128", *more: str) -> BuildFolder:
    """Compile a model with Vela into a build folder."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "small.tflite"
    source.write_bytes(content)
    build = folder / f"build-{npu}"
    with contextlib.chdir(folder):
        assert run(["compile", str(source), "--npu", npu, "-o", str(build), "-q", *more]) == 0
    return BuildFolder.open(build)
