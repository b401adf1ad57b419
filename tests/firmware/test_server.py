"""The C protocol server, spoken to through the Python side of the protocol; and hostile bytes into it."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import shutil
import subprocess
import threading
import tty
from pathlib import Path

import numpy as np
import pytest
from c_server import CServer
from host_compiler import FIRMWARE, HERE, compile_for_host
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError, TargetError
from deploy.judging.build_models import read_models
from deploy.targets.expectations import Expectations
from deploy.targets.firmware_link import FirmwareLink
from deploy.targets.firmware_target import BoardTarget
from deploy.targets.frames import encode
from deploy.targets.protocol import Type, packed

IMAGE = np.arange(256, dtype=np.int8).reshape(1, 8, 8, 4)


def computed(image: np.ndarray) -> bytes:
    """What the harness's runtime makes of an input."""
    raw = image.tobytes()
    return bytes((raw[i % len(raw)] + i) & 0xFF for i in range(128 + 48))


@pytest.fixture(scope="module")
def expectations(small_build: BuildFolder) -> Expectations:
    models = read_models(small_build)
    return Expectations(small_build.document.compiled_sha256, models.inputs, models.outputs, npu_expected=True)


def answers(server: CServer, expectations: Expectations, count: int = 1, timeout_s: float = 3.0) -> list:
    target = BoardTarget(server.port, expectations, timeout_s=timeout_s)
    return list(target.answers(tuple({"image": IMAGE + i} for i in range(count)), 1))


def failure(server: CServer, expectations: Expectations, count: int = 1, timeout_s: float = 3.0) -> TargetError:
    with pytest.raises(TargetError) as caught:
        answers(server, expectations, count, timeout_s)
    assert caught.value.exit_status == 4
    return caught.value


def test_hello_carries_the_tensor_table_that_was_rendered(c_server: CServer, small_build: BuildFolder) -> None:
    with FirmwareLink(c_server.port) as link:
        hello = link.greet()
    document = small_build.document
    assert hello.model_sha256 == document.compiled_sha256
    assert (hello.version, hello.runtime, hello.request_bytes) == (1, 0, 256)
    for entry, record in zip((*hello.inputs, *hello.outputs), (*document.inputs, *document.outputs), strict=True):
        assert (entry.name, entry.dtype, entry.shape, entry.bytes) == (
            record.name,
            record.dtype,
            record.shape,
            record.bytes,
        )
        assert np.float32(entry.scale) == np.float32(record.scales[0])
        assert entry.zero_point == record.zero_points[0]


def test_one_connection_serves_many_inputs(c_server: CServer, expectations: Expectations) -> None:
    got = answers(c_server, expectations, 50)
    assert len(got) == 50
    for i, answer in enumerate(got):
        raw = b"".join(answer.outputs[name].tobytes() for name in ("garment", "kind"))
        assert raw == computed(IMAGE + i)
    assert got[0].counters == {
        "NPU TOTAL": 0x123456789,
        "NPU ACTIVE": 1,
        "AXI0 RD DATA BEAT RECEIVED": 2,
        "AXI0 WR DATA BEAT WRITTEN": 3,
        "NPU EVENT 0x3ff": 4,
        "ARENA BYTES": 1234,
    }


def test_a_model_with_a_state_is_reset_before_every_input_and_a_sequence_before_its_first(
    c_server: CServer, server_library: ctypes.CDLL, expectations: Expectations
) -> None:
    def resets(**options: object) -> int:
        before = server_library.harness_resets()
        target = BoardTarget(c_server.port, timeout_s=3.0, **options)  # type: ignore[arg-type]
        assert len(list(target.answers(tuple({"image": IMAGE + i} for i in range(4)), 1))) == 4
        return server_library.harness_resets() - before

    stateful = dataclasses.replace(expectations, stateful=True)
    assert resets(expectations=expectations) == 0
    assert resets(expectations=stateful) == 4
    assert resets(expectations=stateful, sequence=True) == 1
    c_server.problems(at_inference="the tensors cannot be allocated again")
    error = failure(c_server, stateful)
    assert error.message.startswith("input 0: the firmware cannot reset the model's state")
    assert "cannot be allocated again" in error.message


def test_firmware_that_knows_no_reset_is_told_from_firmware_that_does(
    c_server: CServer, expectations: Expectations
) -> None:
    # What an older server makes of the request: another number in the place of RESET, and of its check.
    c_server.to_target = lambda data: encode(0x60, data[3]) if data[2:3] == bytes([Type.RESET]) else data
    error = failure(c_server, dataclasses.replace(expectations, stateful=True))
    assert "cannot reset the model's state: the target says: unknown request" in error.message
    assert "renders and builds" in error.hints[0]


