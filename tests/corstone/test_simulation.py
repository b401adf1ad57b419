"""A running machine with somebody at the other end: terminals and debuggers."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from guest import build_guest
from simulator import COMMAND, start, terminal_port

from deploy.corstone.gdb_remote import packet
from deploy.corstone.messages import StopRequest
from deploy.corstone.simulation import _signals

pytestmark = pytest.mark.system

ECHO = r"""
static int get(uint32_t uart) { while (!(REG(uart + 4) & 2)) { } return REG(uart) & 255; }
int main(void) {
  const uint32_t uarts[] = { 0x59303000, 0x59304000, 0x59305000, 0x59308000 };
  for (int i = 0; i < 4; i++) { REG(uarts[i] + 16) = 16; REG(uarts[i] + 8) = 3; }
  for (int i = 0; i < 4; i++) {
    for (int c = 0; c != 'q';) { c = get(uarts[i]); while (REG(uarts[i] + 4) & 1) { } REG(uarts[i]) = c ^ 0x20; }
  }
}
"""


def test_the_four_terminals_carry_bytes_in_both_directions(tmp_path):
    words = ["-C", "mps3_board.uart0.shutdown_on_eot=1", "--timelimit", 30]
    for number in (0, 1, 2, 5):
        words += ["-C", f"mps3_board.telnetterminal{number}.mode=raw"]
    process = start("-a", build_guest(tmp_path, ECHO), *words)
    ports = {}
    while len(ports) < 4:
        line = process.stdout.readline().decode()
        assert line, process.stderr.read()
        if match := re.match(r"telnetterminal(\d): Listening for serial connection on port (\d+)", line):
            ports[int(match[1])] = int(match[2])
    assert sorted(ports) == [0, 1, 2, 5]
    assert len(set(ports.values())) == 4
    # Without what the program answers with EOT ($), and q, which makes it go on, at the end.
    text = bytes(byte for byte in range(256) if byte not in b"$q") + b"q"
    for number in (0, 1, 2, 5):
        with socket.create_connection(("127.0.0.1", ports[number]), timeout=20) as client:
            client.sendall(text)
            received = b""
            while len(received) < len(text):
                data = client.recv(1000)
                assert data
                received += data
            assert received == bytes(byte ^ 0x20 for byte in text)
    assert process.wait(20) == 0


ALL_UARTS = r"""
static int get(uint32_t uart) { while (!(REG(uart + 4) & 2)) { } return REG(uart) & 255; }
int main(void) {
  const uint32_t uarts[] = { 0x59303000, 0x59304000, 0x59305000, 0x59306000, 0x59307000, 0x59308000 };
  for (int i = 0; i < 6; i++) { REG(uarts[i] + 16) = 16; REG(uarts[i] + 8) = 3; }
  for (int i = 0; i < 6; i++)
    for (int c = 0; c != '.';) { c = get(uarts[i]); while (REG(uarts[i] + 4) & 1) { } REG(uarts[i]) = c; }
}
"""


def test_each_of_the_six_uarts_takes_its_input_from_a_file_and_writes_to_one(tmp_path):
    words = ["-C", "mps3_board.uart0.shutdown_on_eot=1", "--timelimit", 60]
    for number in range(6):
        (tmp_path / f"in{number}").write_text(f"{number}" * 500 + ".more")
        for name in ("in", "out"):
            words += ["-C", f"mps3_board.uart{number}.{name}_file={tmp_path}/{name}{number}"]
    process = start("-q", "-a", build_guest(tmp_path, ALL_UARTS), *words)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    for number in range(6):
        end = "\4" if number == 0 else ""
        assert (tmp_path / f"out{number}").read_text() == f"{number}" * 500 + "." + end


def test_input_comes_from_the_standard_input_and_then_from_the_terminal(tmp_path):
    source = ALL_UARTS.replace("i < 6", "i < 1").replace("c != '.'", "c != '!'")
    words = ["-C", "mps3_board.uart0.in_file=-", "-C", "mps3_board.uart0.shutdown_on_eot=1", "--timelimit", "60"]
    words += ["-C", "mps3_board.telnetterminal0.mode=raw", "-a", str(build_guest(tmp_path, source))]
    process = subprocess.Popen(
        [*COMMAND, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    port = terminal_port(process, 0)
    process.stdin.write(b"piped ")
    process.stdin.close()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"typed!")
        received = b""
        while b"!" not in received:
            data = client.recv(100)
            assert data, received
            received += data
    assert received.removesuffix(b"\4") == b"piped typed!"
    assert process.wait(30) == 0


COUNTING = r"""
volatile uint32_t *const place = (void *)0x20001000;
int main(void) {
  place[0] = 0;
  for (;;) { REG(NPU + 0x80) = place[0]; place[1] = REG(NPU + 0x80); place[0]++; }
}
"""


class Client:
    """A minimal debugger."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.received = b""

    def ask(self, content):
        self.socket.sendall(packet(content))
        return self.reply()

    def reply(self):
        while not (match := re.match(rb"\+*\$([^#]*)#..", self.received)):
            data = self.socket.recv(10000)
            assert data, "the simulator hung up"
            self.received += data
        self.received = self.received[match.end() :]
        self.socket.sendall(b"+")
        return match[1]

    def registers(self):
        raw = bytes.fromhex(self.ask(b"g").decode())
        return [int.from_bytes(raw[4 * n : 4 * n + 4], "little") for n in range(17)]

    def word(self, address):
        return int.from_bytes(bytes.fromhex(self.ask(b"m%x,4" % address).decode()), "little")

    def go(self):
        self.socket.sendall(packet(b"c"))

    def interrupt(self):
        self.socket.sendall(b"\x03")
        return self.reply()

    def go_until(self, address, least):
        """Let the program run until a word is so large, however busy this computer is; it stands still then."""
        deadline = time.monotonic() + 20
        while True:
            self.go()
            time.sleep(0.1)
            assert self.interrupt().startswith(b"T02")
            if (word := self.word(address)) >= least:
                return word
            assert time.monotonic() < deadline, "the program stands still"


