import pytest

from deploy.corstone.memory_map import MemoryMap
from deploy.corstone.stand_in import stand_in


def located(memories: MemoryMap, address: int, size: int = 1) -> tuple[str, str, int] | None:
    place = memories.locate(address, size)
    return place and (place.memory.name, place.block.name, place.offset)


@pytest.mark.parametrize(
    ("address", "block", "offset"),
    [
        (0x31000000, "SRAM", 0),
        (0x21000004, "SRAM", 4),
        (0x111FFFFF, "BRAM", 0x1FFFFF),
        (0x60000000, "DDR", 0),
        (0xDFFFFFFF, "DDR", 0x7FFFFFFF),
    ],
)
def test_both_aliases_of_a_memory_are_the_same_bytes(address, block, offset):
    assert located(stand_in().memories, address) == (block, block, offset)


def test_a_range_must_fit_in_one_memory():
    memories = stand_in().memories
    assert memories.locate(0x313FFFFF, 1) is not None
    assert memories.locate(0x313FFFFF, 2) is None
    assert memories.locate(0x58102000) is None


@pytest.mark.parametrize("address", [0x12000010, 0x02000010, 0x11020010, 0x01020010])
def test_a_memory_that_qemu_has_elsewhere_is_found_at_all_its_addresses(address):
    assert located(stand_in("corstone-320").memories, address) == ("BRAM", "BOOT", 0x20010)


def test_memories_that_share_qemus_do_not_run_into_each_other():
    memories = stand_in("corstone-320").memories
    assert located(memories, 0x1101FFFF) == ("BOOT", "BOOT", 0x1FFFF)
    assert memories.locate(0x1101FFFF, 2) is None
    assert located(memories, 0x121DFFFF) == ("BRAM", "BOOT", 0x1FFFFF)
    assert memories.locate(0x121E0000) is None
    assert not memories.locate(0x11000000).memory.npu
    assert memories.locate(0x11020000).memory.npu


def test_the_map_in_words_names_every_memory_of_the_board():
    text = stand_in("corstone-320").memories.describe()
    assert "BRAM 0x02000000 / 0x12000000 (1920 KB)" in text
    assert "BOOT 0x01000000 / 0x11000000 (128 KB)" in text
