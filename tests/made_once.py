"""What several test processes need and one makes: quantized networks, builds, the documentation's site."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder of this process's own with what ``make`` puts into it; made once, however many processes there are.

    Args:
        factory: pytest's.
        name: of the folder; the same for the same content.
        make: fills a folder; what it raises fails every test that needs it, in every process.
    """
    own = factory.getbasetemp()
    # pytest-xdist gives each of its processes a folder below that of the whole run.
    whole_run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    made = whole_run / "made-once" / name
    made.parent.mkdir(exist_ok=True)
    with (made.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            unfinished = made.with_name(f"{name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(made)
    copy = factory.mktemp(name, numbered=False)
    shutil.copytree(made, copy, dirs_exist_ok=True)
    return copy
