"""Turns a command stream into operations: keeps the registers and reads them when an operation starts.

Registers keep their values between operations; a register that an operation needs but that the stream never
set is an error, because its value on hardware would be whatever an earlier stream left there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.npu.architecture import Architecture
from deploy.npu.commands import Cmd0, Cmd1, Command, split
from deploy.npu.errors import NpuError, StreamError, UnsupportedError
from deploy.npu.limits import MAX_KERNEL
from deploy.npu.operations import (
    Activation,
    AddressRange,
    ConvolutionOperation,
    DmaOperation,
    ElementwiseMode,
    ElementwiseOperation,
    FeatureMap,
    Function,
    Kernel,
    OperandScaling,
    Operation,
    Padding,
    PoolingMode,
    PoolingOperation,
    Rounding,
    Scale,
    Upscale,
)

_IGNORED = frozenset(
    # Programs order is execution order here, so nothing has to be waited for.
    [Cmd0.NPU_OP_DMA_WAIT, Cmd0.NPU_OP_KERNEL_WAIT, Cmd0.NPU_OP_PMU_MASK, Cmd0.NPU_OP_IRQ]
)
_KERNEL_OPERATIONS = frozenset(
    [Cmd0.NPU_OP_CONV, Cmd0.NPU_OP_DEPTHWISE, Cmd0.NPU_OP_POOL, Cmd0.NPU_OP_ELEMENTWISE]
)
_DTYPES: dict[tuple[int, int], np.dtype[np.generic]] = {
    (0, 0): np.dtype("u1"),
    (0, 1): np.dtype("i1"),
    (1, 0): np.dtype("<u2"),
    (1, 1): np.dtype("<i2"),
    (2, 0): np.dtype("<u4"),
    (2, 1): np.dtype("<i4"),
}
# ACTIVATION bits 14:12 (source: Vela 5.2.0, names of ACTIVATION_CLIP_RANGE); 0 takes the OFM's type.
_CLIP_RANGES: dict[int, np.dtype[np.generic]] = {2: np.dtype("u1"), 3: np.dtype("i1"), 5: np.dtype("<i2")}


@dataclass(frozen=True)
class Program:
    """A decoded command stream.

    Attributes:
        operations: in execution order.
        stopped: whether the stream ended with NPU_OP_STOP.
        words: how many words were consumed.
    """

    operations: tuple[Operation, ...]
    stopped: bool
    words: int


def decode(stream: NDArray[np.uint32], architecture: Architecture) -> Program:
    """Decode a command stream up to NPU_OP_STOP or its end.

    Args:
        stream: uint32 words.
        architecture: the NPU that executes it.

    Raises:
        StreamError: malformed, or a register has a value that makes no sense.
        UnsupportedError: something that the model does not compute.
    """
    registers = _Registers(architecture)
    operations: list[Operation] = []
    for command in split(stream):
        code = command.code
        if isinstance(code, Cmd1) or code >= Cmd0.NPU_SET_IFM_PAD_TOP:
            registers.set(command)
        elif code is Cmd0.NPU_OP_STOP:
            return Program(tuple(operations), True, command.offset // 4 + 1)
        elif code not in _IGNORED:
            try:
                operations.append(registers.operation(command, len(operations)))
            except NpuError as error:
                error.locate(command=code.name, offset=command.offset, operation=len(operations))
                raise
    return Program(tuple(operations), False, int(stream.size))


class _Registers:
    """The register values at one point of the stream."""

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture
        self._values: dict[Cmd0 | Cmd1, tuple[int, int]] = {}

    def set(self, command: Command) -> None:
        self._values[command.code] = (command.parameter, command.payload)

    def operation(self, command: Command, index: int) -> Operation:
        code = command.code
        if code is Cmd0.NPU_OP_DMA_START:
            return self._dma(command, index)
        if code is Cmd0.NPU_OP_ELEMENTWISE:
            return self._elementwise(command, index)
        if code is Cmd0.NPU_OP_POOL:
            return self._pooling(command, index)
        if code in _KERNEL_OPERATIONS:
            return self._convolution(command, index)
        raise UnsupportedError("no such operation", parameters={"parameter": command.parameter})

    # Plain reads

    def _raw(self, code: Cmd0 | Cmd1) -> tuple[int, int]:
        try:
            return self._values[code]
        except KeyError:
            raise StreamError(f"{code.name} was never set") from None

    def _u16(self, code: Cmd0, limit: int = 0xFFFF) -> int:
        value = self._raw(code)[0]
        if value > limit:
            raise StreamError("register out of range", parameters={code.name: value, "maximum": limit})
        return value

    def _s16(self, code: Cmd0) -> int:
        value = self._raw(code)[0]
        return value - 0x10000 if value & 0x8000 else value

    def _address(self, code: Cmd1) -> int:
        high, low = self._raw(code)
        return low | high << 32

    def _stride(self, code: Cmd1) -> int:
        """Strides are signed 40-bit numbers (measured: negative ones occur)."""
        value = self._address(code) & 0xFF_FFFF_FFFF
        return value - (1 << 40) if value & 1 << 39 else value

    def _scale(self, code: Cmd1) -> Scale:
        shift, multiplier = self._raw(code)
        return Scale(multiplier, shift & 0x3F)

    # Groups of registers

    def _feature_map(self, which: str, height: int, width: int, depth: int) -> FeatureMap:
        def cmd0(name: str) -> Cmd0:
            return Cmd0[f"NPU_SET_{which}_{name}"]

        def cmd1(name: str) -> Cmd1:
            return Cmd1[f"NPU_SET_{which}_{name}"]

        precision = self._raw(cmd0("PRECISION"))[0]
        size = precision >> 1 & 3 if which == "OFM" else precision >> 2 & 3
        dtype = _DTYPES.get((size, precision & 1))
        if dtype is None:
            raise UnsupportedError(
                f"{which} element size {size}", parameters={cmd0("PRECISION").name: hex(precision)}
            )
        return FeatureMap(
            region=self._u16(cmd0("REGION"), 7),
            bases=(
                self._address(cmd1("BASE0")),
                self._address(cmd1("BASE1")),
                self._address(cmd1("BASE2")),
                self._address(cmd1("BASE3")),
            ),
            height0=self._u16(cmd0("HEIGHT0_M1")) + 1,
            height1=self._u16(cmd0("HEIGHT1_M1")) + 1,
            width0=self._u16(cmd0("WIDTH0_M1")) + 1,
            height=height,
            width=width,
            depth=depth,
            stride_y=self._stride(cmd1("STRIDE_Y")),
            stride_x=self._stride(cmd1("STRIDE_X")),
            stride_c=self._stride(cmd1("STRIDE_C")),
            zero_point=self._s16(cmd0("ZERO_POINT")),
            dtype=dtype,
            bricks=bool(precision & 1 << 6),
        )

    def _ofm(self) -> FeatureMap:
        return self._feature_map(
            "OFM",
            self._u16(Cmd0.NPU_SET_OFM_HEIGHT_M1) + 1,
            self._u16(Cmd0.NPU_SET_OFM_WIDTH_M1) + 1,
            self._u16(Cmd0.NPU_SET_OFM_DEPTH_M1) + 1,
        )

    def _ifm_of_kernel(self, ofm: FeatureMap, kernel: Kernel, padding: Padding, upscale: Upscale) -> FeatureMap:
        """The IFM's height and width are in no register: they are what the kernel reads for the OFM."""
        height = (ofm.height - 1) * kernel.stride_y + kernel.extent_y - padding.top - padding.bottom
        width = (ofm.width - 1) * kernel.stride_x + kernel.extent_x - padding.left - padding.right
        if height < 1 or width < 1:
            raise StreamError("the padding covers the whole IFM", parameters={"height": height, "width": width})
        if upscale is not Upscale.NONE:
            height, width = (height + 1) // 2, (width + 1) // 2
        depth = self._u16(Cmd0.NPU_SET_IFM_DEPTH_M1) + 1
        return self._feature_map("IFM", height, width, depth)

    def _kernel(self) -> Kernel:
        bits = self._u16(Cmd0.NPU_SET_KERNEL_STRIDE)
        if bits & 0x20:
            raise UnsupportedError("kernel decomposition", parameters={"NPU_SET_KERNEL_STRIDE": hex(bits)})
        dilation_x, dilation_y = (bits >> 3 & 1) + 1, (bits >> 4 & 1) + 1
        height = self._u16(Cmd0.NPU_SET_KERNEL_HEIGHT_M1) // dilation_y + 1
        width = self._u16(Cmd0.NPU_SET_KERNEL_WIDTH_M1) // dilation_x + 1
        if height * width > MAX_KERNEL:
            raise StreamError("the kernel is too large", parameters={"height": height, "width": width})
        return Kernel(
            height=height,
            width=width,
            stride_y=(bits >> 1 & 1 | (bits >> 9 & 1) << 1) + 1,
            stride_x=(bits & 1 | (bits >> 6 & 1) << 1) + 1,
            dilation_y=dilation_y,
            dilation_x=dilation_x,
            part_kernel_first=bool(bits >> 2 & 1),
        )

    def _padding(self) -> Padding:
        return Padding(
            self._u16(Cmd0.NPU_SET_IFM_PAD_TOP),
            self._u16(Cmd0.NPU_SET_IFM_PAD_LEFT),
            self._u16(Cmd0.NPU_SET_IFM_PAD_BOTTOM),
            self._u16(Cmd0.NPU_SET_IFM_PAD_RIGHT),
        )

    def _upscale(self) -> Upscale:
        return Upscale(self._u16(Cmd0.NPU_SET_IFM_UPSCALE, 2))

    def _rounding(self) -> Rounding:
        mode = self._raw(Cmd0.NPU_SET_OFM_PRECISION)[0] >> 14
        if mode == 3:
            raise UnsupportedError("rounding mode 3")
        return Rounding(mode)

    def _ofm_scale(self) -> Scale | None:
        if self._raw(Cmd0.NPU_SET_OFM_PRECISION)[0] & 1 << 8:
            return self._scale(Cmd1.NPU_SET_OFM_SCALE)
        return None

    def _operand_scaling(self) -> OperandScaling:
        precision = self._raw(Cmd0.NPU_SET_IFM_PRECISION)[0]
        mode, rounding = precision >> 8 & 3, precision >> 14
        # The rounding of a 32-bit scaled operand; Vela only ever selects TFL, the others were not seen.
        if mode == 3 or (mode and rounding != Rounding.TFL):
            raise UnsupportedError(
                "operand scale mode or rounding", parameters={"NPU_SET_IFM_PRECISION": hex(precision)}
            )
        return OperandScaling(mode)

    def _activation(self, ofm: FeatureMap) -> Activation:
        bits = self._u16(Cmd0.NPU_SET_ACTIVATION)
        number, clip = bits & 0x1F, bits >> 12 & 7
        if 16 <= number <= 23:
            function, slot = Function.LUT, number - 16
        elif number in (Function.NONE, Function.TANH, Function.SIGMOID):
            function, slot = Function(number), 0
        else:
            raise UnsupportedError("activation function", parameters={"NPU_SET_ACTIVATION": hex(bits)})
        if clip and clip not in _CLIP_RANGES:
            raise UnsupportedError("activation clip range", parameters={"NPU_SET_ACTIVATION": hex(bits)})
        minimum = self._s16(Cmd0.NPU_SET_ACTIVATION_MIN)
        maximum = self._s16(Cmd0.NPU_SET_ACTIVATION_MAX)
        if minimum > maximum:
            raise StreamError("the activation clamp is empty", parameters={"minimum": minimum, "maximum": maximum})
        return Activation(
            function=function,
            slot=slot,
            minimum=minimum,
            maximum=maximum,
            index_dtype=_CLIP_RANGES[clip] if clip else ofm.dtype,
        )

    def _block(self) -> tuple[int, int, int]:
        return (
            self._u16(Cmd0.NPU_SET_OFM_BLK_HEIGHT_M1) + 1,
            self._u16(Cmd0.NPU_SET_OFM_BLK_WIDTH_M1) + 1,
            self._u16(Cmd0.NPU_SET_OFM_BLK_DEPTH_M1) + 1,
        )

    def _cores(self) -> int:
        if self._architecture.cores > 1 and self._u16(Cmd0.NPU_SET_PARALLEL_MODE, 1):
            return 2
        return 1

    def _core_ranges(
        self, region: Cmd0, registers: Sequence[tuple[Cmd1, Cmd1]], cores: int
    ) -> tuple[AddressRange, ...]:
        number = self._u16(region, 7)
        return tuple(
            AddressRange(number, self._address(base), self._address(length)) for base, length in registers[:cores]
        )

    # Operations

    def _dma(self, command: Command, index: int) -> DmaOperation:
        if command.parameter:
            raise UnsupportedError("DMA channel or mode", parameters={"parameter": command.parameter})
        regions: list[int | None] = []
        for code in (Cmd0.NPU_SET_DMA0_SRC_REGION, Cmd0.NPU_SET_DMA0_DST_REGION):
            bits = self._u16(code)
            if bits & ~0x107:
                raise UnsupportedError("DMA region or stride mode", parameters={code.name: hex(bits)})
            regions.append(None if bits & 0x100 else bits)
        return DmaOperation(
            index=index,
            command=command.code.name,
            offset=command.offset,
            source_region=regions[0],
            source=self._address(Cmd1.NPU_SET_DMA0_SRC),
            destination_region=regions[1],
            destination=self._address(Cmd1.NPU_SET_DMA0_DST),
            length=self._address(Cmd1.NPU_SET_DMA0_LEN),
        )

    def _convolution(self, command: Command, index: int) -> ConvolutionOperation:
        ofm, kernel, padding, upscale = self._ofm(), self._kernel(), self._padding(), self._upscale()
        ifm = self._ifm_of_kernel(ofm, kernel, padding, upscale)
        depthwise = command.code is Cmd0.NPU_OP_DEPTHWISE
        if depthwise and ifm.depth != ofm.depth:
            raise StreamError(
                "a depthwise convolution keeps the depth", parameters={"ifm": ifm.depth, "ofm": ofm.depth}
            )
        scale = self._ofm_scale()
        if scale is not None:
            raise UnsupportedError("a convolution with the global OFM scale")
        # A core without a channel to compute has no streams (measured: Vela leaves its registers alone).
        working = min(self._cores(), ofm.depth)
        return ConvolutionOperation(
            index=index,
            command=command.code.name,
            offset=command.offset,
            ifm=ifm,
            ofm=ofm,
            activation=self._activation(ofm),
            rounding=self._rounding(),
            scale=None,
            block=self._block(),
            depthwise=depthwise,
            kernel=kernel,
            padding=padding,
            upscale=upscale,
            cores=self._cores(),
            weights=self._core_ranges(
                Cmd0.NPU_SET_WEIGHT_REGION,
                [
                    (Cmd1.NPU_SET_WEIGHT_BASE, Cmd1.NPU_SET_WEIGHT_LENGTH),
                    (Cmd1.NPU_SET_WEIGHT1_BASE, Cmd1.NPU_SET_WEIGHT1_LENGTH),
                ],
                working,
            ),
            scales=self._core_ranges(
                Cmd0.NPU_SET_SCALE_REGION,
                [
                    (Cmd1.NPU_SET_SCALE_BASE, Cmd1.NPU_SET_SCALE_LENGTH),
                    (Cmd1.NPU_SET_SCALE1_BASE, Cmd1.NPU_SET_SCALE1_LENGTH),
                ],
                working,
            ),
        )

    def _pooling(self, command: Command, index: int) -> PoolingOperation:
        if command.parameter > PoolingMode.REDUCE_SUM:
            raise UnsupportedError("pooling mode", parameters={"parameter": command.parameter})
        mode = PoolingMode(command.parameter)
        ofm, kernel, padding, upscale = self._ofm(), self._kernel(), self._padding(), self._upscale()
        ifm = self._ifm_of_kernel(ofm, kernel, padding, upscale)
        depth = 1 if mode is PoolingMode.REDUCE_SUM else ifm.depth
        if ofm.depth != depth:
            raise StreamError(
                f"{mode.name} pooling gives {depth} channels", parameters={"ifm": ifm.depth, "ofm": ofm.depth}
            )
        return PoolingOperation(
            index=index,
            command=command.code.name,
            offset=command.offset,
            ifm=ifm,
            ofm=ofm,
            activation=self._activation(ofm),
            rounding=self._rounding(),
            scale=self._ofm_scale(),
            block=self._block(),
            mode=mode,
            kernel=kernel,
            padding=padding,
            upscale=upscale,
        )

    def _elementwise(self, command: Command, index: int) -> ElementwiseOperation:
        if command.parameter > ElementwiseMode.SHL:
            raise UnsupportedError("elementwise mode", parameters={"parameter": command.parameter})
        mode = ElementwiseMode(command.parameter)
        if self._upscale() is not Upscale.NONE:
            raise UnsupportedError("an elementwise operation with upscaling")
        ofm = self._ofm()
        depth = self._u16(Cmd0.NPU_SET_IFM_DEPTH_M1) + 1
        if depth != ofm.depth:
            raise StreamError(
                "an elementwise operation keeps the depth", parameters={"ifm": depth, "ofm": ofm.depth}
            )
        ifm = self._feature_map("IFM", ofm.height, ofm.width, ofm.depth)
        ifm2: FeatureMap | None = None
        scalar: int | None = None
        broadcast = 0
        if not mode.unary:
            broadcast = self._u16(Cmd0.NPU_SET_IFM2_BROADCAST)
            if broadcast & 0x80:
                scalar = self._s16(Cmd0.NPU_SET_IFM2_SCALAR) - self._s16(Cmd0.NPU_SET_IFM2_ZERO_POINT)
            else:
                ifm2 = self._feature_map(
                    "IFM2",
                    1 if broadcast & 1 else ofm.height,
                    1 if broadcast & 2 else ofm.width,
                    1 if broadcast & 4 else ofm.depth,
                )
        operand_scaling, operand_a, operand_b = OperandScaling.BOTH_16, Scale(1, 0), 1
        if mode in (ElementwiseMode.ADD, ElementwiseMode.SUB) and ifm.dtype.itemsize < 4:
            operand_scaling = self._operand_scaling()
            operand_a = self._scale(Cmd1.NPU_SET_OPA_SCALE)
            if operand_scaling is OperandScaling.BOTH_16:
                operand_b = self._scale(Cmd1.NPU_SET_OPB_SCALE).multiplier
        return ElementwiseOperation(
            index=index,
            command=command.code.name,
            offset=command.offset,
            ifm=ifm,
            ofm=ofm,
            activation=self._activation(ofm),
            rounding=self._rounding(),
            scale=self._ofm_scale(),
            block=self._block(),
            mode=mode,
            ifm2=ifm2,
            scalar=scalar,
            reversed_operands=bool(broadcast & 0x40),
            operand_scaling=operand_scaling,
            operand_a=operand_a,
            operand_b=operand_b,
        )
