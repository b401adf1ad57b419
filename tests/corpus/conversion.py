"""The corpus as ``.tflite`` files, converted once and kept: by hash of their source and TensorFlow's version."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from deploy.chatter import silenced
from deploy.files import write_bytes

TESTS = Path(__file__).resolve().parent.parent
CACHE = TESTS.parent / "build" / "corpus" / "networks"
Converter = Callable[[], bytes]
_NOT_SUPPORTED = "not yet supported for op"
"""What the converter says of an operator that it has no 16-bit form of; random networks may have one."""


def small_networks() -> dict[str, Converter]:
    """One network per operator and variant: name -> its converter."""
    from npu.networks import networks

    return {network.name: network.convert for network in networks()}


def written() -> dict[str, Converter]:
    """Operators that the converter does not write: name -> their writer."""
    from npu.written_networks import written_networks

    return {network.name: network.convert for network in written_networks()}


WRITTEN_SOURCES = (TESTS / "npu" / "written_networks.py", TESTS / "tflite_writer.py")


def converted(
    converters: Mapping[str, Converter], sources: Sequence[Path], names: Iterable[str] | None = None
) -> dict[str, Path]:
    """Convert what is not converted yet.

    Args:
        converters: name -> function that returns the ``.tflite`` file.
        sources: the files that define them; any change in them converts anew.
        names: which of them; all when None.

    Returns:
        Name -> file. A network with an operator that the converter does not support has no entry, but a
        ``.refused`` file with the reason in the cache. Whatever else the converter raises is raised here.
    """
    content = [source.read_bytes() for source in sources] + [importlib.metadata.version("tensorflow").encode()]
    folder = CACHE / f"{sources[0].stem}-{hashlib.sha256(b''.join(content)).hexdigest()[:16]}"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    wanted = list(converters if names is None else names)
    # Once around all of them: TensorFlow's loggers keep the stream that they were first given.
    with silenced():
        for name in wanted:
            path, refused = folder / f"{name}.tflite", folder / f"{name}.refused"
            if path.exists() or refused.exists():
                continue
            try:
                network = converters[name]()
            except RuntimeError as error:
                if _NOT_SUPPORTED not in str(error):
                    raise
                write_bytes(refused, f"{type(error).__name__}: {error}".encode())
            else:
                write_bytes(path, network)
    return {name: folder / f"{name}.tflite" for name in wanted if (folder / f"{name}.tflite").exists()}