@pytest.fixture
def debugged(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start("-q", "-a", build_guest(tmp_path, COUNTING), "--gdb", port, "--timelimit", 60)
    assert b"waiting for a debugger" in process.stderr.readline()
    yield process, port
    process.kill()
    process.communicate()


def test_a_debugger_steps_over_npu_accesses_as_over_any_instruction(debugged):
    process, port = debugged
    client = Client(port)
    client.ask(b"qSupported:multiprocess+;xmlRegisters=arm")
    client.ask(b"qXfer:features:read:target.xml:0,ffb")
    assert client.ask(b"?").startswith(b"T05")
    assert client.ask(b"Z4,20001000,4") == b"OK"
    assert b"watch:20001000" in client.ask(b"c")
    assert client.ask(b"z4,20001000,4") == b"OK"
    seen, accesses = set(), 0
    for _ in range(40):
        reply = client.ask(b"vCont;s:p1.1;c")
        assert reply.startswith(b"T05")
        assert b"watch" not in reply
        pc = client.registers()[15]
        seen.add(pc)
    assert 5 <= len(seen) <= 12
    first = client.word(0x20001000)
    assert first >= 2
    count = client.go_until(0x20001000, first + 11)
    copied = client.word(0x20001004)
    assert client.word(0x58102000) == client.word(0x48102000) == 0x10064001
    assert client.word(0x58102080) in (count, count - 1)
    assert copied in (count, count - 1)
    accesses = count
    # Another debugger finds the program going on where this one has left it.
    assert client.ask(b"D;1") == b"OK"
    client.socket.close()
    other = Client(port)
    other.ask(b"qXfer:features:read:target.xml:0,ffb")
    assert other.word(0x20001000) >= accesses
    other.ask(b"k")
    assert process.wait(10) == 0


def test_a_debugger_that_vanishes_takes_its_breakpoints_along(debugged):
    process, port = debugged
    client = Client(port)
    client.ask(b"Z4,20001000,4")
    assert b"watch" in client.ask(b"c")
    client.socket.close()
    other = Client(port)
    first = other.word(0x20001000)
    other.go_until(0x20001000, first + 6)
    assert process.poll() is None


def test_a_taken_debugger_port_is_refused(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        process = start("-a", build_guest(tmp_path, COUNTING), "--gdb", holder.getsockname()[1])
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert b"Error: --gdb" in errors


def test_a_signal_that_something_drops_ends_the_simulation_yet() -> None:
    def drop() -> None:
        with contextlib.suppress(Exception):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)

    with pytest.raises(StopRequest) as request, _signals():
        drop()
        time.sleep(10)
    assert request.value.status == 128 + signal.SIGTERM


def test_a_signal_does_not_come_again_while_the_first_one_is_tidied_up_after() -> None:
    tidied = False
    with pytest.raises(StopRequest), _signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        finally:
            time.sleep(0.7)
            tidied = True
    assert tidied
