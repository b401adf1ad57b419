"""Writing files whole: to a temporary name beside the target, then renamed; never half-written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from deploy.errors import BadInputError

_OWNER_FILE = ".owner"
_SETTLED_S = 60.0
"""Younger folders may belong to a process that is just about to lock them."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success rename it to ``path``, on failure remove it.

    Raises:
        BadInputError: the folder cannot be written (the message names it).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written: {error.strerror}") from error
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Check, before long work, that a file can be written there in the end.

    Raises:
        BadInputError: it is a folder, or its folder cannot be written.
    """
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        reason = "it is a folder" if path.is_dir() else f"{folder} is not a folder that can be written"
        raise BadInputError(f"{path}: cannot be written: {reason}")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        BadInputError: it cannot be written.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        BadInputError: it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside ``path``; on success it takes its place, on failure nothing has changed.

    Raises:
        BadInputError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}.", dir=path.parent))
    except OSError as error:
        raise BadInputError(f"{path}: the folder cannot be written: {error.strerror}") from error
    fresh, old = temporary / "new", temporary / "old"
    try:
        fresh.mkdir()
        yield fresh
        if path.exists():
            path.rename(old)
        try:
            fresh.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    except OSError as error:
        raise BadInputError(f"{path}: the folder cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def private_folder(purpose: str) -> Iterator[Path]:
    """Yield a temporary folder that only this user can read, removed in the end.

    Nothing can remove it when this process is killed outright; the next one with the same purpose does. A locked
    file in it says that it is in use: the lock goes with the process that holds it, whatever ends that.

    Args:
        purpose: part of its name.

    Raises:
        BadInputError: the system's temporary folder is full or cannot be written.
    """
    try:
        _remove_abandoned(purpose)
        with (
            tempfile.TemporaryDirectory(prefix=f"deploy-{purpose}-") as name,
            (Path(name) / _OWNER_FILE).open("w") as owner,
        ):
            with contextlib.suppress(OSError):  # a file system without locks only keeps what is abandoned
                fcntl.flock(owner, fcntl.LOCK_EX)
            yield Path(name)
    except OSError as error:
        raise BadInputError(
            f"{tempfile.gettempdir()}: temporary files cannot be written: {error.strerror or error}",
            hints=["set TMPDIR to a folder with more room"],
        ) from error


def _remove_abandoned(purpose: str) -> None:
    """Remove this user's temporary folders whose process is gone."""
    for path in Path(tempfile.gettempdir()).glob(f"deploy-{purpose}-*/{_OWNER_FILE}"):
        with contextlib.suppress(OSError), open(path, opener=_without_following) as owner:
            status = os.fstat(owner.fileno())
            if status.st_uid == os.getuid() and time.time() - status.st_mtime > _SETTLED_S:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while it is in use
                shutil.rmtree(path.parent)


def _without_following(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)
