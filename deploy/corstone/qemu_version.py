"""The version of a QEMU that has said it before: starting it only for that takes long.

One entry, in the user's cache: the QEMU that was asked last, told by its path, size and time. That it starts is
not said by that; whoever starts it finds out.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

from deploy.errors import BadInputError
from deploy.user_cache import user_cache

FILE = "qemu.json"
_MOST_BYTES = 1 << 14
_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){1,3}")


def known_version(qemu: Path) -> str | None:
    """What an executable said when it was asked last; None where it has changed, or was not asked.

    Args:
        qemu: its path.
    """
    try:
        path = user_cache() / FILE
        kept = json.loads(path.read_text()) if path.stat().st_size <= _MOST_BYTES else {}
        version = kept.pop("version")
        return version if kept == _told_by(qemu) and _VERSION.fullmatch(version) else None
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep_version(qemu: Path, version: str) -> None:
    """Keep what an executable said; where that is not possible it is asked again."""
    from deploy.files import write_text  # most starts read only

    with contextlib.suppress(OSError, RuntimeError, BadInputError):
        write_text(user_cache() / FILE, json.dumps({**_told_by(qemu), "version": version}))


def _told_by(qemu: Path) -> dict[str, object]:
    real = qemu.resolve()
    status = real.stat()
    return {"path": str(real), "size": status.st_size, "mtime_ns": status.st_mtime_ns, "inode": status.st_ino}
