"""Compiles firmware sources for this computer, with the same warnings as for the target."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
HERE = Path(__file__).parent
_FLAGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-O1")


def compile_for_host(
    output: Path,
    sources: Sequence[Path],
    *,
    includes: Sequence[Path] = (),
    flags: Sequence[str] = (),
    cc: str = "cc",
) -> Path:
    """Compile and link; skips the test where there is no C compiler."""
    if shutil.which(cc) is None:
        pytest.skip(f"{cc} is not installed")
    command = [cc, *_FLAGS, *flags, f"-I{FIRMWARE}", *(f"-I{path}" for path in includes), "-o", str(output)]
    done = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output
