"""What QEMU is given of applications: the files, and the words that it starts with."""

from pathlib import Path

import pytest
from elf_files import NONE, Part, elf, segment_addresses, words

from deploy.corstone.file_arguments import DataLoad
from deploy.corstone.images import load_images
from deploy.corstone.stand_in import stand_in
from deploy.errors import BadInputError

DATA = [("$d", 0, 0, NONE)]


@pytest.fixture
def file(tmp_path: Path):
    def write(*parts: Part, name: str = "program.axf") -> Path:
        path = tmp_path / name
        path.write_bytes(elf(*parts))
        return path

    return write


def vectors(*values: int, address: int = 0x11000000) -> Part:
    return Part(address, words(*values), DATA, executable=False)


def begins_at(start: bytes) -> int:
    """The address that VTOR is set to by what lies at address 0, behind the first two words."""
    assert start[:8] == words(0, 9)
    assert start[-4:] == words(0xE000ED08)
    return int.from_bytes(start[-8:-4], "little")


def test_on_corstone_300_files_are_given_as_they_are(file) -> None:
    path = file(vectors(0x20008000, 0x101, address=0))
    images = load_images([path], stand_in("corstone-300"))
    assert (images.applications, images.start, images.report) == ((path,), None, ())


def test_on_corstone_310_what_lies_at_address_0_begins_with_the_boards_vector_table(file) -> None:
    path = file(vectors(7, 8), Part(0x31000000, words(1), DATA, executable=False))
    images = load_images([path], stand_in("corstone-310"))
    assert (images.applications, images.report) == ((path,), ())
    assert begins_at(images.start) == 0x11000000


def test_on_corstone_320_what_is_given_was_moved_and_said(file) -> None:
    path = file(vectors(0x30008000, 0x12000001), Part(0x12000000, words(0x48203000), DATA, executable=False))
    images = load_images([path], stand_in("corstone-320"))
    (content,) = images.applications
    assert segment_addresses(content) == [(0x11000000, 0x11000000), (0x11020000, 0x11020000)]
    assert words(0x30008000, 0x11020001) in content
    assert begins_at(images.start) == 0x11000000
    assert images.report == (
        f"{path}: BRAM at 0x12000000 is QEMU's 0x11020000: segments moved: 1, addresses changed: 1",
        f"{path}: UART0 at 0x48203000 is QEMU's 0x49303000: addresses changed: 1",
    )


def test_a_second_image_is_moved_too_and_needs_no_vector_table(file) -> None:
    first = file(vectors(1, 0x12000001))
    second = file(Part(0x12000100, words(0x12000100), DATA, executable=False), name="second.axf")
    images = load_images([first, second], stand_in("corstone-320"))
    assert segment_addresses(images.applications[1]) == [(0x11020100, 0x11020100)]
    assert begins_at(images.start) == 0x11000000


def test_an_image_of_another_board_is_refused(file) -> None:
    with pytest.raises(BadInputError, match="no vector table at 0x11000000, where Corstone-310 begins") as error:
        load_images([file(Part(0x31000000, words(1, 2), DATA, executable=False))], stand_in("corstone-310"))
    assert list(error.value.hints) == ["was it built for another board?"]


def test_an_image_that_needs_qemus_first_words_itself_is_refused(file) -> None:
    path = file(vectors(1, 2), Part(0, words(3), DATA, executable=False))
    with pytest.raises(BadInputError, match="0x00000000 takes the place of QEMU's vector table"):
        load_images([path], stand_in("corstone-310"))


def test_why_an_image_cannot_be_moved_is_said_with_its_name(file) -> None:
    path = file(vectors(1, 0x12000001), Part(0x12000000, words(0x12000000)))
    with pytest.raises(
        BadInputError, match=r"program.axf: it cannot be moved to addresses that QEMU has: the word"
    ):
        load_images([path], stand_in("corstone-320"))


@pytest.mark.parametrize(
    ("begin", "address"),
    [(0x70000000, 0x70000000), (0x11000000, 0x11000000), (0x01000100, 0x11000100), (0x400, 0x10000400)],
)
def test_a_program_may_begin_anywhere_in_memory(file, begin, address) -> None:
    path = file(vectors(7, 8, address=begin))
    assert begins_at(load_images([path], stand_in(), begin=begin).start) == address


@pytest.mark.parametrize("begin", [0, 0x10000000])
def test_where_qemus_machine_begins_nothing_is_added(file, begin) -> None:
    assert load_images([file(vectors(7, 8, address=0))], stand_in(), begin=begin).start is None


def test_the_vector_table_may_be_in_any_image_or_in_data(file, tmp_path) -> None:
    first, second = file(vectors(1, 2, address=0x31000000)), file(vectors(7, 8, address=0x60000000), name="b.axf")
    assert begins_at(load_images([first, second], stand_in(), begin=0x60000000).start) == 0x60000000
    raw = tmp_path / "raw.bin"
    raw.write_bytes(words(7, 8))
    data = [DataLoad(raw, 0x38000000)]
    images = load_images([first], stand_in(), begin=0x28000000, data=data)
    assert begins_at(images.start) == 0x38000000
    assert images.data == tuple(data)  # QEMU alone can write there
    with pytest.raises(BadInputError, match="no vector table at 0x60000000"):
        load_images([first], stand_in(), begin=0x60000000, data=data)


def test_a_program_cannot_begin_where_no_memory_is(file) -> None:
    with pytest.raises(BadInputError, match="INITSVTOR 0x40000000 lies in none of Corstone-300's memories"):
        load_images([file(vectors(7, 8, address=0))], stand_in(), begin=0x40000000)


def test_intel_hex_is_given_as_an_elf_file(tmp_path) -> None:
    path = tmp_path / "program.hex"
    path.write_text(":0400000007000000F5\n:0400040009000000EF\n:00000001FF\n")
    (content,) = load_images([path], stand_in()).applications
    assert content.startswith(b"\x7fELF")
    assert segment_addresses(content) == [(0, 0)]
    assert content.endswith(words(7, 9))


def test_images_that_lie_one_over_the_other_are_refused_by_name(file) -> None:
    first = file(vectors(1, 2, 3, address=0))
    second = file(vectors(4, 5, address=0x10000008), name="second.axf")
    with pytest.raises(BadInputError, match=r"program.axf and .*second.axf load to the same addresses in ITCM"):
        load_images([first, second], stand_in())
