"""NPU_OP_CONV and NPU_OP_DEPTHWISE as the command stream states them."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.stream.commands import Command
from deploy.npu.stream.operations import AddressRange, BlockOperation
from deploy.npu.stream.u55_commands import Cmd0, Cmd1
from deploy.npu.stream.u55_registers import RegisterValues


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
    def streams(self) -> tuple[AddressRange, ...]:
        """Weights and scales."""
        return (*self.weights, *self.scales)


def read_convolution(values: RegisterValues, command: Command, index: int) -> ConvolutionOperation:
    """The convolution that a command starts.

    Raises:
        StreamError: registers that make no sense.
        UnsupportedError: a combination that is not modelled.
    """
    ofm, kernel, padding, upscale = values.ofm(), values.kernel(), values.padding(), values.upscale()
    ifm = values.ifm_of_kernel(ofm, kernel, padding, upscale)
    depthwise = command.code is Cmd0.NPU_OP_DEPTHWISE
    if depthwise and ifm.depth != ofm.depth:
        raise StreamError(
            "a depthwise convolution keeps the depth", parameters={"ifm": ifm.depth, "ofm": ofm.depth}
        )
    if values.ofm_scale() is not None:
        raise UnsupportedError("a convolution with the global OFM scale")
    # A core without a channel to compute has no streams (measured: Vela leaves its registers alone).
    working = min(values.cores(), ofm.depth)
    return ConvolutionOperation(
        **values.common(command, index, ofm),
        ifm=ifm,
        kernel=kernel,
        padding=padding,
        upscale=upscale,
        depthwise=depthwise,
        cores=values.cores(),
        weights=values.core_ranges(
            Cmd0.NPU_SET_WEIGHT_REGION,
            [
                (Cmd1.NPU_SET_WEIGHT_BASE, Cmd1.NPU_SET_WEIGHT_LENGTH),
                (Cmd1.NPU_SET_WEIGHT1_BASE, Cmd1.NPU_SET_WEIGHT1_LENGTH),
            ],
            working,
        ),
        scales=values.core_ranges(
            Cmd0.NPU_SET_SCALE_REGION,
            [
                (Cmd1.NPU_SET_SCALE_BASE, Cmd1.NPU_SET_SCALE_LENGTH),
                (Cmd1.NPU_SET_SCALE1_BASE, Cmd1.NPU_SET_SCALE1_LENGTH),
            ],
            working,
        ),
    )
