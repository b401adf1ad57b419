"""Where the streams of convolutions come from, which may have been moved into the NPU's own memory before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.dma import Transfer, origin_of
from deploy.npu.stream.operations import AddressRange, Operation


def with_origins(
    operations: Iterable[Operation],
) -> Iterator[tuple[ConvolutionOperation, tuple[AddressRange, ...]]]:
    """Yield each convolution of a program, and where its streams come from, weights first, as ``streams``."""
    moved: list[tuple[AddressRange, AddressRange]] = []
    for operation in operations:
        if isinstance(operation, Transfer):
            if (ends := operation.moved) is not None:
                moved.append(ends)
        elif isinstance(operation, ConvolutionOperation):
            yield operation, tuple(origin_of(stream, moved) for stream in operation.streams)
