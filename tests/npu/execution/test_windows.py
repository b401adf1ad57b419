import numpy as np
import pytest

from deploy.npu import UnsupportedError
from deploy.npu.execution.windows import prepare, window_size, windows
from deploy.npu.stream.operations import Padding, Upscale

from ..builders import NO_PADDING, kernel

INT8 = np.array([[-128, 127], [3, 4]], np.int8).reshape(1, 2, 2, 1)


def test_the_zero_point_does_not_overflow_the_element_type() -> None:
    plain = prepare(INT8, -128, Upscale.NONE, NO_PADDING, (2, 2), np.dtype(np.float32))
    assert plain.ravel().tolist() == [0, 255, 131, 132]
    padded = prepare(INT8, 127, Upscale.NONE, Padding(1, 0, 0, 0), (3, 2), np.dtype(np.float32))
    assert padded.ravel().tolist() == [0, 0, -255, 0, -124, -123]


def test_padding_is_filled_as_asked() -> None:
    found = prepare(INT8, 0, Upscale.NONE, Padding(0, 1, 1, 0), (3, 3), np.dtype(np.int8), fill=-7)
    assert found[0, :, :, 0].tolist() == [[-7, -128, 127], [-7, 3, 4], [-7, -7, -7]]


def test_nearest_repeats_and_transpose_spreads() -> None:
    near = prepare(INT8, 0, Upscale.NEAREST, NO_PADDING, (3, 4), np.dtype(np.int32))
    assert near[0, :, :, 0].tolist() == [[-128, -128, 127, 127], [-128, -128, 127, 127], [3, 3, 4, 4]]
    spread = prepare(INT8, 1, Upscale.TRANSPOSE, Padding(1, 0, 0, 0), (4, 4), np.dtype(np.int32))
    assert spread[0, :, :, 0].tolist() == [[0] * 4, [-129, 0, 126, 0], [0] * 4, [2, 0, 3, 0]]


def test_windows_follow_stride_and_dilation() -> None:
    k = kernel(2, 2, stride=2, dilation=2)
    size = window_size(k, 2, 2)
    assert size == (5, 5)
    image = np.arange(25).reshape(1, 5, 5, 1)
    found = windows(image, k, 2, 2)
    assert found[0, 1, 0, :, :, 0].tolist() == [[10, 12], [20, 22]]


def test_padding_beyond_any_memory_is_refused_before_it_is_allocated() -> None:
    with pytest.raises(UnsupportedError, match="padded"):
        prepare(INT8, 0, Upscale.NONE, Padding(127, 127, 255, 255), (60000, 60000), np.dtype(np.float32))
