"""The C of the core: no warnings, no undefined behaviour, and an installation without a compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from deploy.npu import core

FOLDER = Path(core.__file__).parent
SOURCES = sorted(FOLDER.glob("*.c"))
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-DPy_LIMITED_API=0x030B0000")
INCLUDE = f"-I{sysconfig.get_paths()['include']}"
ROOT = Path(__file__).parents[3]


def done(*words: object, **environment: str) -> str:
    finished = subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert finished.returncode == 0, (finished.stdout + finished.stderr)[-3000:]
    return finished.stdout + finished.stderr


def test_the_core_compiles_without_a_warning() -> None:
    assert SOURCES
    done("cc", *FLAGS, INCLUDE, "-fsyntax-only", *SOURCES)


@pytest.mark.slow
def test_without_a_compiler_it_is_packaged_without_the_core(tmp_path: Path) -> None:
    sources, wheels = tmp_path / "sources", tmp_path / "wheels"
    generated = shutil.ignore_patterns(".*", "build", "*.egg-info", "*.so", "__pycache__")
    shutil.copytree(ROOT, sources, symlinks=True, ignore=generated)
    done(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, sources, CC="/bin/false")
    names = zipfile.ZipFile(next(wheels.iterdir())).namelist()
    assert "deploy/npu/execution/convolution.py" in names
    assert not [name for name in names if name.endswith(".so")]


_FUZZ = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("deploy.npu.core.native", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
import deploy.npu.core
sys.modules["deploy.npu.core.native"] = deploy.npu.core.native = module
from tests.npu.core.comparing import KINDS, compared
for family, kind in KINDS:
    for seed in range(20000, 20400):
        for version in range(len(module.VERSIONS)):
            outcome = compared(family, kind, seed, version)
            assert outcome.core == outcome.done and (outcome.same or not outcome.done), (kind, seed)
from tests.npu.core.random_streams import decompressed_alike
from tests.npu.core.random_weights import FAMILIES, packed_alike
assert all(map(decompressed_alike, range(20000, 20500)))
assert all(packed_alike(family, seed).same for family in FAMILIES for seed in range(20000, 20500))
print("all the same")
"""


@pytest.mark.slow
def test_random_operations_show_no_undefined_behaviour(tmp_path: Path) -> None:
    library = tmp_path / "native.abi3.so"
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
    done("gcc", *FLAGS, *sanitize, "-O2", "-g", "-shared", "-fPIC", INCLUDE, *SOURCES, "-o", library)
    found = done(
        sys.executable, "-c", _FUZZ, library,
        LD_PRELOAD=done("gcc", "-print-file-name=libasan.so").strip(),
        ASAN_OPTIONS="detect_leaks=0",
        PYTHONPATH=str(ROOT),
    )  # fmt: skip
    assert "all the same" in found
