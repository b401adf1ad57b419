"""The roofline of Ethos-U85: its terms by hand, and networks within 1.3x of Vela."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploy import tflite
from deploy.hardware.npus import npu_named, npus
from deploy.roofline.against_vela import compare
from deploy.roofline.ethos_u import estimate
from deploy.roofline.layer import Layer
from deploy.roofline.u85_blocks import Blocks, Cut, blocks_of
from deploy.tflite.options import Window

from .layers import BOUND, conv

U85 = tuple(npu.name for npu in npus().values() if npu.family == "U85")


def roofs(layer: Layer, npu: str = "U85-256") -> dict[str, int]:
    return estimate([layer], npu).layers[0].roofs


def test_a_wide_convolution_fills_the_mac_units_of_every_size() -> None:
    for npu in U85:
        ideal = conv().macs / npu_named(npu).macs
        working = roofs(conv(input_bytes=0, output_bytes=0, packed_bytes=0), npu)["MAC units"]
        assert ideal <= working < 1.5 * ideal + 600


def test_a_single_input_channel_is_taken_by_kernel_elements() -> None:
    image = conv(
        inputs=((34, 34, 1),), output=(32, 32, 16), window=Window(3, 3, 1, 1), input_bytes=0, output_bytes=0
    )
    # ceil(9 / 4) steps of four cycles, in units of 32 outputs.
    working = 3 * 4 * 32 * 32 * 16 // 32
    assert working < roofs(image)["MAC units"] < 1.2 * working


def test_biases_come_slowly_and_once_by_block() -> None:
    # 128 channels of 10 bytes at 0.41 bytes a cycle, for each block of the plane.
    layer = conv(packed_bytes=0, input_bytes=0)
    one = roofs(replace(layer, output=(1, 1, 128), inputs=((1, 1, 64),)))["DRAM"]
    assert one == int(1280 / (128 * 2 / 500 * 0.8))
    assert roofs(layer)["DRAM"] >= 3 * one


def test_what_is_added_to_a_convolution_is_added_inside_the_npu() -> None:
    first = conv(packed_bytes=0)
    added = conv(index=1, operator="ADD", producers=(-1, 0), packed_bytes=0, inputs=((16, 16, 128),) * 2)
    both = estimate([first, added], "U85-256").layers
    assert (both[1].cycles, both[1].limited_by) == (0, "nothing")
    writing = 16 * 16 * 128 // 4
    assert both[0].roofs["output unit"] - roofs(first)["output unit"] == pytest.approx(writing, rel=0.2)
    # U55 has no chains, and a result that others want as well is written.
    assert estimate([first, added], "U55-128").layers[1].cycles > 0
    assert estimate([replace(first, consumers=2), added], "U85-256").layers[1].cycles > 0


def test_a_large_map_that_several_layers_read_is_read_from_dram() -> None:
    large = conv(output=(56, 56, 256), output_bytes=56 * 56 * 256, consumers=2)
    narrow = conv(index=1, producers=(0,), inputs=((56, 56, 256),), output=(56, 56, 64), input_bytes=56 * 56 * 256)
    kept, spilled = (
        estimate([replace(large, consumers=consumers), narrow], "U85-256").layers[1].roofs for consumers in (1, 2)
    )
    assert kept["SRAM"] > spilled["SRAM"]
    # 16 bursts of 128 bytes in 500 cycles, for each of the blocks of channels.
    assert spilled["DRAM"] >= 56 * 56 * 256 / (128 * 16 / 500 * 0.8)


@pytest.mark.parametrize(
    ("cut", "blocks"),
    [
        # From Vela's debug databases of the MLPerf Tiny networks: OFM blocks of 16x4x32, 8x16x16 and 25x6x16.
        (Cut((25, 5, 64), 64, 1, (1, 1, 1, 1), (2, 2, 8), 2048, 8192), Blocks(4, 2)),
        (Cut((32, 32, 16), 16, 1, (3, 3, 1, 1), (1, 4, 8), 2048, 8192), Blocks(8, 1)),
        (Cut((25, 5, 64), None, 1, (3, 3, 1, 1), (1, 2, 16), 4096, 16384), Blocks(1, 4)),
    ],
)
def test_blocks_are_near_those_of_vela(cut: Cut, blocks: Blocks) -> None:
    found = blocks_of(cut)
    assert blocks.across / 2 <= found.across <= 2 * blocks.across
    assert blocks.deep / 2 <= found.deep <= 2 * blocks.deep


@pytest.mark.parametrize(
    "name", ["keyword_spotting", "image_classification", "visual_wake_words", "anomaly_detection"]
)
@pytest.mark.parametrize("npu", U85)
@pytest.mark.slow
def test_the_mlperf_tiny_networks_stay_near_vela(name: str, npu: str, mlperf_tiny: dict[str, Path]) -> None:
    found = compare(tflite.read(mlperf_tiny[name]), npu_named(npu), source=name)
    assert 1 / BOUND < found.ratio < BOUND, f"{name} on {npu}: {found.ours} cycles, Vela {found.vela}"