def test_text_and_garbage_around_frames_do_not_matter(c_server: CServer, expectations: Expectations) -> None:
    c_server.to_host = lambda data: b"\xe5\x7aboot\r\n\x00" + data + b"\xe5"
    assert len(answers(c_server, expectations, 3)) == 3


def test_a_new_connection_is_a_new_conversation(c_server: CServer, expectations: Expectations) -> None:
    for _ in range(3):
        assert len(answers(c_server, expectations, 2)) == 2


def test_an_input_of_the_wrong_size_is_refused_with_both_sizes(c_server: CServer) -> None:
    with FirmwareLink(c_server.port) as link:
        link.greet()
        for size in (255, 257, 100_000, 0):
            with pytest.raises(TargetError, match=rf"{size} bytes, the network takes 256"):
                link.request(Type.INFER, bytes(size), Type.RESULT, 2)
        assert len(link.request(Type.INFER, bytes(256), Type.RESULT, 2)) == 44 + 176


PATTERNS = {
    "noise": np.random.default_rng(2).integers(0, 256, 256, dtype=np.uint8).tobytes(),
    "zeros": bytes(256),
    "pairs": bytes(i // 2 for i in range(256)),
    "runs": b"".join(bytes([n]) * n for n in range(22)) + bytes(25),
    "noise, then one long run": bytes(range(100)) + b"\x80" * 156,
    "a run at the end of a full literal": bytes(range(128)) + b"\x07" * 128,
    "magic": b"\xe5\x7a" * 128,
}


@pytest.mark.parametrize("content", PATTERNS.values(), ids=PATTERNS)
def test_run_length_coded_inputs_arrive_as_they_were(c_server: CServer, content: bytes) -> None:
    assert len(packed(content)) <= len(content) + 2
    image = np.frombuffer(content, np.int8).reshape(1, 8, 8, 4)
    with FirmwareLink(c_server.port) as link:
        link.greet()
        outputs = link.infer({"image": image}, 2).outputs
    assert b"".join(outputs[name].tobytes() for name in ("garment", "kind")) == computed(image)


@given(st.binary(max_size=600), st.integers(0, 255), st.integers(0, 300))
@settings(deadline=None)
def test_coding_can_be_undone(content: bytes, byte: int, length: int) -> None:
    content += bytes([byte]) * length
    coded, undone, at = packed(content), bytearray(), 0
    while at < len(coded):
        control = coded[at]
        assert control != 128
        if control < 128:
            undone += coded[at + 1 : at + 2 + control]
            at += 2 + control
        else:
            undone += coded[at + 1 : at + 2] * (257 - control)
            at += 2
    assert undone == content


@pytest.mark.parametrize(
    ("coded", "size"),
    [
        (b"", 0),
        (b"\x80", 0),
        (b"\x05abc", 0),
        (b"\xff", 0),
        (b"\x81\x00" * 1, 128),
        (b"\x81\x00" * 2 + b"\x00\x00", 257),
        (b"\x81\x00" * 8, 257),
    ],
)
def test_coded_inputs_of_the_wrong_size_or_without_sense_are_refused(
    c_server: CServer, coded: bytes, size: int
) -> None:
    with FirmwareLink(c_server.port) as link:
        link.greet()
        with pytest.raises(TargetError, match=rf"{size} bytes, the network takes 256"):
            link.request(Type.INFER_PACKED, coded, Type.RESULT, 2)


def test_an_unknown_request_and_another_version_are_refused(c_server: CServer) -> None:
    with FirmwareLink(c_server.port) as link:
        with pytest.raises(TargetError, match="speaks version 1"):
            link.request(Type.HELLO, b"\x02\x00", Type.HELLO_REPLY, 2)
        with pytest.raises(TargetError, match="unknown request"):
            link.request(Type.LOG, b"", Type.RESULT, 2)


def test_the_npu_can_be_told_where_to_stop(c_server: CServer, server_library: ctypes.CDLL) -> None:
    server_library.harness_stopped_after.restype = ctypes.c_uint32
    with FirmwareLink(c_server.port) as link:
        link.greet()
        assert server_library.harness_stopped_after() == 0xFFFFFFFF
        link.stop_after(123_456)
        assert server_library.harness_stopped_after() == 123_456
        link.greet()  # a new conversation knows nothing of it
        assert server_library.harness_stopped_after() == 0xFFFFFFFF


def test_a_stop_that_cannot_be_is_refused_in_words(c_server: CServer) -> None:
    with FirmwareLink(c_server.port) as link:
        link.greet()
        with pytest.raises(TargetError, match="cannot stop within the network: the target says: not there"):
            link.stop_after(7)
        with pytest.raises(TargetError, match="a number of words was expected"):
            link.request(Type.STOP_AFTER, b"\x01\x00", Type.STOP_REPLY, 2)


def test_memory_of_the_npu_can_be_read(c_server: CServer) -> None:
    with FirmwareLink(c_server.port) as link:
        link.greet()
        link.infer({"image": IMAGE}, 3)
        assert link.read(1, 0, 176, 3) == computed(IMAGE)
        assert link.read(1, 170, 6, 3) == computed(IMAGE)[170:]
        assert link.read(1, 176, 0, 3) == b""


@pytest.mark.parametrize(
    ("region", "offset", "size"),
    [
        (1, 0, 177),
        (1, 176, 1),
        (1, 177, 0),
        (1, 0xFFFFFFFF, 2),
        (1, 2, 0xFFFFFFFF),
        (0, 0, 1),
        (2, 0, 1),
        (9, 0, 0),
    ],
)
def test_memory_outside_of_what_there_is_is_not_read(
    c_server: CServer, region: int, offset: int, size: int
) -> None:
    with FirmwareLink(c_server.port) as link:
        link.greet()
        with pytest.raises(TargetError, match="there is no such memory to be read"):
            link.read(region, offset, size, 3)


def test_a_reading_request_of_another_size_is_refused(c_server: CServer) -> None:
    with FirmwareLink(c_server.port) as link:
        link.greet()
        with pytest.raises(TargetError, match="there is no such memory to be read"):
            link.request(Type.READ, bytes([1, 0, 0, 0]), Type.MEMORY, 2)


def test_a_target_that_sends_too_little_memory_is_not_believed(c_server: CServer) -> None:
    with FirmwareLink(c_server.port) as link:
        link.greet()
        sequence = link._sequence % 255 + 1
        c_server.to_host = lambda _data: encode(Type.MEMORY, sequence, b"12")
        with pytest.raises(TargetError, match="sent 2 bytes of memory, 10 were asked for"):
            link.read(1, 0, 10, 3)


def test_what_the_runtime_fails_from_reaches_the_user(c_server: CServer, expectations: Expectations) -> None:
    c_server.problems(at_inference="NPU: bus error on AXI port 1")
    error = failure(c_server, expectations)
    assert error.message == "input 0: the target says: NPU: bus error on AXI port 1"


def test_firmware_that_cannot_run_says_why_instead_of_hello(c_server: CServer, expectations: Expectations) -> None:
    c_server.problems(at_start="NPU: the model was compiled for Ethos-U55-256, this is Ethos-U55-128")
    assert "compiled for Ethos-U55-256, this is Ethos-U55-128" in failure(c_server, expectations).message


def test_a_request_that_is_damaged_on_the_way_is_reported(c_server: CServer, expectations: Expectations) -> None:
    c_server.to_target = lambda data: data[:100] + bytes([data[100] ^ 4]) + data[101:] if len(data) > 200 else data
    assert "a request arrived damaged (CRC-32 differs)" in failure(c_server, expectations).message


def test_a_request_that_loses_a_byte_is_reported(c_server: CServer, expectations: Expectations) -> None:
    c_server.to_target = lambda data: data[:100] + data[101:] if len(data) > 200 else data
    assert "a request ended after 259 of 260 bytes" in failure(c_server, expectations).message


def test_a_reply_that_is_damaged_on_the_way_is_reported(c_server: CServer, expectations: Expectations) -> None:
    c_server.to_host = lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:] if len(data) == 236 else data
    assert "a reply arrived damaged" in failure(c_server, expectations).message


