"""The classes that flatbuffers generates from TFLite's schema, and the names of its numbers."""

from __future__ import annotations

import functools
from typing import Any, Final

from deploy.errors import NotInstalledError

IDENTIFIER = b"TFL3"
"""At byte 4 of every file."""


def schema() -> Any:
    """The flatbuffers classes of TFLite's schema, as LiteRT's package carries them in one module."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise NotInstalledError(
            f"reading .tflite files needs ai-edge-litert ({error})", hints=["pip install ai-edge-litert==2.3.0"]
        ) from error
    return schema_py_generated


@functools.cache
def names_of(enum: str) -> dict[int, str]:
    """Number -> name of the members of an enumeration."""
    values = vars(getattr(schema(), enum))
    return {value: name for name, value in values.items() if not name.startswith("_")}


DTYPE_NUMBERS: Final = {
    "float32": 0,
    "float16": 1,
    "int32": 2,
    "uint8": 3,
    "int64": 4,
    "bool": 6,
    "int16": 7,
    "int8": 9,
    "float64": 10,
    "uint64": 12,
    "uint32": 15,
    "uint16": 16,
}
"""NumPy's name of a type -> its number; types that NumPy does not have are left out."""
