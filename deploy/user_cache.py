"""The folder where this user's commands keep what takes long to find out or to make."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """``~/.cache/ethosu-deploy``, or where ``XDG_CACHE_HOME`` says; made by whoever writes to it first."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ethosu-deploy"
