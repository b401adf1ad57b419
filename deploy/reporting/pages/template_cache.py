"""Keeps the compiled template of the report in the user's cache.

To compile it takes longer than all else of a report: 70 ms of processor time, reading it back 2 ms (measured).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from deploy.errors import BadInputError
from deploy.files import write_bytes
from deploy.user_cache import user_cache


class TemplateCache(jinja2.BytecodeCache):
    """Bytecode of templates, one file a template; a file that is damaged, or of another source, is made anew.

    Args:
        options: of the environment; they, too, decide what a template is compiled to.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        self._options = repr(sorted(options.items()))

    def get_source_checksum(self, source: str) -> str:
        """The checksum of everything that the bytecode depends on."""
        return hashlib.sha256(
            f"{importlib.metadata.version('jinja2')} {self._options} {source}".encode()
        ).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read a template, if it is there."""
        with contextlib.suppress(Exception):  # Damaged bytes fail in many ways.
            bucket.bytecode_from_string(_path(bucket).read_bytes())

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template; a cache that cannot be written only costs time."""
        with contextlib.suppress(BadInputError):
            write_bytes(_path(bucket), bucket.bytecode_to_string())


def _path(bucket: Bucket) -> Path:
    return user_cache() / f"template-{bucket.key}.bin"
