"""The order of the weights of Ethos-U85, against the loops in which the MAC units take them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import Architecture, WeightStreamError
from deploy.npu.weights.u85_layout import U85WeightLayout, arrange, decode_scales, stream_length

from ..builders import kernel


def taken(layout: U85WeightLayout, core: int) -> Iterator[tuple[int, int, int, int] | None]:
    """Output channel, row, column and input channel of each value of a core; None where it stands for nothing."""
    k, cores, ublock = layout.kernel, layout.cores, layout.ofm_ublock
    depthwise, part = layout.depthwise, layout.kernel.part_kernel_first and not layout.depthwise
    stride_y, stride_x = (k.stride_y, k.stride_x) if part or depthwise else (1, 1)
    step = 1 if depthwise else 16 if layout.sparse else 8
    backwards = False
    for ofm in range(0, layout.ofm_depth, layout.block_depth):
        ofm_end = min(ofm + layout.block_depth, layout.ofm_depth)
        blocks = list(range(0, 1 if depthwise else layout.ifm_depth, layout.ifm_block))
        for ifm in blocks[::-1] if backwards else blocks:
            ifm_end = min(ifm + layout.ifm_block, layout.ifm_depth)
            for left in range(0, k.width, 8 // k.dilation_x):
                for top in range(0, k.height, 8 // k.dilation_y):
                    width, height = min(8 // k.dilation_x, k.width - left), min(8 // k.dilation_y, k.height - top)
                    for inner in range(ifm, ifm_end, layout.ifm_ublock):
                        for outer in range(ofm, ofm_end, ublock):
                            count = 0
                            for ty in range(stride_y):
                                for tx in range(stride_x):
                                    for row, y in enumerate(range(ty, height, stride_y)):
                                        line = list(range(tx, width, stride_x))
                                        for x in line[::-1] if row % 2 else line:
                                            for first in range(inner, inner + layout.ifm_ublock, step):
                                                for group in range(outer + 4 * core, outer + ublock, 4 * cores):
                                                    for z in range(group, group + 4):
                                                        for c in range(first, first + step):
                                                            inside = z < layout.ofm_depth and c < layout.ifm_depth
                                                            place = (z, top + y, left + x, c)
                                                            yield place if inside else None
                                            count += 1
                                            if depthwise and count % 10 == 0:
                                                yield from [None] * (layout.gap * ublock // cores)
                            missing = -count % layout.multiple
                            if missing:
                                fill = missing + (layout.gap if depthwise else 0)
                                yield from [None] * (fill * layout.ifm_ublock * ublock // cores)
        backwards = not backwards


@st.composite
def layouts(draw: st.DrawFn) -> U85WeightLayout:
    macs = draw(st.sampled_from([128, 256, 512, 1024, 2048]))
    design = Architecture("U85", macs).design
    ublock = draw(st.sampled_from(design.ofm_ublocks))[2]
    depthwise = draw(st.booleans())
    part = draw(st.booleans())
    return U85WeightLayout(
        ofm_depth=draw(st.integers(1, 80)),
        ifm_depth=1 if depthwise else draw(st.integers(1, 150)),
        kernel=kernel(
            draw(st.integers(1, 10)),
            draw(st.integers(1, 3)),
            draw(st.integers(1, 3)),
            draw(st.integers(1, 2)),
            part=part,
        ),
        block_depth=ublock * draw(st.integers(1, 3)),
        ofm_ublock=ublock,
        cores=design.cores,
        macs=macs,
        ifm_bits=draw(st.sampled_from([8, 16])),
        depthwise=depthwise,
        sparse=not depthwise and draw(st.booleans()),
    )


@settings(max_examples=60, deadline=None)
@given(layouts())
def test_values_come_in_the_order_of_the_loops(layout: U85WeightLayout) -> None:
    places = [list(taken(layout, core)) for core in range(layout.cores)]
    assert {len(own) for own in places} == {stream_length(layout)}
    shape = (layout.ofm_depth, layout.kernel.height, layout.kernel.width, layout.ifm_depth)
    weights = np.random.default_rng(1).integers(-255, 256, shape).astype(np.int16)
    values = [np.array([0 if place is None else weights[place] for place in own], np.int16) for own in places]
    assert (arrange(values, layout) == weights).all()


def simple(**changes: int) -> U85WeightLayout:
    values = {"ofm_depth": 3, "ifm_depth": 5, "block_depth": 16, "ofm_ublock": 16, "cores": 1, "macs": 256}
    return U85WeightLayout(**values | changes, kernel=kernel(), ifm_bits=8, depthwise=False, sparse=False)


def test_a_wrong_number_of_values_is_refused() -> None:
    layout = simple()
    with pytest.raises(WeightStreamError, match=r"decode to \[511\] values, the operation needs 512"):
        arrange([np.zeros(stream_length(layout) - 1, np.int16)], layout)


def test_a_weight_where_there_is_nothing_to_weigh_is_refused() -> None:
    layout = simple()
    values = np.zeros(stream_length(layout), np.int16)
    values[5] = 1  # of the first output channel, behind its five input channels
    with pytest.raises(WeightStreamError, match="nothing to weigh"):
        arrange([values], layout)


def record(bias: int, multiplier: int, shift: int, bits: int) -> bytes:
    size = bits // 8
    return bias.to_bytes(size, "little", signed=True) + multiplier.to_bytes(8 - size, "little") + bytes([shift, 0])


@pytest.mark.parametrize(("bits", "multiplier"), [(32, (1 << 31) - 1), (48, (1 << 15) - 1)])
def test_scale_records_depend_on_the_width_of_accumulators(bits: int, multiplier: int) -> None:
    content = record(-(1 << (bits - 1)), multiplier, 63, bits) + record(17, 3, 5, bits) + bytes(12)
    scales = decode_scales(np.frombuffer(content, np.uint8), 2, bits)
    assert scales.bias.tolist() == [-(1 << (bits - 1)), 17]
    assert (scales.multiplier.tolist(), scales.shift.tolist()) == ([multiplier, 3], [63, 5])
    with pytest.raises(WeightStreamError, match="4 channels need 40"):
        decode_scales(np.frombuffer(content, np.uint8), 4, bits)
    with pytest.raises(WeightStreamError, match="a multiplier of more than"):
        decode_scales(np.frombuffer(record(0, multiplier + 1, 0, bits), np.uint8), 1, bits)
