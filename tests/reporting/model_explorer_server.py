"""Google's Model Explorer as its users start it, with no way to any network but this computer's own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

from fetched_once import cache, fetched_once, run_or_say

PACKAGE = "ai-edge-model-explorer==0.1.34"
_ELSEWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: Model Explorer asks for newer versions of itself."""


def model_explorer() -> Path:
    """A folder to import Model Explorer from, with everything that it needs; 0.7 GB.

    Raises:
        UnavailableError: it is not in the cache and cannot be fetched.
    """

    def fetch(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
        run_or_say([*command, "--target", str(folder), PACKAGE], PACKAGE)

    return fetched_once(cache() / "test-tools" / PACKAGE.replace("==", "-"), fetch)


@contextlib.contextmanager
def serving(words: Sequence[str], home: Path, *, adapter: str = "") -> Iterator[str]:
    """Start it and give the address of its page; ``adapter`` reads the model in place of the usual one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "HOME": str(home),
        "PYTHONPATH": str(model_explorer()),
        "PYTHONUNBUFFERED": "1",
        "HTTPS_PROXY": _ELSEWHERE,
        "HTTP_PROXY": _ELSEWHERE,
        "NO_PROXY": "localhost,127.0.0.1",
    }
    command = [sys.executable, "-m", "model_explorer", *words, "--port", str(port), "--no_open_in_browser"]
    log = home / "model-explorer.log"
    with log.open("w") as stream:
        server = subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT, cwd=home)
    try:
        end = time.monotonic() + 120
        while (found := re.search(r"http://\S+data=\S+", log.read_text())) is None:
            assert server.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        yield _in_eyes_of(adapter, found[0]) if adapter else found[0]
    finally:
        server.kill()
        server.wait()


def _in_eyes_of(adapter: str, address: str) -> str:
    page, data = address.split("?data=")
    said = json.loads(urllib.parse.unquote(data))
    for model in said["models"]:
        model["adapterId"] = adapter
    return f"{page}?data={urllib.parse.quote(json.dumps(said))}"
