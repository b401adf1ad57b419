"""Executes command streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from deploy.npu.architecture import Architecture
from deploy.npu.errors import NpuError, UnsupportedError
from deploy.npu.execution.convolution import convolve
from deploy.npu.execution.dma import copy
from deploy.npu.execution.elementwise import elementwise
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.parallel import one_blas_thread
from deploy.npu.execution.pooling import pool
from deploy.npu.stream.decoder import Program, decode
from deploy.npu.stream.operations import (
    ConvolutionOperation,
    DmaOperation,
    ElementwiseOperation,
    Operation,
    PoolingOperation,
)
from deploy.npu.timing.counters import DEFAULT_REGION_CONFIG
from deploy.npu.timing.statistics import Statistics
from deploy.npu.weights.cache import WeightCache

Observer = Callable[[Operation, Memory], None]
"""Called after every operation with what it was and the memory as it left it."""


def execute(
    stream: NDArray[np.uint32],
    regions: Mapping[int, NDArray[np.uint8]],
    arch: Architecture,
    cache: WeightCache | None = None,
    on_operation: Observer | None = None,
    defined: Mapping[int, Iterable[tuple[int, int]]] | None = None,
    region_config: int = DEFAULT_REGION_CONFIG,
) -> Statistics:
    """Execute a command stream: reads and writes ``regions`` as the NPU would.

    Args:
        stream: uint32 words, what QBASE points at (without the driver's payload header).
        regions: region number (0 to 7) -> uint8 array ``(bytes,)``; addresses in commands are offsets into it.
            Arrays ``(batch, bytes)`` run several inputs through the stream at once; flat regions beside them
            are shared by the batch and must then not be written.
        arch: the NPU.
        cache: keeps decoded weights between calls; safe when memory changes.
        on_operation: called after every operation, for those who compare step by step.
        defined: finds reads of memory that nobody wrote: region number -> ranges ``(start, stop)`` that hold data
            at the start (constants, inputs). Without it every byte counts as written.
        region_config: REGIONCFG; only the counters depend on it.

    Returns:
        What was executed.

    Raises:
        NpuError: a subclass says what is wrong, in which command, at which offset. Memory may have been written
            by the operations before it.
    """
    return run(decode(stream, arch), regions, arch, cache, on_operation, defined, region_config)


def run(
    program: Program,
    regions: Mapping[int, NDArray[np.uint8]],
    arch: Architecture,
    cache: WeightCache | None = None,
    on_operation: Observer | None = None,
    defined: Mapping[int, Iterable[tuple[int, int]]] | None = None,
    region_config: int = DEFAULT_REGION_CONFIG,
) -> Statistics:
    """Execute a decoded program; see :func:`execute`."""
    memory = Memory(regions, arch, defined)
    cache = WeightCache() if cache is None else cache
    statistics = Statistics(stopped=program.stopped)
    with one_blas_thread():
        for operation in program.operations:
            try:
                _step(operation, memory, arch, cache)
            except NpuError as error:
                error.locate(command=operation.command, offset=operation.offset, operation=operation.index)
                raise
            statistics.records.append(program.described(operation, arch, region_config))
            if on_operation is not None:
                on_operation(operation, memory)
    return statistics


def _step(operation: Operation, memory: Memory, arch: Architecture, cache: WeightCache) -> None:
    if isinstance(operation, ConvolutionOperation):
        convolve(operation, memory, arch, cache)
    elif isinstance(operation, PoolingOperation):
        pool(operation, memory, arch)
    elif isinstance(operation, ElementwiseOperation):
        elementwise(operation, memory, arch)
    elif isinstance(operation, DmaOperation):
        copy(operation, memory)
    else:
        raise UnsupportedError(f"no such operation: {type(operation).__name__}")