def test_a_reply_that_is_cut_off_is_reported(c_server: CServer, expectations: Expectations) -> None:
    c_server.to_host = lambda data: data[:-7] if len(data) == 236 else data
    assert "a reply ended after 229 of 236 bytes" in failure(c_server, expectations, timeout_s=1.0).message


def test_a_target_that_is_reset_in_the_middle_is_noticed(c_server: CServer, expectations: Expectations) -> None:
    c_server.restart_at = 4
    error = failure(c_server, expectations, 5)
    assert error.message.startswith("input 2: the target was reset while it worked")


def test_a_target_that_stops_answering_is_given_up(c_server: CServer, expectations: Expectations) -> None:
    c_server.to_host = lambda data: data if len(data) != 236 else b""
    assert "no answer within 1 s" in failure(c_server, expectations, timeout_s=1.0).message


def test_a_flooded_uart_is_no_endless_wait(c_server: CServer, expectations: Expectations) -> None:
    c_server.to_host = lambda data: data if len(data) != 236 else b"\x55" * 1_000_000
    assert "the target floods the UART" in failure(c_server, expectations).message


def test_a_connection_that_breaks_is_reported(c_server: CServer, expectations: Expectations) -> None:
    c_server.close_after = 2
    assert "the connection to the target broke" in failure(c_server, expectations, 5).message


