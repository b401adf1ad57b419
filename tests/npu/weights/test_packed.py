import numpy as np

from deploy.npu.core.library import native
from deploy.npu.weights.packed import CHANNELS, pack
from deploy.npu.weights.unpacked import ChannelScales

HEADER = ("content", "length", "scales", "weights", "channels", "segments", "pairs", "narrow", "largest")


def packed(weights: np.ndarray, multiplier: int = 3, **changes: bool) -> tuple[dict[str, int], np.ndarray]:
    depth = len(weights)
    scales = ChannelScales(*(np.full(depth, value, np.int64) for value in (7, multiplier, 5)))
    words = {"depthwise": False, "dilated": False, "element_bytes": 1} | changes
    found = pack(weights.astype(np.int16), scales, (b"abc", b"de"), **words)
    assert found is not None
    return dict(zip(HEADER, found[:72].view(np.int64).tolist(), strict=True)), found


def test_the_core_and_its_packing_agree_on_the_channels_of_a_block() -> None:
    core = native()
    assert core is not None
    assert core.NUMBERS["CHANNELS"] == CHANNELS


def test_weights_come_in_pairs_of_a_row_of_the_kernel() -> None:
    weights = np.arange(2 * 3 * 1 * 3).reshape(2, 3, 1, 3)
    header, found = packed(weights)
    assert (header["segments"], header["pairs"], header["channels"]) == (3, 2, 16)
    start = header["weights"]
    values = found[start : start + 3 * 2 * 32 * 2].view(np.int16).reshape(3, 2, 16, 2)
    assert values[1, :, 1].tolist() == [[12, 13], [14, 0]]
    assert not values[:, :, 2:].any()


def test_a_dilated_kernel_is_taken_element_by_element() -> None:
    header, _ = packed(np.ones((1, 2, 3, 4)), dilated=True)
    assert (header["segments"], header["pairs"]) == (6, 2)


def test_weights_of_depthwise_kernels_come_in_pairs_even_where_they_are_dilated() -> None:
    weights = np.arange(3 * 2 * 3).reshape(3, 2, 3, 1)
    for dilated in (False, True):
        header, found = packed(weights, depthwise=True, dilated=dilated)
        assert (header["segments"], header["pairs"]) == (2, 2)
        start = header["weights"]
        values = found[start : start + 2 * 2 * 32 * 2].view(np.int16).reshape(2, 2, 16, 2)
        assert values[1, :, 2].tolist() == [[15, 16], [17, 0]]
        assert not values[:, :, 3:].any()


def test_bounds_of_sums_and_products_are_known() -> None:
    weights = np.array([[1, -2], [200, -255]]).reshape(2, 1, 1, 2)
    header, found = packed(weights)
    assert (header["largest"], header["narrow"]) == (455, 1)
    rows = found[header["scales"] :][: 4 * 16 * 8].view(np.int64).reshape(4, 16)
    assert rows[:, :3].T.tolist() == [[7, 3, 5, -1], [7, 3, 5, -55], [0, 0, 0, 0]]
    assert bytes(found[header["content"] :][: header["length"]]) == b"abcde"
    assert packed(np.full((1, 1, 1, 40000), 255), 1 << 31)[0]["narrow"] == 0
