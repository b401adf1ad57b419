"""Block geometry: what an OFM block needs, and how feature maps and kernels are cut; the units of the estimates.

Source: Vela 5.2.0, ``ethosu/vela/architecture_features.py`` (IFM blocks, sub-kernels).
"""

from __future__ import annotations

from deploy.hardware.designs import Design
from deploy.npu.stream.operations import BRICK, SUB_KERNEL, BlockOperation, FeatureMap, Upscale

Shape = tuple[int, int, int]
"""Height, width, depth."""


def ifm_block_depth(operation: BlockOperation) -> int:
    """Depth of the IFM block; the stream does not say it, Vela derives it from the type and the traversal.

    Source: the column ``ifm_block_c`` in the debug databases of Vela 5.2.0, over a few hundred operations.
    """
    if operation.by_channel:
        return operation.block[2]
    limit = 16 if operation.ifm.dtype.itemsize == 2 else 8 if operation.kernel.part_kernel_first else 32
    return min(limit, ceil_divide(operation.ifm.depth, 8) * 8)


def ifm_block(operation: BlockOperation, design: Design) -> Shape:
    """IFM block that an OFM block needs (one sub-kernel of it)."""
    kernel, ublock = operation.kernel, design.ifm_ublock
    factor = 1 if operation.upscale is Upscale.NONE else 2
    height = ceil_divide((operation.block[0] - 1) * kernel.stride_y + min(SUB_KERNEL, kernel.extent_y), factor)
    width = ceil_divide((operation.block[1] - 1) * kernel.stride_x + min(SUB_KERNEL, kernel.extent_x), factor)
    return (
        ceil_divide(height, ublock[0]) * ublock[0],
        ceil_divide(width, ublock[1]) * ublock[1],
        ifm_block_depth(operation),
    )


def stored_elements(fm: FeatureMap, bricks: bool | None = None) -> int:
    """Elements of a feature map as they are stored: bricks hold 16 channels.

    Args:
        fm: the feature map.
        bricks: as if it were stored in bricks, or not; default as it is.
    """
    if fm.bricks if bricks is None else bricks:
        return fm.height * fm.width * ceil_divide(fm.depth, BRICK) * BRICK
    return fm.elements


def blocks_along(extent: int, block: int) -> list[tuple[int, int]]:
    """``(size, count)`` of the blocks along one axis."""
    whole, rest = divmod(extent, block)
    return [(size, count) for size, count in ((block, whole), (rest, 1)) if size and count]


def kernel_parts(extent: int) -> list[int]:
    """Extents of the parts along one axis of a kernel."""
    return [min(SUB_KERNEL, extent - start) for start in range(0, extent, SUB_KERNEL)]


def smaller(a: Shape, b: Shape) -> Shape:
    """The smaller of two shapes, axis by axis."""
    return min(a[0], b[0]), min(a[1], b[1]), min(a[2], b[2])


def ceil_divide(value: int, by: int) -> int:
    """Divide and round up."""
    return -(-value // by)
