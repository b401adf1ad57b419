"""The errors of the functional model: each names the command, its place in the stream and its parameters."""

from __future__ import annotations

from collections.abc import Mapping


class NpuError(Exception):
    """Root of all errors that the functional model raises.

    Args:
        reason: what is wrong.
        command: name of the command that failed (``NPU_OP_CONV``), if one is known.
        offset: byte offset of that command in the command stream.
        operation: number of the operation (``NPU_OP_*`` kernels and DMA, counted from 0).
        parameters: the parameters that matter, by name.
    """

    def __init__(
        self,
        reason: str,
        *,
        command: str | None = None,
        offset: int | None = None,
        operation: int | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.command = command
        self.offset = offset
        self.operation = operation
        self.parameters: dict[str, object] = dict(parameters or {})

    def locate(self, *, command: str, offset: int, operation: int | None) -> None:
        """Fill in where the error happened, unless a more precise place is already known."""
        if self.command is None:
            self.command = command
        if self.offset is None:
            self.offset = offset
        if self.operation is None:
            self.operation = operation

    def __str__(self) -> str:
        place = []
        if self.command is not None:
            place.append(self.command)
        if self.offset is not None:
            place.append(f"at stream offset {self.offset:#x}")
        if self.operation is not None:
            place.append(f"(operation {self.operation})")
        text = f"{' '.join(place)}: {self.reason}" if place else self.reason
        if self.parameters:
            text += f" [{', '.join(f'{name}={value}' for name, value in self.parameters.items())}]"
        return text


class UnsupportedError(NpuError):
    """The stream asks for something that this model does not compute; it never guesses."""


class StreamError(NpuError):
    """The command stream or its payload is malformed, or a register value makes no sense."""


class MemoryAccessError(NpuError):
    """An access outside a region (or to memory nobody wrote, where that is tracked).

    Attributes:
        region: region number; None is the internal SHRAM.
    """

    def __init__(self, reason: str, *, region: int | None, address: int, size: int) -> None:
        where = "SHRAM" if region is None else region
        super().__init__(reason, parameters={"region": where, "address": hex(address), "size": size})
        self.region = region
        self.address = address
        self.size = size


class WeightStreamError(NpuError):
    """A weight or scale stream does not decode to what the operation needs."""
