import pytest

from deploy.corstone.memory_map import BRAM, DDR, SRAM, locate


@pytest.mark.parametrize(
    ("address", "block", "offset"),
    [
        (0x31000000, SRAM, 0),
        (0x21000004, SRAM, 4),
        (0x111FFFFF, BRAM, 0x1FFFFF),
        (0x60000000, DDR, 0),
        (0xDFFFFFFF, DDR, 0x7FFFFFFF),
    ],
)
def test_both_aliases_of_a_memory_are_the_same_bytes(address, block, offset):
    assert locate(address) == (block, offset)


def test_a_range_must_fit_in_one_memory():
    assert locate(0x313FFFFF, 1) is not None
    assert locate(0x313FFFFF, 2) is None
    assert locate(0x58102000) is None
