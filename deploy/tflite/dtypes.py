"""The numbers of tensor types in TFLite's schema (TensorType), which the firmware's protocol uses too."""

from __future__ import annotations

from typing import Final

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
