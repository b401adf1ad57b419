"""The files of one folder for a program that nobody trusts: what leads out of it is refused, links included.

Every part of a name is opened relative to the folder before it and never followed when it is a link, whose text is
walked instead. So a link that somebody puts there meanwhile leads nowhere, either.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_MAX_LINKS = 40
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe or device must neither block this process nor become its terminal before it is found to be no file.
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class OutsideError(OSError):
    """A name leads out of the folder, or to something that is no plain file."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.EACCES, "not a file below the folder", name)


class HostFolder:
    """Opens, removes and renames files below a folder, by names relative to it or absolute ones that lie in it.

    Args:
        path: the folder.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._names = {tuple(each.parts) for each in (path.absolute(), path.resolve())}

    def open(self, name: str, flags: int) -> int:
        """Open a plain file; returns its descriptor.

        Raises:
            OSError: :class:`OutsideError` where the name leads out, or as the system has it.
        """
        with self._located(name) as (folder, last):
            descriptor = os.open(last, flags | _FILE, 0o666, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OutsideError(name)
        return descriptor

    def remove(self, name: str) -> None:
        """Remove a file.

        Raises:
            OSError: as :meth:`open`.
        """
        with self._located(name) as (folder, last):
            os.unlink(last, dir_fd=folder)

    def rename(self, name: str, to: str) -> None:
        """Give a file another name in the folder.

        Raises:
            OSError: as :meth:`open`.
        """
        with self._located(name) as (folder, last), self._located(to) as (other, new):
            os.rename(last, new, src_dir_fd=folder, dst_dir_fd=other)

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._root)

    @contextlib.contextmanager
    def _located(self, name: str) -> Iterator[tuple[int, str]]:
        """Descriptor of the folder that a file lies in, and its name there, which was no link just now."""
        folders = [os.dup(self._root)]
        try:
            pending = self._parts(name, name, folders)
            links = 0
            while pending:
                part = pending.pop(0)
                if part == "..":
                    if len(folders) == 1:
                        raise OutsideError(name)
                    os.close(folders.pop())
                    continue
                link = _link(part, folders[-1])
                if link is not None:
                    links += 1
                    if links > _MAX_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
                    pending[:0] = self._parts(link, name, folders)
                elif pending:
                    folders.append(os.open(part, _FOLDER, dir_fd=folders[-1]))
                else:
                    yield folders[-1], part
                    return
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        finally:
            for folder in folders:
                os.close(folder)

    def _parts(self, text: str, name: str, folders: list[int]) -> list[str]:
        """The steps of a path; an absolute one that lies in the folder begins there again."""
        steps = [part for part in text.split("/") if part not in ("", ".")]
        if not text.startswith("/"):
            return steps
        for root in self._names:
            if tuple(steps[: len(root) - 1]) == root[1:]:
                while len(folders) > 1:
                    os.close(folders.pop())
                return steps[len(root) - 1 :]
        raise OutsideError(name)


def _link(part: str, folder: int) -> str | None:
    """What a link says; None for everything else, and for what does not exist."""
    try:
        return os.readlink(part, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise
