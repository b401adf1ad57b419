"""Counts trained parameters of a network from its blocks, without building it."""

from __future__ import annotations

from deploy.models.mobilenetv4.blocks import MQA, UIB, Block, BlockList, Conv, FusedIB, round_channels


def parameters(network: BlockList, *, channels: int = 3, classes: int = 1000) -> dict[str, int]:
    """Trained parameters of every part, as publications count them: without the averages of batch normalization.

    Returns:
        ``stem``, ``stage0`` and so on, ``head`` -> parameters.
    """
    depth = network.stem
    counts = {"stem": _conv(3, channels, depth)}
    for i, stage in enumerate(network.stages):
        total = 0
        for block in stage:
            total += _block(block, depth, scaled=network.layer_scale is not None)
            depth = block.channels
        counts[f"stage{i}"] = total
    counts["head"] = _conv(1, depth, network.features) + (network.features + 1) * classes
    return counts


def _block(block: Block, depth: int, *, scaled: bool) -> int:
    if isinstance(block, Conv):
        return _conv(block.kernel, depth, block.channels)
    if isinstance(block, FusedIB):
        inner = round_channels(depth * block.expansion)
        return _conv(block.kernel, depth, inner) + _conv(1, inner, block.channels)
    own = _uib(block, depth) if isinstance(block, UIB) else _mqa(block)
    return int(own + (block.channels if scaled else 0))


def _uib(block: UIB, depth: int) -> int:
    inner = round_channels(depth * block.expansion)
    start, middle = (_depthwise(k, c) if k else 0 for k, c in ((block.start, depth), (block.middle, inner)))
    return start + _conv(1, depth, inner) + middle + _conv(1, inner, block.channels)


def _mqa(block: MQA) -> int:
    depth, width = block.channels, block.dimension
    downsampling = _depthwise(3, depth) if block.kv_stride > 1 else 0
    queries_and_output = 2 * depth * block.heads * width
    return int(2 * depth + queries_and_output + 2 * (downsampling + depth * width))


def _conv(kernel: int, depth: int, channels: int) -> int:
    return kernel * kernel * depth * channels + 2 * channels


def _depthwise(kernel: int, depth: int) -> int:
    return kernel * kernel * depth + 2 * depth
