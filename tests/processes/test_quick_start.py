"""What a command sets first: no search for garbage among its imports, short turns of threads, one BLAS thread."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import gc, os, sys
from deploy.processes.quick_start import quick_start
quick_start()
print(gc.get_threshold()[0] > 100_000, sys.getswitchinterval() < 0.001, os.environ["OPENBLAS_NUM_THREADS"])
"""


@pytest.mark.parametrize(("given", "threads"), [(None, "1"), ("3", "3")])
def test_a_command_sets_it_and_leaves_what_a_user_has_set(given: str | None, threads: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    environment |= {} if given is None else {"OPENBLAS_NUM_THREADS": given}
    command = [sys.executable, "-c", SCRIPT]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert said.split() == ["True", "True", threads]


@pytest.mark.parametrize("module", ["deploy", "deploy.corstone"])
def test_every_program_sets_it_before_it_imports_its_command_line(module: str) -> None:
    script = (
        f"import sys, {module}.__main__ as program\n"
        "def begin():\n"
        f"    print('{module}.cli' in sys.modules or '{module}.cli.main' in sys.modules)\n"
        "    raise SystemExit\n"
        "program.quick_start = begin\n"
        "program.main()\n"
    )
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert said.split() == ["False"]
