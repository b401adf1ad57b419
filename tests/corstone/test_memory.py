import contextlib
import secrets

import numpy as np
import pytest

from deploy.corstone.memory import GuestMemory
from deploy.corstone.memory_stores import SharedStore
from deploy.corstone.qemu import locate_qemu
from deploy.corstone.qemu_process import QemuProcess
from deploy.corstone.qtest import QtestConnection
from deploy.corstone.shared_file import SharedFile
from deploy.corstone.stand_in import stand_in
from deploy.errors import TargetError
from deploy.hardware.npus import npu_named
from deploy.targets.runner_firmware import runner_path

pytestmark = pytest.mark.system

# Around the borders of blocks and of the two chips that make up SRAM.
PLACES = [0x0007F000, 0x11000000, 0x010FFFF0, 0x20000000, 0x311FFFF0, 0x213FFFF0, 0x60000000, 0xDFFFFFF0]


@pytest.fixture
def machine():
    with QemuProcess(locate_qemu(), stand_in(), [runner_path(npu_named("U55-128"))]) as process:
        process.wait_ready()
        qtest = QtestConnection(process.channels["qtest"])
        yield process, qtest


@pytest.fixture
def memory(machine):
    process, qtest = machine
    memory = GuestMemory(stand_in().memories, process.ddr_file, qtest, process.pid)
    yield memory
    memory.close()


@pytest.fixture
def told(machine, monkeypatch):
    """Address and bytes of all that is written and cleared through QEMU from now on."""
    _, qtest = machine
    found: list[tuple[int, int]] = []
    write, clear = qtest.write, qtest.clear

    def written(address, content):
        found.append((address, len(content)))
        write(address, content)

    def cleared(address, size):
        found.append((address, size))
        clear(address, size)

    monkeypatch.setattr(qtest, "write", written)
    monkeypatch.setattr(qtest, "clear", cleared)
    return found


def test_the_direct_and_the_portable_way_reach_the_same_bytes(machine):
    process, qtest = machine
    direct = GuestMemory(stand_in().memories, process.ddr_file, qtest, process.pid)
    portable = GuestMemory(stand_in().memories, process.ddr_file, qtest, process.pid, portable=True)
    assert direct.direct
    assert not portable.direct
    for place in PLACES:
        for writer, reader in ((direct, portable), (portable, direct)):
            content = secrets.token_bytes(16)
            writer.write(place, content)
            assert reader.read(place, 16) == content
            assert qtest.read(place, 16) == content
    direct.close()


def test_finding_the_memories_changes_nothing_in_them(machine):
    process, qtest = machine
    before = GuestMemory(stand_in().memories, process.ddr_file, qtest, process.pid, portable=True)
    content = {place: before.read(place, 16) for place in (0x0007FFF0, 0x111FFFF0, 0x3007FFF0, 0x311FFFF0)}
    direct = GuestMemory(stand_in().memories, process.ddr_file, qtest, process.pid)
    assert {place: direct.read(place, 16) for place in content} == content
    direct.close()


def test_a_process_memory_that_cannot_be_written_leads_to_the_portable_way(machine, monkeypatch):
    process, qtest = machine
    places = (0x0007FFF0, 0x111FFFF0, 0x3007FFF0, 0x311FFFF0, 0x313FFFF0)
    before = [qtest.read(place, 16) for place in places]

    def refuse(*_arguments):
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr("deploy.corstone.memory_hosts.os.pwrite", refuse)
        memory = GuestMemory(stand_in().memories, process.ddr_file, qtest, process.pid)
    assert not memory.direct
    assert [qtest.read(place, 16) for place in places] == before
    memory.write(0x31000000, b"works all the same")
    assert memory.read(0x21000000, 18) == b"works all the same"


@pytest.mark.parametrize("portable", [False, True])
def test_the_memory_of_a_qemu_that_has_ended_is_an_error_and_not_empty(machine, portable):
    process, qtest = machine
    memory = GuestMemory(stand_in().memories, process.ddr_file, qtest, process.pid, portable=portable)
    process.kill()
    process.wait_exit(10)
    with pytest.raises(TargetError, match="QEMU"):
        memory.read(0x21000000, 16)
    with pytest.raises(TargetError, match="QEMU"):
        memory.write(0x21000000, bytes(16))
    with pytest.raises(TargetError, match="QEMU"):
        memory.restore([])
    memory.close()


def test_memory_that_was_let_go_of_is_an_error_and_not_the_file_that_is_open_in_its_place(memory, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"another's")
    memory.close()
    with contextlib.ExitStack() as files:
        for _ in range(4):  # one of them gets the number
            files.enter_context(other.open("r+b"))
        with pytest.raises(TargetError, match="ended"):
            memory.read(0x21000000, 4)
        with pytest.raises(TargetError, match="ended"):
            memory.write(0x21000000, b"mine")
    assert other.read_bytes() == b"another's"
    memory.close()  # once more is harmless


def test_a_file_that_was_closed_is_not_looked_for_in_another_one(tmp_path):
    file = SharedFile("test", size=8192)
    store = SharedStore(file, 8192)
    assert store.written() == []
    file.close()
    (tmp_path / "other").write_bytes(bytes(8192))
    with contextlib.ExitStack() as files:
        for _ in range(4):  # one of them gets the number
            files.enter_context((tmp_path / "other").open("rb"))
        with pytest.raises(OSError, match="descriptor"):
            store.written()


@pytest.mark.parametrize("portable", [False, True])
def test_what_the_npu_changes_arrives_and_nothing_else_does(machine, portable):
    process, qtest = machine
    memory = GuestMemory(stand_in().memories, process.ddr_file, qtest, process.pid, portable=portable)
    memory.write(0x31000000, b"before the run")
    one, other = memory.window(0x31001000), memory.window(0x21000000)
    assert one is not None
    assert other is not None
    # Both windows look at the same copy, as two regions in one memory do.
    one[:4] = [1, 2, 3, 4]
    assert other[0x1000:0x1004].tolist() == [1, 2, 3, 4]
    other[0x1FFFFE:0x200002] = [5, 6, 7, 8]
    memory.write(0x31300000, b"by the CPU")
    memory.commit()
    assert memory.read(0x21001000, 4) == bytes([1, 2, 3, 4])
    assert memory.read(0x311FFFFE, 4) == bytes([5, 6, 7, 8])
    assert memory.read(0x31000000, 14) == b"before the run"
    assert memory.read(0x31300000, 10) == b"by the CPU"
    memory.close()


def test_the_npu_reaches_neither_the_tightly_coupled_memories_nor_devices(machine, memory):
    _, qtest = machine
    assert [memory.window(address) for address in (0x0, 0x10000000, 0x20000000, 0x58102000)] == [None] * 4
    ddr = memory.window(0x90000000)
    assert ddr is not None
    assert ddr.size == 0xE0000000 - 0x90000000
    ddr[:4] = np.array([9, 8, 7, 6], np.uint8)
    assert qtest.read(0x90000000, 4) == bytes([9, 8, 7, 6])


def test_an_address_without_memory_is_an_error(machine):
    process, qtest = machine
    memory = GuestMemory(stand_in().memories, process.ddr_file, qtest, process.pid, portable=True)
    with pytest.raises(TargetError, match="no memory at 0x40000000"):
        memory.read(0x40000000, 4)
    with pytest.raises(TargetError, match="qtest"):
        qtest.request("no_such_command")


