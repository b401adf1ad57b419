"""What is searched: small networks of universal inverted bottlenecks for 28x28 images, in two stages.

Stage 1 fixes every block to a 3x3 depthwise convolution behind an expansion by 4 and searches the channels of the
stages. Stage 2 fixes the channels and searches, block by block, which of the two depthwise convolutions are there
and whether their kernels are 3x3 or 5x5 (Qin et al., arXiv:2404.10518).

A genome is one number a gene: the index of what was chosen. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from deploy.errors import BadInputError
from deploy.models.mobilenetv4.blocks import UIB, Network

Genome = tuple[int, ...]

SIZES: Final = (28, 56)
"""Heights and widths of the input that the networks exist for, in pixels."""

WIDTHS: Final = ((8, 16, 24, 32, 40), (16, 24, 32, 48, 64), (32, 48, 64, 96, 128))
"""Channels to choose from, stage by stage."""

BLOCKS: Final = 2
"""Blocks a stage; the first one of a stage halves height and width, but at 28x28 not that of the first stage."""

KERNELS: Final = tuple((start, middle) for start in (0, 3, 5) for middle in (0, 3, 5))
"""Depthwise kernels before and behind the expansion, 0 for none: FFN, IB, ConvNext and ExtraDW."""

_STEM = 16
_FEATURES = 128
_EXPANSION = 4.0
_PLAIN = (0, 3)


@dataclass(frozen=True)
class Space:
    """What one stage of the search chooses from.

    Attributes:
        options: how many there are, gene by gene.
        ordered: whether neighbouring options are alike (channels), so that a mutation is one step.
        network: builds what a genome stands for.
    """

    options: tuple[int, ...]
    ordered: bool
    network: Callable[[Genome], Network]

    @property
    def size(self) -> int:
        """How many networks there are."""
        return math.prod(self.options)

    def check(self, genome: Genome) -> None:
        """Check that a genome is one of this space.

        Raises:
            BadInputError: it is not.
        """
        inside = len(genome) == len(self.options) and all(
            0 <= gene < options for gene, options in zip(genome, self.options, strict=True)
        )
        if not inside:
            raise BadInputError(f"the genome {list(genome)} is none of this search")


def width_space(size: int) -> Space:
    """Stage 1: the channels of every stage.

    Args:
        size: of the input, one of ``SIZES``.

    Raises:
        BadInputError: another size.
    """
    if size not in SIZES:
        raise BadInputError(f"--size {size}: must be {' or '.join(map(str, SIZES))}")

    def network(genome: Genome) -> Network:
        channels = [choices[gene] for choices, gene in zip(WIDTHS, genome, strict=True)]
        return _network(size, channels, [_PLAIN] * (BLOCKS * len(WIDTHS)))

    return Space(tuple(len(choices) for choices in WIDTHS), True, network)


def block_space(widths: Network) -> Space:
    """Stage 2: the depthwise convolutions of every block of a network of stage 1.

    A block that halves height and width has one at least.
    """
    strides = [block.stride for stage in widths.stages for block in stage if isinstance(block, UIB)]
    choices = [KERNELS if stride == 1 else KERNELS[1:] for stride in strides]

    def network(genome: Genome) -> Network:
        kernels = [options[gene] for options, gene in zip(choices, genome, strict=True)]
        return _network(widths.size, channels_of(widths), kernels)

    return Space(tuple(len(options) for options in choices), False, network)


def plain_genome(space: Space) -> Genome:
    """The genome of stage 2 that stands for the network that stage 1 chose."""
    return tuple(KERNELS.index(_PLAIN) - (len(KERNELS) - options) for options in space.options)


def channels_of(network: Network) -> list[int]:
    """Channels of the stages."""
    return [stage[-1].channels for stage in network.stages]


def widths_text(network: Network) -> str:
    """``16-32-64``: channels of the stages."""
    return "-".join(str(channels) for channels in channels_of(network))


def blocks_text(network: Network) -> str:
    """``-3 35/5- --``: kernels of the two depthwise convolutions of every block, ``-`` for none."""
    return "/".join(
        " ".join(f"{block.start or '-'}{block.middle or '-'}" for block in stage if isinstance(block, UIB))
        for stage in network.stages
    )


def _network(size: int, channels: list[int], kernels: list[tuple[int, int]]) -> Network:
    """``kernels``: one pair a block, over all stages."""
    remaining = iter(kernels)
    stages = []
    for i, width in enumerate(channels):
        first = size // SIZES[0] if i == 0 else 2
        strides = [first, *[1] * (BLOCKS - 1)]
        stages.append(tuple(UIB(*next(remaining), stride, _EXPANSION, width) for stride in strides))
    return Network(stem=_STEM, stages=tuple(stages), size=size, features=_FEATURES)
