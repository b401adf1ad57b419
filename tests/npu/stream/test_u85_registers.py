"""Streams written register by register, decoded; and those that ask for what is not modelled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deploy.npu import Architecture, StreamError, UnsupportedError
from deploy.npu.program import decode
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import Function, Rounding, Scale
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u85_commands import Cmd0, Cmd1
from deploy.npu.stream.u85_operations import (
    AxisSampling,
    ResizeMode,
    ResizeOperation,
    RowsDmaOperation,
    RowsEnd,
    U85ConvolutionOperation,
    U85ElementwiseOperation,
    U85PoolingOperation,
)
from deploy.npu.stream.u85_registers import OperandScale, Start

from ..u85_streams import STOP, feature_map, registers, stream

U85 = Architecture("U85", 256)
SHAPE = (4, 6, 16)
POOL, ELEMENTWISE, CONV = Cmd0.NPU_OP_POOL, Cmd0.NPU_OP_ELEMENTWISE, Cmd0.NPU_OP_CONV
WEIGHTS = {"WEIGHT_REGION": 0, "WEIGHT_BASE": 64, "WEIGHT_LENGTH": 128, "WEIGHT_FORMAT": 0}
WEIGHTS |= {"SCALE_REGION": 0, "SCALE_BASE": 256, "SCALE_LENGTH": 160, "OFM_PRECISION": 1}
RESIZE = {"RESIZE_X_SCALE_N_M1": 3, "RESIZE_Y_SCALE_N_M1": 1, "RESIZE_X_OFFSET": 0xFFF, "RESIZE_Y_OFFSET": 1}
RESIZE |= {"RESIZE_X_STEP": 2 << 32 | 3, "RESIZE_Y_STEP": 1 << 32 | 0, "OFM_SCALE": (3 << 13 | 19) << 32 | 1}
DMA = {"DMA0_SRC_REGION": 0x200, "DMA0_DST_REGION": 1, "DMA0_SRC": 32, "DMA0_DST": 64, "DMA0_LEN": 8}
DMA |= {"DMA0_SIZE0": 3, "DMA0_SRC_STRIDE0": 16, "DMA0_DST_STRIDE0": 24}


def only(code: Cmd0, parameter: int = 0, npu: Architecture = U85, **changes: int) -> Any:
    (operation,) = decode(stream(code, registers(SHAPE, **changes), parameter), npu).operations
    return operation


def test_a_pooling_is_decoded_with_scale_and_rounding() -> None:
    operation = only(POOL, PoolingMode.MIN, OFM_SCALE=(5 << 13 | 7) << 32 | 9, KERNEL_STRIDE=0x41)
    assert isinstance(operation, U85PoolingOperation)
    assert (operation.mode, operation.scale, operation.rounding) == (PoolingMode.MIN, Scale(9, 7), Rounding.DOWN)
    assert (operation.kernel.stride_x, operation.kernel.stride_y) == (4, 1)
    assert (operation.ifm.height, operation.ifm.width, operation.ifm.depth) == (4, 21, 16)
    assert operation.label == "POOL.MIN"


def test_the_depth_of_an_ifm_is_the_ofms_but_where_channels_are_summed() -> None:
    assert only(POOL, PoolingMode.SUM, IFM_DEPTH_M1=99).ifm.depth == 16
    assert only(POOL, PoolingMode.REDUCE_SUM, IFM_DEPTH_M1=99, OFM_DEPTH_M1=0).ifm.depth == 100
    assert only(CONV, 0, IFM_DEPTH_M1=99, **WEIGHTS).ifm.depth == 100


def test_an_ofm_may_lie_transposed_or_backwards() -> None:
    transposed = only(POOL, PoolingMode.SUM, OFM_PRECISION=0x101 | 6 << 11).ofm
    assert (transposed.extents, transposed.as_stored.extents) == (SHAPE, (16, 4, 6))
    backwards = only(POOL, PoolingMode.SUM, OFM_PRECISION=0x101 | 2 << 9).ofm
    assert (backwards.as_stored.extents, backwards.reversed_axis) == (SHAPE, 1)


def test_a_chained_map_stays_in_a_buffer_of_the_npu() -> None:
    first = only(POOL, PoolingMode.SUM, OFM_PRECISION=0x8101, OFM_REGION=2)
    assert (first.ofm.chain, first.stores, first.writes) == (2, False, ())
    second = only(ELEMENTWISE, ElementwiseMode.ADD, IFM2_PRECISION=0x8001, IFM2_REGION=2)
    assert (second.ifm2.chain, second.ifm.chain, second.stores) == (2, None, True)
    assert [access.region for access in second.reads] == [1, None]


def test_operands_have_scales_of_their_own() -> None:
    changes = {"IFM_SCALE": (11 | 20 << 6) << 32 | 1 << 30, "IFM2_SCALE": (3 | 1 << 13) << 32 | 5}
    operation = only(ELEMENTWISE, ElementwiseMode.SUB, **changes)
    assert isinstance(operation, U85ElementwiseOperation)
    assert operation.ifm_scale == OperandScale(1 << 30, 11, Rounding.TFL, 20)
    assert operation.ifm2_scale == OperandScale(5, 3, Rounding.NATURAL, 0)


@pytest.mark.parametrize("which", ["IFM", "IFM2"])
def test_a_scalar_comes_without_its_zero_point_and_keeps_its_place(which: str) -> None:
    changes = {f"{which}_BROADCAST": 8, f"{which}_PRECISION": 0xC001, f"{which}_ZERO_POINT": 5}
    operation = only(ELEMENTWISE, ElementwiseMode.SUB, OP_SCALAR=0xFFFFFFFE, **changes)
    assert (operation.scalar, operation.ifm2, operation.reversed_operands) == (-7, None, which == "IFM")
    assert operation.ifm.bases[0] == (4096 if which == "IFM" else 0)


def test_operands_may_be_broadcast_both() -> None:
    operation = only(ELEMENTWISE, ElementwiseMode.ADD, IFM_BROADCAST=1, IFM2_BROADCAST=6)
    assert (operation.ifm.extents, operation.ifm2.extents) == ((1, 6, 16), (4, 1, 1))


def test_every_core_has_a_weight_stream_and_scales_are_one() -> None:
    more = {f"WEIGHT{core}_{name}": 0x300 * core for core in (1, 2) for name in ("BASE", "LENGTH")}
    operation = only(CONV, 0, Architecture("U85", 1024), **WEIGHTS, **more, WEIGHT3_LENGTH=0, ACC_FORMAT=0x301)
    assert isinstance(operation, U85ConvolutionOperation)
    assert [(part.address, part.length) for part in operation.weights] == [
        (64, 128),
        (768, 768),
        (1536, 1536),
        (0, 0),
    ]
    assert [part.address for part in operation.scales] == [256]
    assert (operation.accumulators.bits, operation.accumulators.ublock) == (48, (2, 2, 32))
    fast = only(CONV, 0, Architecture("U85", 1024), **WEIGHTS | {"WEIGHT_FORMAT": 0x11}, ACC_FORMAT=0x300)
    assert (fast.fast, fast.sparse, len(fast.weights)) == (True, True, 1)


def test_weights_may_be_a_feature_map() -> None:
    operation = only(CONV, 1)
    assert (operation.ifm2.extents, operation.weights, operation.scale) == ((1, 16, 16), (), Scale(1, 0))


def test_sums_may_be_kept_and_gone_on_with() -> None:
    first = only(CONV, 0, **WEIGHTS, ACC_FORMAT=0x140)
    assert (first.accumulators.start, first.finishes, first.stores, first.writes) == (Start.ZERO, False, False, ())
    last = only(CONV, 0, **WEIGHTS, ACC_FORMAT=0x110)
    assert (last.accumulators.start, last.stores) == (Start.KEPT, True)


def test_a_pooling_may_fill_the_accumulators() -> None:
    operation = only(POOL, PoolingMode.NONE, ACC_FORMAT=0x160, IFM2_PRECISION=9)
    assert (operation.ifm.dtype.name, operation.ifm.bases[0], operation.finishes) == ("int32", 4096, False)
    wide = only(
        POOL, PoolingMode.NONE, ACC_FORMAT=0x121, IFM2_PRECISION=0xD, OFM_PRECISION=0x107, ACTIVATION=0x1000
    )
    assert (wide.ifm.dtype.name, wide.ofm.dtype.name, wide.accumulators.bits) == ("int64", "int64", 48)


@pytest.mark.parametrize(
    ("activation", "precision", "expected"),
    [
        (4 | 3 << 5, 0x101, (Function.LUT, 3, "int8")),
        (7 | 1 << 5, 0x105, (Function.LUT, 4, "int8")),
        (8, 0x103, (Function.LUT, 0, "int16")),
        (10, 0x103, (Function.TANH_BY_TABLE, 0, "int16")),
        (11, 0x103, (Function.SIGMOID_BY_TABLE, 0, "int16")),
    ],
)
def test_tables_are_counted_in_their_own_size(
    activation: int, precision: int, expected: tuple[Function, int, str]
) -> None:
    found = only(POOL, PoolingMode.SUM, ACTIVATION=activation, OFM_PRECISION=precision).activation
    assert (found.function, found.slot, found.index_dtype.name) == expected


def test_without_a_clamp_the_type_limits_alone() -> None:
    found = only(POOL, PoolingMode.SUM, ACTIVATION=0x1000, OFM_PRECISION=0x105).activation
    assert (found.minimum, found.maximum) == (-(1 << 31), (1 << 31) - 1)


def test_a_resizing_is_decoded_with_its_steps_in_parts() -> None:
    changes = RESIZE | {"KERNEL_HEIGHT_M1": 2, "KERNEL_WIDTH_M1": 4}
    operation = only(Cmd0.NPU_OP_RESIZE, ResizeMode.NEAREST, **changes)
    assert isinstance(operation, ResizeOperation)
    assert operation.horizontal == AxisSampling(4, 11, -1)
    assert operation.vertical == AxisSampling(2, 2, 1)
    assert (operation.ifm.extents, operation.rounding) == ((3, 5, 16), Rounding.SYMMETRIC)


def test_a_transfer_is_of_rows_and_may_go_by_indices() -> None:
    operation = only(Cmd0.NPU_OP_DMA_START, **DMA)
    assert isinstance(operation, RowsDmaOperation)
    plain = {"plane_stride": 0, "indexed": False}
    assert operation.source == RowsEnd(0, 32, 16, **plain)
    assert operation.destination == RowsEnd(1, 64, 24, **plain)
    assert (operation.length, operation.rows, operation.planes, operation.indices) == (8, 3, 1, None)
    changes = DMA | {"DMA0_SRC_REGION": 0xA00, "DMA0_IDX_REGION": 1, "DMA0_IDX": 512, "DMA0_IDX_MAX": 9}
    gathered = only(Cmd0.NPU_OP_DMA_START, **changes)
    assert (gathered.indices.address, gathered.indices.length, gathered.highest_index) == (512, 12, 9)
    assert [access.size for access in gathered.reads] == [24, 12]
    assert (gathered.source.indexed, gathered.destination.indexed) == (True, False)
    table = only(Cmd0.NPU_OP_DMA_START, **DMA | {"DMA0_SRC_REGION": 0, "DMA0_DST_REGION": 0x100})
    assert (table.rows, table.destination.region) == (1, None)


def test_a_transfer_may_be_of_planes() -> None:
    changes = DMA | {"DMA0_SRC_REGION": 0x400, "DMA0_DST_REGION": 0x801, "DMA0_SIZE1": 2}
    changes |= {"DMA0_SRC_STRIDE1": 100, "DMA0_DST_STRIDE1": 200, "DMA0_IDX_SKIP1": 4}
    changes |= {"DMA0_IDX_REGION": 1, "DMA0_IDX": 512, "DMA0_IDX_MAX": 9}
    operation = only(Cmd0.NPU_OP_DMA_START, **changes)
    assert (operation.planes, operation.index_skip, operation.bytes) == (2, 4, 48)
    assert operation.source == RowsEnd(0, 32, 16, plane_stride=100, indexed=False)
    assert operation.destination == RowsEnd(1, 64, 24, plane_stride=200, indexed=True)


@pytest.mark.parametrize(
    ("code", "parameter", "changes", "error"),
    [
        (POOL, PoolingMode.ARGMAX_Y, {}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"OFM_SCALE": (2 << 13) << 32 | 1}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"OFM_SCALE": (4 << 13) << 32 | 1}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"OFM_SCALE": (1 << 6) << 32 | 1}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"OFM_SCALE": 1 << 31}, StreamError),
        (POOL, PoolingMode.SUM, {"IFM_PRECISION": 0xD}, UnsupportedError),
        (ELEMENTWISE, ElementwiseMode.ADD, {"IFM2_PRECISION": 0xD}, UnsupportedError),
        (CONV, 1, {"IFM2_PRECISION": 0xD, "OFM_PRECISION": 0x101}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"OFM_PRECISION": 0x107}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"IFM_PRECISION": 0x8}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"IFM_PRECISION": 0x4001}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"IFM_PRECISION": 0xC001}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"IFM_PRECISION": 0x81}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"IFM_ZERO_POINT": 128}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"OFM_PRECISION": 0x101 | 4 << 11}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"OFM_PRECISION": 0x101 | 1 << 11 | 1 << 9}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"OFM_PRECISION": 0x8101 | 1 << 9}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"OFM_PRECISION": 0x105}, UnsupportedError),
        (
            POOL,
            PoolingMode.SUM,
            {"OFM_PRECISION": 0x105, "ACTIVATION": 0x1000, "OFM_ZERO_POINT": 1},
            UnsupportedError,
        ),
        (POOL, PoolingMode.SUM, {"ACTIVATION": 1}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"ACTIVATION": 5, "OFM_PRECISION": 0x103}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"ACTIVATION": 9, "OFM_PRECISION": 0x105}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"ACTIVATION": 8}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"ACTIVATION_MIN": 0x7F00}, StreamError),
        (POOL, PoolingMode.SUM, {"ACC_FORMAT": 0x000}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"ACC_FORMAT": 0x102}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"ACC_FORMAT": 0x110}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"ACC_FORMAT": 0x140}, UnsupportedError),
        (POOL, PoolingMode.NONE, {}, UnsupportedError),
        (POOL, PoolingMode.REDUCE_SUM, {}, StreamError),
        (POOL, PoolingMode.SUM, {"KERNEL_STRIDE": 0x20}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"KERNEL_HEIGHT_M1": 0xFFFF, "KERNEL_WIDTH_M1": 1}, StreamError),
        (POOL, PoolingMode.SUM, {"IFM_PAD_LEFT": 0x7F}, StreamError),
        (POOL, PoolingMode.SUM, {"IFM_UPSCALE": 3}, StreamError),
        (POOL, PoolingMode.SUM, {"IFM_UPSCALE": 1}, UnsupportedError),
        (POOL, PoolingMode.SUM, {"IFM_PRECISION": 0x4}, UnsupportedError),
        (CONV, 0, {"IFM_UPSCALE": 2}, UnsupportedError),
        (ELEMENTWISE, ElementwiseMode.LSR, {}, UnsupportedError),
        (ELEMENTWISE, ElementwiseMode.XOR, {}, UnsupportedError),
        (ELEMENTWISE, 12, {}, UnsupportedError),
        (ELEMENTWISE, ElementwiseMode.ADD, {"IFM_UPSCALE": 1}, UnsupportedError),
        (ELEMENTWISE, ElementwiseMode.ADD, {"ACC_FORMAT": 0x110}, UnsupportedError),
        (ELEMENTWISE, ElementwiseMode.ADD, {"IFM2_BROADCAST": 8}, StreamError),
        (ELEMENTWISE, ElementwiseMode.ADD, {"IFM2_PRECISION": 0xC001}, StreamError),
        (ELEMENTWISE, ElementwiseMode.ABS, {"IFM_PRECISION": 0xC001, "IFM_BROADCAST": 8}, StreamError),
        (CONV, 0, {"OFM_PRECISION": 0x101}, UnsupportedError),
        (CONV, 1, {"OFM_PRECISION": 1}, UnsupportedError),
        (CONV, 0, {"ACC_FORMAT": 0x120}, UnsupportedError),
        (Cmd0.NPU_OP_DEPTHWISE, 0, {"WEIGHT_FORMAT": 1}, UnsupportedError),
        (Cmd0.NPU_OP_DEPTHWISE, 0, {"WEIGHT_FORMAT": 0x10}, UnsupportedError),
        (Cmd0.NPU_OP_RESIZE, ResizeMode.REPLICATE, RESIZE, UnsupportedError),
        (Cmd0.NPU_OP_RESIZE, ResizeMode.NEAREST, RESIZE | {"OFM_PRECISION": 1}, UnsupportedError),
        (Cmd0.NPU_OP_RESIZE, ResizeMode.NEAREST, RESIZE | {"IFM_UPSCALE": 1}, UnsupportedError),
        (Cmd0.NPU_OP_DMA_START, 0, DMA | {"DMA0_SRC_REGION": 0x600}, UnsupportedError),
        (Cmd0.NPU_OP_DMA_START, 0, DMA | {"DMA0_SRC_REGION": 0xA00, "DMA0_DST_REGION": 0x800}, StreamError),
        (Cmd0.NPU_OP_DMA_START, 0, DMA | {"DMA0_SIZE0": 0}, StreamError),
        (Cmd0.NPU_OP_DMA_START, 0, DMA | {"DMA0_SRC_REGION": 0x400, "DMA0_SIZE1": 0}, StreamError),
        (Cmd0.NPU_OP_DMA_START, 0, DMA | {"DMA0_LEN": 0}, StreamError),
    ],
)
def test_what_is_not_modelled_or_makes_no_sense_is_refused(
    code: Cmd0, parameter: int, changes: dict[str, int], error: type[Exception]
) -> None:
    convolution = WEIGHTS if code in (CONV, Cmd0.NPU_OP_DEPTHWISE) else {}
    with pytest.raises(error) as caught:
        only(code, parameter, **convolution | changes)
    assert caught.value.command == code.name
    assert caught.value.operation == 0


def test_a_register_that_was_never_set_is_named() -> None:
    values = registers(SHAPE)
    del values["OFM_SCALE"]
    with pytest.raises(StreamError, match="NPU_SET_OFM_SCALE was never set"):
        decode(stream(POOL, values), U85)


def test_a_branch_is_refused() -> None:
    words = [int(Cmd1.NPU_OP_BRANCH) | 0x4000 | 1 << 16, 64, STOP]
    with pytest.raises(UnsupportedError, match="a branch") as caught:
        decode(np.array(words, np.uint32), U85)
    assert (caught.value.command, caught.value.offset) == ("NPU_OP_BRANCH", 0)


@pytest.mark.parametrize(
    ("name", "value"), [("ACC_FORMAT", 0x80), ("WEIGHT_LENGTH", 1 << 32), ("OFM_SCALE", 1 << 43)]
)
def test_bits_that_do_not_exist_are_refused(name: str, value: int) -> None:
    with pytest.raises(StreamError, match="bits that do not exist"):
        decode(stream(POOL, {name: value}), U85)


def test_a_command_of_u55_alone_is_unknown() -> None:
    with pytest.raises(UnsupportedError, match="unknown command"):
        decode(np.array([0x123, STOP], np.uint32), U85)


def test_addresses_have_40_bits_and_strides_are_signed() -> None:
    values = feature_map("IFM", SHAPE, 0) | {"IFM_BASE0": 0x12_0000_0000, "IFM_STRIDE_Y": (1 << 40) - 96}
    ifm = only(POOL, PoolingMode.SUM, **values).ifm
    assert (ifm.bases[0], ifm.stride_y) == (0x12_0000_0000, -96)