@pytest.mark.parametrize("portable", [False, True])
def test_memory_is_restored_to_what_is_loaded_and_zero(machine, portable):
    process, qtest = machine
    memory = GuestMemory(stand_in().memories, process.ddr_file, qtest, process.pid, portable=portable)
    # Both within a page and over the border of two chips; of one block nothing.
    loaded = [(0x10, b"first"), (0x1000, bytes(4096) + b"x"), (0x310FFFFC, b"chipchip"), (0x70000004, b"in DDR")]
    for _ in range(2):
        for place in PLACES:
            memory.write(place, secrets.token_bytes(16))
        memory.restore(loaded)
        assert [memory.read(place, 16) for place in PLACES if place != 0x010FFFF0] == [bytes(16)] * (
            len(PLACES) - 1
        )
        assert [memory.read(address, len(content)) for address, content in loaded] == [each for _, each in loaded]
        assert memory.read(0, 16) == bytes(16)
    memory.close()


def test_only_pages_that_differ_or_that_qemu_did_not_see_written_are_restored(memory, told):
    loaded = [(0x0, b"code" * 4096), (0x7000_0000, b"code" * 4096)]
    memory.restore(loaded)
    told.clear()
    memory.restore(loaded)
    assert told == []
    memory.write(0x1004, b"code")  # the same bytes: what QEMU translated may have been others
    memory.write(0x70002000, b"code")
    memory.write(0x31000FFF, b"\0\0")
    memory.restore(loaded)
    assert told == [(0x10001000, 4096), (0x31000000, 8192), (0x70002000, 4096)]


def test_all_of_ddr_that_the_npu_may_have_written_is_restored(memory, told):
    loaded = [(0x7100_0000, b"code" * 4096)]
    memory.restore(loaded)
    for _ in range(2):
        told.clear()
        memory.window(0x71002000)[:4] = np.frombuffer(b"code", np.uint8)
        memory.window(0x71800000)[:16] = 1
        memory.restore(loaded)
        assert told == [(0x71002000, 8192), (0x71800000, 4096)]
        assert memory.read(0x71002000, 4) == b"code"
        assert not any(memory.read(0x71800000, 16))
    told.clear()
    memory.restore(loaded)
    assert told == []


def test_what_is_loaded_in_place_of_other_code_is_told_to_qemu_once(memory, told):
    memory.restore([])
    told.clear()
    memory.load(0x70001004, b"code")
    assert told == [(0x70001004, 4)]
    for _ in range(2):
        told.clear()
        memory.restore([])
        memory.load(0x70001008, b"code")
        assert told == [(0x70001000, 4096)]
        assert memory.read(0x70001000, 16) == bytes(8) + b"code" + bytes(4)
    memory.load(0x70001FFE, b"code")
    assert told[1:] == [(0x70001FFE, 4)]
    memory.write(0x70004004, b"")  # nobody has written that page
    memory.load(0x70004004, b"code")
    assert told[2:] == [(0x70004004, 4)]


def test_a_large_program_in_ddr_does_not_pass_through_qemu(machine, memory, monkeypatch):
    _, qtest = machine
    written: list[int] = []
    monkeypatch.setattr(qtest, "write", lambda _address, content: written.append(len(content)))
    code = secrets.token_bytes(10_000_000)  # from within a page, over what is compared at once
    for _ in range(2):
        memory.window(0x70000000)[0xFF0:9_000_000] = 7
        memory.restore([(0x70000FFF, code)])
        assert memory.read(0x70000FF0, 15) == bytes(15)
        assert memory.read(0x70000FFF, len(code) + 100) == code + bytes(100)
    assert written == []


def test_memory_that_is_to_be_written_anyway_is_not_read(memory, monkeypatch):
    memory.restore([])
    memory.load(0x90000000, bytes(1 << 20))
    memory.window(0x91000000)[: 1 << 20] = 1
    read: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(SharedStore, "written", lambda _store: [(0x30000000, 1 << 20), (0x31000000, 1 << 20)])
        patch.setattr(SharedStore, "read", lambda _store, offset, size: (read.append(offset), bytes(size))[1])
        memory.restore([])
    assert read == []
    assert not any(memory.read(0x90000000, 1 << 20) + memory.read(0x91000000, 1 << 20))
