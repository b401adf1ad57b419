"""Counts trained parameters of a network from its blocks, without building it."""

from __future__ import annotations

from deploy.models.mobilenetv4.blocks import MQA, UIB, Block, BlockList, ConvStep, conv_steps


def parameters(network: BlockList, *, channels: int = 3, classes: int = 1000) -> dict[str, int]:
    """Trained parameters of every part, as publications count them: without the averages of batch normalization.

    Returns:
        ``stem``, ``stage0`` and so on, ``head`` -> parameters.
    """
    depth = network.stem
    counts = {"stem": _step(ConvStep("stem", 3, 2, depth), channels)}
    for i, stage in enumerate(network.stages):
        total = 0
        for block in stage:
            total += _block(block, depth, scaled=network.layer_scale is not None)
            depth = block.channels
        counts[f"stage{i}"] = total
    counts["head"] = _step(ConvStep("features", 1, 1, network.features), depth) + (network.features + 1) * classes
    return counts


def _block(block: Block, depth: int, *, scaled: bool) -> int:
    if isinstance(block, MQA):
        own = _mqa(block)
    else:
        own = 0
        for step in conv_steps(block, depth):
            own += _step(step, depth)
            depth = step.channels
    return own + (block.channels if scaled and isinstance(block, UIB | MQA) else 0)


def _mqa(block: MQA) -> int:
    depth, width = block.channels, block.dimension
    downsampling = (
        _step(ConvStep("down", 3, block.kv_stride, depth, depthwise=True), depth) if block.kv_stride > 1 else 0
    )
    queries_and_output = 2 * depth * block.heads * width
    return 2 * depth + queries_and_output + 2 * (downsampling + depth * width)


def _step(step: ConvStep, depth: int) -> int:
    """Of a convolution and its batch normalization."""
    return step.kernel * step.kernel * depth * (1 if step.depthwise else step.channels) + 2 * step.channels
