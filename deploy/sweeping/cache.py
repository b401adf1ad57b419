"""What earlier sweeps computed, kept by what it was computed from.

One small file a result, written whole or not at all, so that a sweep that was killed loses what was under way and
nothing else. A file that is damaged, or of another name, counts as absent. The folder is its user's alone; what
has not been used for longest goes when it grows too large.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.resources
import json
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError
from deploy.files import write_bytes
from deploy.user_cache import user_cache

MOST_BYTES = 1 << 30
"""A point takes 4 kB (measured), a quantized network its size."""
_BLOCK_BYTES = 4096
_DECIDING = (".py", ".toml", ".h5")


def default_folder() -> Path:
    """Of the user: ``~/.cache/ethosu-deploy/sweeps``."""
    return user_cache() / "sweeps"


def key_of(kind: str, request: Mapping[str, Any]) -> str:
    """The name of a result: SHA-256 over everything it depends on."""
    text = json.dumps([kind, request], sort_keys=True, separators=(",", ":"))
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()}"


@functools.cache
def code_digest(*packages: str) -> str:
    """SHA-256 over the names and contents of the code, tables and weights of packages.

    Args:
        packages: as they are imported, ``deploy.compiling``; what they import of other packages is not in it.
    """
    digest = hashlib.sha256()
    for package in packages:
        for name, file in sorted(_package_files(importlib.resources.files(package))):
            if name.endswith(_DECIDING):
                digest.update(f"{package}/{name}:{hashlib.sha256(file.read_bytes()).hexdigest()};".encode())
    return digest.hexdigest()


def _package_files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        name = f"{prefix}{item.name}"
        if item.is_dir():
            yield from _package_files(item, f"{name}/")
        else:
            yield name, item


class Cache:
    """A folder of results; used from any number of threads and processes.

    Args:
        folder: made when something is kept first. One that another user owns, or everybody can write, is not used.
        fresh: whether to find nothing, so that all is computed and kept anew.
        most_bytes: what all files may take together, on the disk.
    """

    def __init__(self, folder: Path, *, fresh: bool = False, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self._fresh = fresh
        self._most_bytes = most_bytes
        self._taken: int | None = None
        self._lock = threading.Lock()

    def get(self, key: str) -> dict[str, Any] | None:
        """The result of that name; None where there is none."""
        content = self.get_bytes(f"{key}.json")
        with contextlib.suppress(ValueError, RecursionError):
            kept = json.loads(content) if content is not None else None
            if isinstance(kept, dict) and kept.get("key") == key and isinstance(kept.get("result"), dict):
                result: dict[str, Any] = kept["result"]
                return result
        return None

    def put(self, key: str, result: Mapping[str, Any]) -> None:
        """Keep a result. A cache that cannot be written costs time later, nothing now."""
        self.put_bytes(f"{key}.json", json.dumps({"key": key, "result": result}, indent=1).encode())

    def get_bytes(self, name: str) -> bytes | None:
        """The content of a file; None where it is absent or out of all proportion."""
        path = self.folder / name
        with contextlib.suppress(OSError):
            if not self._fresh and self._is_ours() and path.stat().st_size <= self._most_bytes:
                content = path.read_bytes()
                os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))  # whatever the mount says of reads
                return content
        return None

    def put_bytes(self, name: str, content: bytes) -> None:
        """Keep a file."""
        with contextlib.suppress(BadInputError, OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._is_ours():
                self.folder.chmod(0o700)
                write_bytes(self.folder / name, content)
                self._make_room(len(content))

    def _is_ours(self) -> bool:
        """Whether what the folder holds is this user's own work."""
        status = self.folder.stat()
        return status.st_uid == os.geteuid() and not status.st_mode & stat.S_IWOTH

    def _make_room(self, added: int) -> None:
        """Remove what has not been used for longest; the folder is read when it may have grown too large only."""
        with self._lock:
            if self._taken is not None and self._taken + _on_disk(added) <= self._most_bytes:
                self._taken += _on_disk(added)
                return
            files = sorted(_files(self.folder))
            self._taken = sum(size for _, size, _ in files)
            if self._taken > self._most_bytes:
                for _, size, path in files:
                    if self._taken <= self._most_bytes * 3 // 4:
                        break
                    with contextlib.suppress(OSError):
                        path.unlink()
                        self._taken -= size


def _on_disk(size: int) -> int:
    return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES


def _files(folder: Path) -> list[tuple[int, int, Path]]:
    """When each file was used last, in ns, the bytes it takes, and its path."""
    found = []
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                used = max(status.st_atime_ns, status.st_mtime_ns)
                found.append((used, _on_disk(status.st_size), Path(entry.path)))
    return found
