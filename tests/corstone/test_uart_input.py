"""What is typed arrives, each byte once and in order, whatever the program does with its receiver meanwhile."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from guest import build_guest
from simulator import start, terminal_port

from deploy.corstone.uart import ESCAPE

pytestmark = pytest.mark.system

ANY = bytes(byte for byte in range(256) if byte != ord("!"))
TEXT = bytes([ESCAPE]) * 3 + bytes([ESCAPE, ord("x")]) + ANY * 20
"""Long, with every byte but the one that ends the simulation, and what QEMU would take for its own commands."""

READING = r"""
#define CONTROL REG(UART + 8)
static int full(void) { return REG(UART + 4) & 2; }
static void put_back(int c) { while (REG(UART + 4) & 1) { } REG(UART) = c; }
static void move(void) { while (!full()) { } put_back(REG(UART) & 255); }
static void wait(int turns) { for (volatile int i = 0; i < turns; i++) { } }
static void begin(void) { CONTROL = 1; REG(UART + 16) = 16; }
"""

LATE = r"""
int main(void) {
  begin();
  wait(30000000);
  CONTROL = 3;
  for (;;) move();
}
"""


def words(folder: Path, number: int = 0) -> list[object]:
    """Options for a UART whose output is in ``out``, and that ends the simulation at a ``!``."""
    uart = f"mps3_board.uart{number}"
    return ["-C", f"{uart}.out_file={folder / 'out'}", "-C", f"{uart}.shutdown_tag=!", "--timelimit", 30]


def typed_from_a_file(folder: Path, source: str, text: bytes) -> bytes:
    """What a program sends that finds ``text``, and an end, in UART0's input file."""
    (folder / "in").write_bytes(text + b"!")
    elf = build_guest(folder, (READING + source).replace("UART", "0x59303000"))
    process = start("-q", "-a", elf, *words(folder), "-C", f"mps3_board.uart0.in_file={folder / 'in'}")
    _, errors = process.communicate(timeout=60)
    assert not errors
    return (folder / "out").read_bytes()


@pytest.mark.parametrize("count", [6, 33, len(TEXT)])
@pytest.mark.parametrize(("number", "address"), [(0, "0x59303000"), (1, "0x59304000")])
def test_what_was_typed_before_the_program_listens_arrives_though_the_client_has_gone(
    tmp_path, number, address, count
):
    elf = build_guest(tmp_path, (READING + LATE).replace("UART", address))
    process = start("-a", elf, *words(tmp_path, number), "-C", f"mps3_board.telnetterminal{number}.mode=raw")
    with socket.create_connection(("127.0.0.1", terminal_port(process, number)), timeout=20) as client:
        client.sendall(TEXT[:count] + b"!")
    process.communicate(timeout=60)
    assert (tmp_path / "out").read_bytes() == TEXT[:count] + b"!"


def test_many_clients_that_type_one_after_the_other_are_heard_in_their_order(tmp_path):
    elf = build_guest(tmp_path, (READING + LATE).replace("UART", "0x59303000"))
    process = start("-a", elf, *words(tmp_path), "-C", "mps3_board.telnetterminal0.mode=raw")
    port = terminal_port(process, 0)
    texts = [b"<%d>" % client + bytes([ESCAPE]) for client in range(6)] + [b"!"]
    for text in texts:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(text)
    process.communicate(timeout=60)
    assert (tmp_path / "out").read_bytes() == b"".join(texts)


@pytest.mark.parametrize("count", [1, 32, 34])
def test_a_file_shorter_than_any_buffer_arrives_though_the_program_listens_late(tmp_path, count):
    assert typed_from_a_file(tmp_path, LATE, TEXT[:count]) == TEXT[:count] + b"!"


SWITCHING = r"""
int main(void) {
  begin();
  for (int turn = 0;; turn++) {
    CONTROL = 3;
    for (int i = 0; i <= turn % 7; i++) move();
    CONTROL = 1;
    if (turn % 3) { wait(1000 * (turn % 5)); if (full()) move(); }
  }
}
"""


def test_a_receiver_that_is_switched_off_and_on_misses_nothing(tmp_path):
    text = TEXT[:400]
    assert typed_from_a_file(tmp_path, SWITCHING, text) == text + b"!"


RESETTING = r"""
int main(void) {
  volatile uint32_t *const boots = (void *)0x31000000;
  begin();
  wait(3000000);
  if (*boots < 5) {
    CONTROL = 3;
    for (uint32_t i = 0; i < *boots; i++) move();
    CONTROL = 1;
    if (full()) move(); /* what the receiver holds itself is gone with a reset */
    ++*boots;
    REG(0xE000ED0C) = 0x05FA0004;
    for (;;) { }
  }
  CONTROL = 3;
  for (;;) move();
}
"""


@pytest.mark.parametrize("count", [20, len(TEXT)])
def test_a_program_that_resets_the_machine_finds_the_rest_of_what_was_typed(tmp_path, count):
    assert typed_from_a_file(tmp_path, RESETTING, TEXT[:count]) == TEXT[:count] + b"!"
