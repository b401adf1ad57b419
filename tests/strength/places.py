"""Where in a compiled file lies what the NPU reads: commands, weights, biases with scales, look-up tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.hardware.npus import Npu
from deploy.npu import Architecture, parse_payload
from deploy.npu.program import Program, decode
from deploy.npu.regions import CONSTANTS
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.operations import AddressRange
from deploy.tflite import Model, Tensor
from deploy.tflite.compiled import npu_operators

KINDS = ("commands", "weights", "scales", "tables")


@dataclass
class Places:
    """Byte offsets in the file, by kind; a kind that a model has nothing of is missing."""

    offsets: dict[str, set[int]] = field(default_factory=dict)

    def add(self, kind: str, start: int, length: int) -> None:
        """Take in a range of the file."""
        if length:
            self.offsets.setdefault(kind, set()).update(range(start, start + length))


def places(compiled: Model, npu: Npu) -> Places:
    """Find all of them in a file that Vela wrote."""
    found = Places()
    for operator in npu_operators(compiled):
        payload = parse_payload(operator.payload_bytes)
        start = _offset(compiled, operator.payload) + payload.stream_offset
        found.add("commands", start, payload.stream.nbytes)
        if operator.constants.data is not None:
            program = decode(payload.stream, Architecture(npu.family, npu.macs))
            base = _offset(compiled, operator.constants)
            for kind, part in _constants(program):
                found.add(kind, base + part.address, part.length)
    return found


def _constants(program: Program) -> list[tuple[str, AddressRange]]:
    """Kind and place in the constants of whatever is read from there, directly or copied by DMA before."""
    copied: list[DmaOperation] = []
    found = []
    for operation in program.operations:
        if isinstance(operation, DmaOperation) and operation.source_region == CONSTANTS:
            copied.append(operation)
            if operation.destination_region is None:
                found.append(("tables", AddressRange(CONSTANTS, operation.source, operation.length)))
        if isinstance(operation, ConvolutionOperation):
            for kind, parts in (("weights", operation.weights), ("scales", operation.scales)):
                found += [(kind, place) for part in parts if (place := _source(part, copied)) is not None]
    return found


def _source(part: AddressRange, copied: list[DmaOperation]) -> AddressRange | None:
    if part.region == CONSTANTS:
        return part
    for copy in reversed(copied):
        inside = part.address - copy.destination
        if copy.destination_region == part.region and 0 <= inside <= copy.length - part.length:
            return AddressRange(CONSTANTS, copy.source + inside, part.length)
    return None


def _offset(model: Model, tensor: Tensor) -> int:
    """Where a constant tensor's content starts in the file."""
    assert tensor.data is not None
    content = tensor.data.tobytes()
    start = model.content.find(content)
    assert model.content.count(content) == 1, f"{tensor.name} cannot be told apart in the file"
    return start
