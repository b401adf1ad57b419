"""The functional model of Ethos-U55, U65 and U85: executes Vela command streams on byte arrays, bit for bit.

Exact means equal to TFLite's reference kernels; nothing was compared with silicon. Whatever the model does not
compute it refuses with an :class:`UnsupportedError`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.npu.architecture import Architecture, architecture_of
    from deploy.npu.errors import MemoryAccessError, NpuError, StreamError, UnsupportedError, WeightStreamError
    from deploy.npu.execution.workspace import WeightCache
    from deploy.npu.program import execute
    from deploy.npu.stream.payload import Payload, parse_payload
    from deploy.npu.timing.statistics import OperationRecord, Statistics

__all__ = [
    "Architecture",
    "MemoryAccessError",
    "NpuError",
    "OperationRecord",
    "Payload",
    "Statistics",
    "StreamError",
    "UnsupportedError",
    "WeightCache",
    "WeightStreamError",
    "architecture_of",
    "execute",
    "parse_payload",
]

_MODULES = {
    "architecture": ("Architecture", "architecture_of"),
    "errors": ("MemoryAccessError", "NpuError", "StreamError", "UnsupportedError", "WeightStreamError"),
    "execution.workspace": ("WeightCache",),
    "program": ("execute",),
    "stream.payload": ("Payload", "parse_payload"),
    "timing.statistics": ("OperationRecord", "Statistics"),
}


def __getattr__(name: str) -> Any:
    """Import it when it is first used: many import one module of this package, and not all of them."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
