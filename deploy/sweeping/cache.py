"""What earlier sweeps computed, kept by what it was computed from.

One small file a result, written whole or not at all, so that a sweep that was killed loses what was under way and
nothing else. A file that is damaged, or not of the version of this program, counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError
from deploy.files import write_bytes

_MAX_BYTES = 1 << 30


def default_folder() -> Path:
    """Of the user: ``~/.cache/ethosu-deploy/sweeps``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ethosu-deploy" / "sweeps"


def key_of(kind: str, request: Mapping[str, Any]) -> str:
    """The name of a result: SHA-256 over everything it depends on."""
    text = json.dumps([kind, request], sort_keys=True, separators=(",", ":"))
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()}"


class Cache:
    """A folder of results.

    Args:
        folder: made when something is kept first.
        fresh: whether to find nothing, so that all is computed and kept anew.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.folder = folder
        self._fresh = fresh

    def get(self, key: str) -> dict[str, Any] | None:
        """The result of that name; None where there is none."""
        content = self.get_bytes(f"{key}.json")
        with contextlib.suppress(ValueError):
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
        if self._fresh:
            return None
        path = self.folder / name
        with contextlib.suppress(OSError):
            if path.stat().st_size <= _MAX_BYTES:
                return path.read_bytes()
        return None

    def put_bytes(self, name: str, content: bytes) -> None:
        """Keep a file."""
        with contextlib.suppress(BadInputError):
            write_bytes(self.folder / name, content)
