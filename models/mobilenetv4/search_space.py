"""What a search chooses from: small networks of universal inverted bottlenecks for 28x28 images, in two stages.

Stage 1 fixes every block to a 3x3 depthwise convolution behind an expansion by 4 and searches the channels of the
stages. Stage 2 fixes the channels and searches, block by block, which of the two depthwise convolutions are there
and whether their kernels are 3x3 or 5x5 (Qin et al., arXiv:2404.10518).

Nothing here needs TensorFlow.
"""

from __future__ import annotations

from typing import Final

from deploy.errors import BadInputError
from deploy.models.mobilenetv4.blocks import UIB, BlockList
from deploy.searching.problem import Stage
from deploy.searching.space import Description, Genome, Space

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


def stages(size: int) -> tuple[Stage, Stage]:
    """Both stages.

    Raises:
        BadInputError: another size.
    """
    return Stage("widths", width_space(size)), Stage("blocks", lambda best: block_space(network_of(best)))


def described(network: BlockList) -> Description:
    """The network in JSON: ``size``, ``stem``, ``stages`` of blocks with all their attributes, ``features``."""
    stages = [
        [{"kind": block.kind, **vars(block)} for block in stage if isinstance(block, UIB)]
        for stage in network.stages
    ]
    return {"size": network.size, "stem": network.stem, "stages": stages, "features": network.features}


def network_of(description: Description) -> BlockList:
    """The reverse of :func:`described`."""
    stages = tuple(
        tuple(UIB(**{name: value for name, value in block.items() if name != "kind"}) for block in stage)
        for stage in description["stages"]
    )
    return BlockList(**{**description, "stages": stages})


def width_space(size: int) -> Space:
    """Stage 1: the channels of every stage.

    Raises:
        BadInputError: another size.
    """
    if size not in SIZES:
        raise BadInputError(f"--size {size}: must be {' or '.join(map(str, SIZES))}")

    def network(genome: Genome) -> Description:
        channels = [choices[gene] for choices, gene in zip(WIDTHS, genome, strict=True)]
        return described(_network(size, channels, [_PLAIN] * (BLOCKS * len(WIDTHS))))

    return Space(tuple(len(choices) for choices in WIDTHS), True, network)


def block_space(widths: BlockList) -> Space:
    """Stage 2: the depthwise convolutions of every block of a network of stage 1.

    A block that halves height and width has one at least. That network itself is known.
    """
    channels = channels_of(widths)
    strides = [block.stride for stage in widths.stages for block in stage if isinstance(block, UIB)]
    choices = [KERNELS if stride == 1 else KERNELS[1:] for stride in strides]

    def network(genome: Genome) -> Description:
        kernels = [options[gene] for options, gene in zip(choices, genome, strict=True)]
        return described(_network(widths.size, channels, kernels))

    plain = tuple(options.index(_PLAIN) for options in choices)
    return Space(tuple(len(options) for options in choices), False, network, known=plain)


def channels_of(network: BlockList) -> list[int]:
    """Channels of the stages."""
    return [stage[-1].channels for stage in network.stages]


def widths_text(network: BlockList) -> str:
    """``16-32-64``: channels of the stages."""
    return "-".join(str(channels) for channels in channels_of(network))


def blocks_text(network: BlockList) -> str:
    """``-3 35/5- --``: kernels of the two depthwise convolutions of every block, ``-`` for none."""
    return "/".join(
        " ".join(f"{block.start or '-'}{block.middle or '-'}" for block in stage if isinstance(block, UIB))
        for stage in network.stages
    )


def _network(size: int, channels: list[int], kernels: list[tuple[int, int]]) -> BlockList:
    """``kernels``: one pair a block, over all stages."""
    remaining = iter(kernels)
    stages = []
    for i, width in enumerate(channels):
        first = size // SIZES[0] if i == 0 else 2
        strides = [first, *[1] * (BLOCKS - 1)]
        stages.append(tuple(UIB(*next(remaining), stride, _EXPANSION, width) for stride in strides))
    return BlockList(stem=_STEM, stages=tuple(stages), size=size, features=_FEATURES)