def test_another_models_firmware_is_refused(c_server: CServer, expectations: Expectations) -> None:
    other = Expectations("0" * 64, expectations.inputs, expectations.outputs, npu_expected=True)
    assert "the firmware holds another model" in failure(c_server, other).message


def test_a_target_without_the_protocol_is_quoted(c_server: CServer, expectations: Expectations) -> None:
    c_server.to_host = lambda _data: b"Hello from my own firmware\r\n"
    error = failure(c_server, expectations, timeout_s=1.5)
    assert "does not speak deploy's protocol: no hello within 1.5 s (it sends text" in error.message
    assert "Hello from my own firmware" in error.log


def test_a_target_that_was_flooded_with_garbage_still_answers(c_server: CServer) -> None:
    with FirmwareLink(c_server.port) as link:
        link.greet()
        noise = np.random.default_rng(1).integers(0, 256, 300_000, dtype=np.uint8).tobytes()
        link._line.write(noise.replace(b"\xe5\x7a", b"\x00\x00"), 1)
        assert len(link.request(Type.INFER, bytes(256), Type.RESULT, 10)) == 44 + 176


def test_a_serial_port_of_this_computer_works_as_well(
    server_library: ctypes.CDLL, expectations: Expectations
) -> None:
    """A pseudo-terminal: the same calls of pyserial as for a board at /dev/ttyUSB0."""
    master, slave = os.openpty()
    tty.setraw(master)
    server = CServer(server_library)
    server.problems()

    def serve() -> None:
        server_library.server_start()
        with contextlib.suppress(OSError):  # the test's end closes the terminal
            while True:
                os.write(master, server.take())
                received = os.read(master, 4096)
                server_library.harness_push(received, ctypes.c_size_t(len(received)))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    target = BoardTarget(os.ttyname(slave), expectations, timeout_s=5)
    got = list(target.answers(tuple({"image": IMAGE + i} for i in range(5)), 1))
    assert [answer.outputs["garment"].tobytes()[:2] for answer in got] == [bytes([i, i + 2]) for i in range(5)]
    os.close(slave)
    os.close(master)


def test_a_silent_target_is_told_so(c_server: CServer, expectations: Expectations) -> None:
    c_server.silent = True
    assert "(it sends nothing)" in failure(c_server, expectations, timeout_s=1.0).message


def test_a_late_reply_is_not_taken_for_the_next_one(c_server: CServer, expectations: Expectations) -> None:
    stale = encode(Type.RESULT, 200, bytes(44 + 176))
    c_server.to_host = lambda data: stale + data
    got = answers(c_server, expectations, 3)
    assert [answer.outputs["garment"].tobytes()[0] for answer in got] == [0, 1, 2]


def test_a_port_that_does_not_exist_is_one_message() -> None:
    with pytest.raises(TargetError, match="cannot be opened"):
        FirmwareLink("/dev/does-not-exist")
    with pytest.raises(BadInputError, match="--port"):
        FirmwareLink("nonsense://x")


def fuzz_sources(project: Path) -> list[Path]:
    names = ("server.c", "mailbox.c", "host_files.c", "notice.c", "frame.c", "crc32.c", "message.c")
    return [
        HERE / "fuzz_server.c",
        HERE / "server_harness.c",
        project / "model" / "network.c",
        *(FIRMWARE / name for name in names),
    ]


def test_mutated_conversations_do_no_harm(small_project: Path, tmp_path: Path) -> None:
    flags = ["-DFUZZ_MAIN", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = compile_for_host(
        tmp_path / "fuzz", fuzz_sources(small_project), includes=[small_project / "model"], flags=flags
    )
    done = subprocess.run([program, "20000"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "20000 conversations" in done.stdout


@pytest.mark.slow
def test_libfuzzer_finds_nothing(small_project: Path, tmp_path: Path) -> None:
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed")
    flags = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
    program = compile_for_host(
        tmp_path / "fuzz", fuzz_sources(small_project), includes=[small_project / "model"], flags=flags, cc="clang"
    )
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, (kind, payload) in enumerate([(1, b"\x01\x00"), (2, bytes(256)), (3, b""), (2, bytes(300))]):
        (corpus / str(number)).write_bytes(encode(kind, number, payload))
    command = [program, "-max_total_time=60", "-max_len=1200", "-print_final_stats=1", corpus]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
