from typing import Any

import numpy as np
import pytest

from deploy.npu import UnsupportedError
from deploy.npu.execution.windows import counts_inside, taps, window_size
from deploy.npu.stream.operations import Padding, Upscale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation

from ..builders import feature_map, kernel, pooling

IMAGE = np.array([[-128, 127], [3, 4]]).reshape(1, 2, 2, 1)


def point(height: int, width: int, **changes: Any) -> PoolingOperation:
    """An operation of which the kernel's only element meets everything."""
    return pooling(PoolingMode.MAX, feature_map((2, 2, 1)), feature_map((height, width, 1)), **changes)


def seen(operation: PoolingOperation, fill: int = 0) -> list[list[int]]:
    ((_, _, tap),) = taps(operation, IMAGE, fill)
    return tap[0, :, :, 0].tolist()


def test_padding_is_filled_as_asked() -> None:
    found = seen(point(3, 3, padding=Padding(0, 1, 1, 0)), fill=-7)
    assert found == [[-7, -128, 127], [-7, 3, 4], [-7, -7, -7]]


def test_nearest_repeats_and_transpose_spreads() -> None:
    near = seen(point(3, 4, upscale=Upscale.NEAREST))
    assert near == [[-128, -128, 127, 127], [-128, -128, 127, 127], [3, 3, 4, 4]]
    spread = seen(point(4, 4, upscale=Upscale.TRANSPOSE, padding=Padding(1, 0, 0, 0)))
    assert spread == [[0] * 4, [-128, 0, 127, 0], [0] * 4, [3, 0, 4, 0]]


def test_windows_follow_stride_and_dilation() -> None:
    k = kernel(2, 2, stride=2, dilation=2)
    assert window_size(k, 2, 2) == (5, 5)
    operation = pooling(PoolingMode.MAX, feature_map((5, 5, 1)), feature_map((2, 2, 1)), kernel=k)
    found = {(y, x): int(tap[0, 1, 0, 0]) for y, x, tap in taps(operation, np.arange(25).reshape(1, 5, 5, 1))}
    assert found == {(0, 0): 10, (0, 1): 12, (1, 0): 20, (1, 1): 22}


def test_elements_inside_are_those_of_the_ifm_and_the_zeros_between_them() -> None:
    for upscale, inside in ((Upscale.NONE, 2), (Upscale.TRANSPOSE, 4), (Upscale.NEAREST, 4)):
        whole = kernel(inside + 1, inside + 2)
        operation = point(1, 1, kernel=whole, upscale=upscale, padding=Padding(1, 1, 0, 1))
        assert counts_inside(operation).tolist() == [[[[inside * inside]]]]


def test_padding_beyond_any_memory_is_refused_before_it_is_allocated() -> None:
    with pytest.raises(UnsupportedError, match="padded"):
        seen(point(60000, 60000, padding=Padding(127, 127, 255, 255)))
