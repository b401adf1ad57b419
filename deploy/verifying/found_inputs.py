"""Keeps inputs that a search found in the build folder: to look for them again takes longer than to run them.

One file, the last search's. What it was searched for with stands at its beginning, and a checksum: another search,
a damaged file or other code find nothing in it.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deploy.build_folder import CACHE_FOLDER, BuildFolder, sha256_of_bytes
from deploy.errors import BadInputError
from deploy.files import read_bytes, write_bytes
from deploy.judging.sample_bytes import pack_samples, unpack_samples
from deploy.judging.samples import Sample, SampleDigest
from deploy.verifying.deciding_versions import deciding_versions

FILE = "found-inputs.bin"
"""In the build's cache folder."""

_MOST_BYTES = 16 << 20


def found_before(
    build: BuildFolder,
    known: Sequence[Sample],
    wanted: int,
    search: Callable[[], tuple[Sample, ...]],
    **how: object,
) -> tuple[Sample, ...]:
    """What a search finds, or has found before.

    Args:
        build: whose inputs are searched for.
        known: inputs that it adds to.
        wanted: how many.
        search: finds them; the same ones whenever all else is the same.
        **how: what else it depends on.

    Raises:
        DeployError: of the search.
    """
    key = _key(build, known, wanted, how)
    found = _kept(build, key)
    if found is None:
        found = search()
        _keep(build, key, found)
    return found


def _key(build: BuildFolder, known: Sequence[Sample], wanted: int, how: Mapping[str, object]) -> str:
    """SHA-256 over everything that decides what is found."""
    document = build.document
    decides: dict[str, Any] = {
        "compiled": document.compiled_sha256,
        "source": document.source_sha256,
        "npu": document.npu,
        "known": SampleDigest().add(known).hexdigest(),
        "wanted": wanted,
        "how": how,
        "versions": deciding_versions(),
    }
    return sha256_of_bytes(json.dumps(decides, sort_keys=True).encode())


def _kept(build: BuildFolder, key: str) -> tuple[Sample, ...] | None:
    path = build.path / CACHE_FOLDER / FILE
    try:
        if path.stat().st_size > 2 * _MOST_BYTES:
            return None
        head, _, content = read_bytes(path).partition(b"\n")
        if json.loads(head) != {"key": key, "sha256": sha256_of_bytes(content)}:
            return None
        return unpack_samples(content)
    except (OSError, ValueError, KeyError, StopIteration, IndexError, zipfile.BadZipFile, BadInputError):
        return None


def _keep(build: BuildFolder, key: str, samples: Sequence[Sample]) -> None:
    """Write the file; where that is not possible, the next run searches again."""
    if not samples or sum(array.nbytes for sample in samples for array in sample.values()) > _MOST_BYTES:
        return
    content = pack_samples(samples)
    head = json.dumps({"key": key, "sha256": sha256_of_bytes(content)}).encode()
    with contextlib.suppress(BadInputError):
        write_bytes(build.path / CACHE_FOLDER / FILE, head + b"\n" + content)
