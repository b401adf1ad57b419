"""The search space of both stages: what is fixed, what is free, and that every genome is a network."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import BadInputError
from deploy.models.mobilenetv4.blocks import UIB, BlockList
from deploy.models.mobilenetv4.search_space import (
    SIZES,
    block_space,
    blocks_text,
    channels_of,
    described,
    network_of,
    width_space,
    widths_text,
)
from deploy.searching.space import Genome, Space


def network(space: Space, genome: Genome) -> BlockList:
    return network_of(space.describe(genome))


def blocks(network: BlockList) -> list[UIB]:
    return [block for stage in network.stages for block in stage if isinstance(block, UIB)]


@st.composite
def genomes(draw: st.DrawFn, space: Space) -> Genome:
    return tuple(draw(st.integers(0, options - 1)) for options in space.options)


@pytest.mark.parametrize("size", SIZES)
@given(data=st.data())
def test_stage_1_searches_widths_behind_3x3_kernels_and_an_expansion_by_4(size: int, data: st.DataObject) -> None:
    space = width_space(size)
    found = network(space, data.draw(genomes(space)))
    assert all((block.kind, block.middle, block.expansion) == ("IB", 3, 4) for block in blocks(found))
    assert all(block.channels % 8 == 0 for block in blocks(found))


@given(data=st.data())
def test_stage_2_keeps_the_widths_and_searches_kernels_block_by_block(data: st.DataObject) -> None:
    widths = network(width_space(28), (0, 2, 4))
    space = block_space(widths)
    found = network(space, data.draw(genomes(space)))
    assert channels_of(found) == channels_of(widths) == [8, 32, 128]
    assert [block.stride for block in blocks(found)] == [block.stride for block in blocks(widths)]
    assert all(block.expansion == 4 for block in blocks(found))


def test_stage_2_has_all_four_kinds_of_blocks_and_both_kernels() -> None:
    space = block_space(network(width_space(28), (0, 0, 0)))
    assert space.options == (9, 9, 8, 9, 8, 9)
    firsts = [blocks(network(space, (gene, 0, 0, 0, 0, 0)))[0] for gene in range(9)]
    assert {block.kind for block in firsts} == {"IB", "ConvNext", "ExtraDW", "FFN"}
    assert {(block.start, block.middle) for block in firsts} == {(a, b) for a in (0, 3, 5) for b in (0, 3, 5)}


def test_a_block_that_halves_the_image_keeps_a_depthwise_convolution() -> None:
    space = block_space(network(width_space(56), (0, 0, 0)))
    assert space.options == (8, 9, 8, 9, 8, 9)
    assert blocks(network(space, (0,) * 6))[0].kind == "IB"


@pytest.mark.parametrize("size", SIZES)
def test_what_stage_2_knows_is_the_network_of_stage_1(size: int) -> None:
    widths = network(width_space(size), (1, 2, 3))
    space = block_space(widths)
    assert network(space, space.known) == widths


def test_the_last_feature_map_is_4x4_for_every_input() -> None:
    for size in SIZES:
        side = -(-size // 2)
        for block in blocks(network(width_space(size), (0, 0, 0))):
            side = -(-side // block.stride)
        assert side == 4


def test_a_record_gives_the_network_back() -> None:
    space = block_space(network(width_space(28), (1, 2, 3)))
    found = network(space, (0, 8, 7, 3, 2, 1))
    assert network_of(json.loads(json.dumps(described(found)))) == found


def test_networks_are_written_in_a_line() -> None:
    space = block_space(network(width_space(28), (0, 1, 2)))
    found = network(space, (0, 8, 7, 3, 2, 1))
    assert widths_text(found) == "8-24-64"
    assert blocks_text(found) == "-- 55/55 3-/3- -3"


def test_another_size_and_a_foreign_genome_are_refused() -> None:
    with pytest.raises(BadInputError, match="--size 32: must be 28 or 56"):
        width_space(32)
    for genome in ((0, 0), (0, 0, 5), (0, 0, -1)):
        with pytest.raises(BadInputError, match="none of this search"):
            width_space(28).check(genome)
