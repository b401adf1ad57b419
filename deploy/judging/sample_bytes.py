"""Samples as bytes, to be sent to another computer or kept: an ``.npz`` file, in which nothing is pickled."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deploy.judging.samples import Sample


def pack_samples(samples: Sequence[Mapping[str, Any]]) -> bytes:
    """Samples, or outputs, as the bytes of an ``.npz`` file: per name [samples, *shape]."""
    buffer = io.BytesIO()
    columns: dict[str, Any] = {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
    # Numbered: a tensor may be called what savez calls its own arguments.
    names = np.array(list(columns), dtype=np.str_)
    np.savez(buffer, names=names, **{str(i): array for i, array in enumerate(columns.values())})
    return buffer.getvalue()


def unpack_samples(content: bytes) -> tuple[Sample, ...]:
    """The opposite of :func:`pack_samples`; nothing is unpickled."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        columns = {str(name): arrays[str(i)] for i, name in enumerate(arrays["names"])}
    count = len(next(iter(columns.values())))
    return tuple({name: array[i] for name, array in columns.items()} for i in range(count))
