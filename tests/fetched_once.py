"""What tests take from package registries: fetched once for a user, kept in the user's cache, never committed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path


class UnavailableError(Exception):
    """It is not in the cache and cannot be fetched; the message says why."""


def cache() -> Path:
    """Where it is kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ethosu-deploy"


def fetched_once(folder: Path, fetch: Callable[[Path], None]) -> Path:
    """A folder with what ``fetch`` puts into one; several processes may ask at once: one fetches, others wait.

    Args:
        folder: it is complete wherever it exists.
        fetch: fills an empty folder, which is renamed then.

    Raises:
        UnavailableError: ``fetch`` says so.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                with tempfile.TemporaryDirectory(dir=folder.parent) as name:
                    unfinished = Path(name) / "unfinished"
                    unfinished.mkdir()
                    fetch(unfinished)
                    unfinished.rename(folder)
    return folder


def wheel(requirement: str, folder: Path, words: Sequence[str] = ()) -> zipfile.ZipFile:
    """Download a wheel into a folder, without what it depends on, and open it.

    Args:
        requirement: ``name==version``.
        folder: to put it into, made for it.
        words: more options of ``pip download``.

    Raises:
        UnavailableError: pip cannot.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--retries", "1", "--no-deps"]
    run_or_say([*command, "--only-binary=:all:", *words, "--dest", str(folder), requirement], requirement)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def run_or_say(command: Sequence[str], what: str) -> None:
    """Run a command that fetches something.

    Raises:
        UnavailableError: it failed; with its last line.
    """
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise UnavailableError(f"{what} cannot be fetched ({reason})")
