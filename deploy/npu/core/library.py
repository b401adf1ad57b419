"""Finds the compiled core, and says what is missing without it."""

from __future__ import annotations

import functools
import importlib.util
import json
import shlex
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

from deploy.npu.core.sources import digest

_COMPILER = "apt-get install gcc libc6-dev python3-dev"
_DISTRIBUTION = "ethosu-deploy"


@functools.cache
def native() -> ModuleType | None:
    """The compiled core; None where none of these sources is there, or it could not hold elements as the NPU."""
    if sys.byteorder != "little":
        return None
    try:
        from deploy.npu.core import native as found
    except ImportError:
        return None
    return None if _is_old(found) else found


def _is_old(core: ModuleType) -> bool:
    """Whether the sources beside a core are others than it was compiled from."""
    now = digest(Path(__file__).parent)
    return bool(now) and getattr(core, "SOURCES", None) not in (now, "")


def lack() -> str:
    """Why the core is not used: the end of a sentence about it."""
    old = importlib.util.find_spec("deploy.npu.core.native") is not None
    return "was compiled from other sources than those here" if old else "is not compiled"


def version() -> str:
    """Which of the two computes: ``compiled (AVX2)``, with the version of the core's loops, or ``NumPy``."""
    core = native()
    return "NumPy" if core is None else f"compiled ({core.VERSIONS[-1]})"


def versions() -> dict[str, str]:
    """The same as a document keeps it: ``npu-model`` -> which of the two."""
    return {"npu-model": version()}


def slowness() -> str | None:
    """What somebody who runs the NPU model should know, with what to type; None where its core is there."""
    if native() is not None:
        return None
    return f"the NPU model is slow: its core {lack()}, and NumPy computes the same; {how_to_compile()}"


def how_to_compile() -> str:
    """What to type so that the core is there."""
    return f"{_COMPILER} && {_install_again()}"


def _install_again() -> str:
    """The command that installs deploy from the folder where it came from, as it was installed."""
    import importlib.metadata  # takes 9 ms, and hardly anybody asks

    try:
        found = importlib.metadata.distribution(_DISTRIBUTION).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        found = None
    origin = json.loads(found or "{}")
    again = shlex.join([sys.executable, "-m", "pip", "install", "--no-deps", "--force-reinstall"])
    if "dir_info" not in origin:
        return f"{again} CHECKOUT"
    folder = shlex.quote(unquote(urlsplit(origin["url"]).path))
    return f"{again} --editable {folder}" if origin["dir_info"].get("editable") else f"{again} {folder}"
