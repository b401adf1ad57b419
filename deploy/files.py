"""Writing files whole: to a temporary name beside the target, then renamed; never half-written.

What is no file on a disk (:mod:`deploy.streams`) is written to as it is. A link stays, and what it points to is
written.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy import streams
from deploy.errors import BadInputError
from deploy.interrupts import held
from deploy.printable import readable

_PREFIX = "deploy-"
_OWNER_FILE = ".owner"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on success it takes the place of ``path``, on failure nothing has changed.

    The file has the permissions of any new file. A link's target is replaced; what is no file is written to.

    Raises:
        BadInputError: the folder cannot be written (the message names it), or the temporary file.
        BrokenPipeError: it is standard output, and its reader has gone.
    """

    def refused(error: OSError) -> BadInputError:
        return BadInputError(f"{path}: cannot be written: {error.strerror}")

    if streams.is_stream(path):
        with private_folder("stream") as folder:
            whole = folder / "whole"
            whole.touch()
            yield whole
            try:
                streams.pour(whole, path)
            except OSError as error:
                if isinstance(error, BrokenPipeError) and streams.descriptor(path) == 1:
                    raise
                raise refused(error) from error
        return
    with _told(refused):
        target = _behind_links(path)
        target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target)
    try:
        with _told(refused):
            # The kernel applies the umask; to ask for it is to change it, for all threads.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        with _told(refused, temporary):
            yield temporary
            temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """A new name in the same folder; an interrupt may come as soon as it is taken, so it is known before."""
    return path.parent / f".{path.name[:40]}.{os.urandom(8).hex()}"


def _behind_links(path: Path) -> Path:
    """What a link points to, whether it is there or not; any other path is returned as it is.

    Raises:
        OSError: links go in a circle.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return target


@contextlib.contextmanager
def _told(refused: Callable[[OSError], BadInputError], place: Path | None = None) -> Iterator[None]:
    """Tell the system's errors in our words; where there is a place, only those that are about it."""
    try:
        yield
    except OSError as error:
        if place is not None and not _concerns(error, place):
            raise
        raise refused(error) from error


def _concerns(error: OSError, place: Path) -> bool:
    """Whether an error is about a file, or one in a folder, or about room, of which the system names no file."""
    if error.filename is None:
        return error.errno in _NO_ROOM
    named = (name for name in (error.filename, error.filename2) if isinstance(name, str | bytes))
    return any(Path(os.fsdecode(name)).is_relative_to(place) for name in named)


def check_writable(path: Path) -> None:
    """Check, before long work, that a file can be written there in the end.

    Raises:
        BadInputError: it is a folder, or its folder cannot be written.
    """
    if streams.is_stream(path) and os.access(path, os.W_OK):
        return
    if path.is_dir():
        raise BadInputError(f"{path}: cannot be written: it is a folder")
    check_folder_writable(path)


def check_folder_writable(path: Path) -> None:
    """Check, before long work, that a file or folder can be made in the folder of ``path``, or replaced there.

    Raises:
        BadInputError: its folder cannot be written, or made.
    """
    try:
        path = _behind_links(path)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written: {error.strerror}") from error
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise BadInputError(f"{path}: cannot be written: {folder} is not a folder that can be written")


def read_bytes(path: Path) -> bytes:
    """Read a file; never waits for one that has no end.

    Raises:
        BadInputError: it is a FIFO, a device or a socket.
        OSError: it cannot be read.
    """
    streams.check_readable_file(path)
    return path.read_bytes()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        BadInputError: it cannot be written.
    """
    write_bytes(path, readable(text).encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        BadInputError: it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing_folder(path: Path, keep: Callable[[Path], bool] = lambda _: False) -> Iterator[Path]:
    """Yield a new folder beside ``path``; on success it takes its place, on failure nothing has changed.

    Args:
        path: the folder; a link's target is replaced.
        keep: whether an entry of the old folder stays, unless the new one has one of that name.

    Raises:
        BadInputError: the folder cannot be written.
    """

    def refused(error: OSError) -> BadInputError:
        return BadInputError(f"{path}: the folder cannot be written: {error.strerror}")

    with _told(refused):
        path = _behind_links(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    fresh, old = temporary / "new", temporary / "old"
    try:
        with _told(refused):
            temporary.mkdir(0o700)
        with _told(refused, temporary):
            fresh.mkdir()
            yield fresh
            with held():  # an interrupt amid this would lose the old folder and the new one
                _take_place(path, fresh, old, keep)
    finally:
        with held():
            shutil.rmtree(temporary, ignore_errors=True)


def _take_place(path: Path, fresh: Path, old: Path, keep: Callable[[Path], bool]) -> None:
    if path.exists():
        path.rename(old)
    try:
        fresh.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise
    for entry in old.iterdir() if old.exists() else ():
        if keep(entry) and not os.path.lexists(path / entry.name):
            entry.rename(path / entry.name)


@contextlib.contextmanager
def private_folder(purpose: str) -> Iterator[Path]:
    """Yield a temporary folder that only this user can read, removed in the end.

    Nothing can remove it when this process is killed outright; the next one that makes such a folder does. A
    locked file in it says that it is in use: the lock goes with the process that holds it, whatever ends that.

    Raises:
        BadInputError: the system's temporary folder is full or cannot be written.
    """

    def refused(error: OSError) -> BadInputError:
        return BadInputError(
            f"{tempfile.gettempdir()}: temporary files cannot be written: {error.strerror or error}",
            hints=["set TMPDIR to a folder with more room"],
        )

    _remove_abandoned()
    with contextlib.ExitStack() as stack:
        with _told(refused):
            folder = _locked_folder(purpose, stack)
        with _told(refused, folder):
            yield folder


def _locked_folder(purpose: str, stack: contextlib.ExitStack) -> Path:
    """A new folder that gets its name when its file is locked: no other process takes it for abandoned."""
    folder = Path(tempfile.gettempdir(), f"{_PREFIX}{purpose}-{os.urandom(8).hex()}")
    unnamed = folder.with_name(f".{folder.name}")
    # Noted before it is there: an interrupt may come between the two.
    stack.callback(shutil.rmtree, unnamed, ignore_errors=True)
    unnamed.mkdir(0o700)
    owner = stack.enter_context((unnamed / _OWNER_FILE).open("w"))
    with contextlib.suppress(OSError):  # a file system without locks only keeps what is abandoned
        fcntl.flock(owner, fcntl.LOCK_EX)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return unnamed.rename(folder)


def _remove_abandoned() -> None:
    """Remove this user's temporary folders whose process is gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            place = _opened(folder, os.O_RDONLY | os.O_DIRECTORY, stack)
            status = os.fstat(place)
            if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700:
                owner = _opened(_OWNER_FILE, os.O_RDWR, stack, place)
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while it is in use
                shutil.rmtree(folder)


def _opened(path: Path | str, flags: int, stack: contextlib.ExitStack, folder: int | None = None) -> int:
    """A descriptor of a file that is no link, closed with the stack."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    stack.callback(os.close, descriptor)
    return descriptor
