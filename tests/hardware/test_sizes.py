"""Sizes as people write them, and back."""

import pytest

from deploy.hardware.sizes import bytes_of, short


@pytest.mark.parametrize(("text", "size"), [("2M", 1 << 21), ("384K", 393216), (" 512 KiB ", 1 << 19), ("7", 7)])
def test_a_size_is_read(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "0", "0M", "-1", "2G", "1.5M", "M"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        bytes_of(text)


@pytest.mark.parametrize(("size", "text"), [(1 << 21, "2M"), (393216, "384K"), (1 << 28, "256M"), (1000, "1000")])
def test_a_size_is_written_in_the_largest_unit_that_divides_it(size: int, text: str) -> None:
    assert short(size) == text
