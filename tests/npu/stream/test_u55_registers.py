"""Streams that Vela's own generator writes, decoded; and streams that were tampered with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deploy.npu import Architecture, StreamError, UnsupportedError
from deploy.npu.program import decode
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import Function, Padding, Rounding, Scale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation
from deploy.npu.stream.u55_commands import Cmd0, Cmd1
from deploy.npu.stream.u55_operations import OperandScaling, U55ElementwiseOperation

U55 = Architecture("U55", 128)


def vela_stream(*operations: Any) -> np.ndarray:
    from ethosu.vela import api

    words = api.npu_generate_register_command_stream(list(operations), api.NpuAccelerator.Ethos_U55_128)
    return np.array(words, np.uint32)


def fm(height: int, width: int, depth: int, address: int, zero_point: int = 0) -> Any:
    from ethosu.vela import api

    found = api.NpuFeatureMap()
    found.data_type = api.NpuDataType.INT8
    found.region = 1
    found.shape = api.NpuShape3D(height=height, width=width, depth=depth)
    found.tiles = api.NpuTileBox(height_0=height, height_1=height, width_0=width, addresses=[address, 0, 0, 0])
    found.quantization = api.NpuQuantization(scale_f32=1.0, zero_point=zero_point)
    return found


def maximum_pool() -> Any:
    from ethosu.vela import api

    pool = api.NpuPoolingOperation(api.NpuPoolingOp.MAX)
    pool.ifm, pool.ofm = fm(7, 9, 16, 0, -3), fm(4, 5, 16, 4096, -3)
    pool.kernel = api.NpuKernel(3, 2, stride_x=2, stride_y=2)
    pool.padding = api.NpuPadding(top=0, left=1, bottom=1, right=1)
    pool.block_config = api.NpuShape3D(height=4, width=6, depth=16)
    return pool


def addition(scalar: float | None = None) -> Any:
    from ethosu.vela import api

    add = api.NpuElementWiseOperation(api.NpuElementWiseOp.ADD)
    add.ifm, add.ofm, add.ifm2 = fm(4, 4, 8, 0), fm(4, 4, 8, 4096), fm(1, 4, 8, 2048, 5)
    add.ifm2.quantization = api.NpuQuantization(scale_f32=2.0, zero_point=5)
    add.ifm2_scalar = scalar
    add.block_config = api.NpuShape3D(height=4, width=4, depth=8)
    return add


def with_register(stream: np.ndarray, code: Cmd0, parameter: int) -> np.ndarray:
    """The stream with another parameter in every command of that code."""
    words, position = stream.copy(), 0
    while position < len(words):
        two = bool(words[position] & 0x4000)
        if not two and int(words[position]) & 0x3FF == code:
            words[position] = int(code) | parameter << 16
        position += 2 if two else 1
    return words


def test_a_dma_is_decoded_with_its_regions() -> None:
    from ethosu.vela import api

    internal = api.NpuAddressRange(region=3 | 1 << 8, address=22 * 1024, length=256)
    dma = api.NpuDmaOperation(api.NpuAddressRange(0, 64, 256), internal)
    program = decode(vela_stream(dma), U55)
    (operation,) = program.operations
    assert isinstance(operation, DmaOperation)
    assert (operation.source_region, operation.source) == (0, 64)
    assert (operation.destination_region, operation.destination) == (None, 22 * 1024)
    assert operation.length == 256
    assert program.stopped


def test_the_extent_of_an_ifm_follows_from_kernel_and_padding() -> None:
    (operation,) = decode(vela_stream(maximum_pool()), U55).operations
    assert isinstance(operation, PoolingOperation)
    assert operation.mode is PoolingMode.MAX
    assert (operation.ifm.height, operation.ifm.width, operation.ifm.depth) == (7, 9, 16)
    assert (operation.kernel.height, operation.kernel.width, operation.kernel.stride_y) == (2, 3, 2)
    assert operation.padding == Padding(0, 1, 1, 1)
    assert operation.ifm.zero_point == -3
    assert operation.activation.function is Function.NONE
    assert operation.activation.minimum == -128


def test_a_maximum_is_not_scaled_whatever_the_register_of_the_scale_holds() -> None:
    # Vela 5.0.0 writes the average's scale for a maximum, too: here 1 / 25.
    scale = np.array([Cmd1.NPU_SET_OFM_SCALE | 1 << 14 | 36 << 16, 2748779070], np.uint32)
    globally = with_register(vela_stream(maximum_pool()), Cmd0.NPU_SET_OFM_PRECISION, 0x101)
    (operation,) = decode(np.concatenate([scale, globally]), U55).operations
    assert isinstance(operation, PoolingOperation)
    assert operation.mode is PoolingMode.MAX
    assert operation.scale is None


def test_an_elementwise_operation_is_decoded_with_its_operands() -> None:
    (operation,) = decode(vela_stream(addition()), U55).operations
    assert isinstance(operation, U55ElementwiseOperation)
    assert operation.mode is ElementwiseMode.ADD
    assert operation.ifm2 is not None
    assert (operation.ifm2.height, operation.ifm2.width, operation.ifm2.zero_point) == (1, 4, 5)
    # The operand with the smaller scale is the one that gets 32 bits.
    assert operation.operand_scaling is OperandScaling.A_32
    assert operation.scale is not None
    assert operation.rounding is Rounding.TFL


def test_a_scalar_comes_without_its_zero_point() -> None:
    (operation,) = decode(vela_stream(addition(scalar=6.0)), U55).operations
    assert isinstance(operation, U55ElementwiseOperation)
    assert operation.ifm2 is None
    assert operation.scalar == 3


def test_registers_keep_their_values_between_operations() -> None:
    first, second = decode(vela_stream(maximum_pool(), maximum_pool()), U55).operations
    assert (first.index, second.index) == (0, 1)
    assert first.offset < second.offset
    assert first.ifm == second.ifm  # type: ignore[attr-defined]


def test_what_follows_the_stop_is_not_looked_at() -> None:
    stream = np.concatenate([vela_stream(maximum_pool()), np.array([0x3FF], np.uint32)])
    assert decode(stream, U55).words == stream.size - 1


def test_a_stream_without_a_stop_says_so() -> None:
    assert not decode(vela_stream(maximum_pool())[:-1], U55).stopped


def test_a_register_that_was_never_set_is_named_with_the_operation() -> None:
    with pytest.raises(StreamError) as caught:
        decode(np.array([Cmd0.NPU_SET_OFM_HEIGHT_M1, Cmd0.NPU_OP_POOL], np.uint32), U55)
    assert str(caught.value) == (
        "NPU_OP_POOL at stream offset 0x4 (operation 0): NPU_SET_OFM_WIDTH_M1 was never set"
    )


@pytest.mark.parametrize(
    ("code", "parameter", "error"),
    [
        (Cmd0.NPU_OP_POOL, 3, UnsupportedError),
        (Cmd0.NPU_SET_IFM_PRECISION, 0xC, UnsupportedError),
        (Cmd0.NPU_SET_OFM_PRECISION, 0xC001, UnsupportedError),
        (Cmd0.NPU_SET_ACTIVATION, 5, UnsupportedError),
        (Cmd0.NPU_SET_ACTIVATION, 0x4000, UnsupportedError),
        (Cmd0.NPU_SET_ACTIVATION_MIN, 0x7F00, StreamError),
        (Cmd0.NPU_SET_IFM_UPSCALE, 3, StreamError),
        (Cmd0.NPU_SET_KERNEL_STRIDE, 0x20, UnsupportedError),
        (Cmd0.NPU_SET_KERNEL_HEIGHT_M1, 0xFFFF, StreamError),
        (Cmd0.NPU_SET_IFM_DEPTH_M1, 3, StreamError),
        (Cmd0.NPU_SET_IFM_PAD_LEFT, 0x7F, StreamError),
        (Cmd0.NPU_SET_IFM_ZERO_POINT, 128, UnsupportedError),
        (Cmd0.NPU_SET_IFM_ZERO_POINT, 0x10000 - 129, UnsupportedError),
    ],
)
def test_values_that_make_no_sense_are_refused(code: Cmd0, parameter: int, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        decode(with_register(vela_stream(maximum_pool()), code, parameter), U55)
    assert caught.value.command == "NPU_OP_POOL"
    assert caught.value.operation == 0


@pytest.mark.parametrize(("precision", "outside"), [(0x0, -1), (0x0, 256), (0x4, -1), (0x8, -1)])
def test_a_zero_point_of_an_unsigned_ifm_is_one_of_its_values(precision: int, outside: int) -> None:
    stream = with_register(vela_stream(maximum_pool()), Cmd0.NPU_SET_IFM_PRECISION, precision)
    decode(with_register(stream, Cmd0.NPU_SET_IFM_ZERO_POINT, 200), U55)
    with pytest.raises(UnsupportedError, match=f"NPU_SET_IFM_ZERO_POINT={outside}, type=uint"):
        decode(with_register(stream, Cmd0.NPU_SET_IFM_ZERO_POINT, outside & 0xFFFF), U55)


def test_a_zero_point_outside_the_second_operands_type_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="a zero point outside the IFM2's type"):
        decode(with_register(vela_stream(addition()), Cmd0.NPU_SET_IFM2_ZERO_POINT, 200), U55)


def test_an_operand_rounding_that_vela_never_selects_is_refused() -> None:
    stream = with_register(vela_stream(addition()), Cmd0.NPU_SET_IFM_PRECISION, 0x8101)
    with pytest.raises(UnsupportedError, match="operand scale"):
        decode(stream, U55)


def test_strides_are_signed() -> None:
    stream = vela_stream(maximum_pool())
    code = int(Cmd1.NPU_SET_OFM_STRIDE_Y)
    position = next(i for i, word in enumerate(stream) if word & 0xFFFF == 0x4000 | code)
    stream[position] = 0x4000 | code | 0xFF << 16
    stream[position + 1] = 0xFFFFFFB0
    (operation,) = decode(stream, U55).operations
    assert operation.ofm.stride_y == -80  # type: ignore[attr-defined]


def test_scales_are_split_into_multiplier_and_shift() -> None:
    (operation,) = decode(vela_stream(addition()), U55).operations
    assert isinstance(operation, U55ElementwiseOperation)
    # Both scales of the pair are powers of two.
    assert operation.operand_a == Scale(1 << 30, 12)


def test_the_map_that_one_operation_writes_and_others_read_is_one_object() -> None:
    first, second = maximum_pool(), maximum_pool()
    second.ifm, second.ofm, second.kernel = first.ofm, fm(4, 5, 16, 8192, -3), first.kernel
    second.kernel = type(first.kernel)(1, 1)
    second.padding = type(first.padding)(top=0, left=0, bottom=0, right=0)
    one, other = decode(vela_stream(first, second), U55).operations
    assert isinstance(one, PoolingOperation)
    assert isinstance(other, PoolingOperation)
    assert one.ofm is other.ifm
    assert one.ofm != other.ofm
