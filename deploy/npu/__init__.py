"""The functional model of Ethos-U55, U65 and U85: executes Vela command streams on byte arrays, bit for bit.

Exact means equal to TFLite's reference kernels; nothing was compared with silicon. Whatever the model does not
compute it refuses with an :class:`UnsupportedError`.
"""

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
