"""NPU_OP_CONV and NPU_OP_DEPTHWISE: what the instruction sets have in common."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.npu.stream.operations import AddressRange, BlockOperation, Place, numbered_places


@dataclass(frozen=True, slots=True)
class ConvolutionOperation(BlockOperation):
    """A convolution.

    Attributes:
        cores: how many cores share the output channels (core k computes channels ``k::cores``).
        weights: weight stream of each core that has a channel to compute.
        scales: scale records of each such core.
    """

    depthwise: bool
    cores: int
    weights: tuple[AddressRange, ...]
    scales: tuple[AddressRange, ...]

    @property
    def label(self) -> str:
        """``CONV`` or ``DEPTHWISE``."""
        return "DEPTHWISE" if self.depthwise else "CONV"

    @property
    def macs(self) -> int:
        """Every tap of every channel that is summed, for every element of the OFM."""
        depth = 1 if self.depthwise else self.ifm.depth
        return self.ofm.elements * self.kernel.height * self.kernel.width * depth

    @property
    def by_channel(self) -> bool:
        """Only a depthwise convolution keeps channels apart."""
        return self.depthwise

    @property
    def layout(self) -> tuple[object, ...]:
        """What the order of its weights and scales depends on, beside kernel, depths and the NPU."""
        return self.depthwise, self.cores, self.block[2]

    @property
    def streams(self) -> tuple[AddressRange, ...]:
        """Weights and scales."""
        return (*self.weights, *self.scales)

    @property
    def _stream_places(self) -> tuple[Place, ...]:
        return (*numbered_places("weights", self.weights), *numbered_places("scales", self.scales))
