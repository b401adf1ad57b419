"""Programs with a C library on the machine: their memory, files, input and end, all by semihosting."""

import os
import socket
import subprocess
import time

import pytest
from guest import build_guest
from hosted import LIBRARIES, build_hosted
from simulator import COMMAND, simulate

pytestmark = pytest.mark.system

ENABLED = ["-C", "cpu0.semihosting-enable=1"]

FILES = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
  int ok = 1;
  char *memory = malloc(100000);
  if (!memory) { printf("no memory\n"); return 3; }
  memset(memory, 'm', 100000);
  FILE *file = fopen("made.txt", "w");
  if (!file) { printf("no file\n"); return 4; }
  ok &= fwrite(memory, 1, 100000, file) == 100000;
  ok &= fprintf(file, "%d\n", 42) == 3;
  fclose(file);
  file = fopen("made.txt", "r");
  ok &= fseek(file, -3, SEEK_END) == 0;
  int number = 0;
  ok &= fscanf(file, "%d", &number) == 1 && number == 42;
  fclose(file);
  free(memory);
  ok &= fopen("absent/made.txt", "w") == NULL;
  printf("ok %d\n", ok);
  return ok ? 0 : 5;
}
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_programs_with_a_c_library_allocate_and_use_files_unchanged(tmp_path, library):
    elf = build_hosted(tmp_path, FILES, library)
    folder = tmp_path / "files"
    folder.mkdir()
    done = simulate("-q", "-a", elf, *ENABLED, "-C", f"cpu0.semihosting-cwd={folder}", "--timelimit", 60)
    assert done.output == "ok 1\n", done.errors
    assert done.status == 0
    assert (folder / "made.txt").read_text() == "m" * 100000 + "42\n"


def test_a_stripped_program_is_served_as_well(tmp_path):
    elf = build_hosted(tmp_path, FILES, stripped=True)
    done = simulate("-q", "-a", elf, *ENABLED, "-C", f"cpu0.semihosting-cwd={tmp_path}", "--timelimit", 60)
    assert (done.output, done.status) == ("ok 1\n", 0), done.errors


def test_a_program_is_told_its_command_line_and_its_exit_status_is_passed_on(tmp_path):
    source = r"""
    #include <stdio.h>
    int main(int argc, char **argv) {
      for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
      fprintf(stderr, "to the standard error\n");
      return 40 + argc;
    }"""
    elf = build_hosted(tmp_path, source)
    done = simulate("-q", "-a", elf, *ENABLED, "-C", "cpu0.semihosting-cmd_line=run one two", "--timelimit", 60)
    assert done.output == "[run][one][two]"
    assert done.errors == "to the standard error\n"
    assert done.status == 43


def test_the_standard_input_is_read_as_it_comes(tmp_path):
    source = r"""
    #include <stdio.h>
    int main(void) {
      char line[40];
      printf("name?\n"); fflush(stdout);
      while (fgets(line, sizeof line, stdin)) { printf("<%s>", line); fflush(stdout); }
      return 0;
    }"""
    elf = build_hosted(tmp_path, source)
    process = subprocess.Popen(
        [*COMMAND, "-q", "-a", elf, *ENABLED, "--timelimit", "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"name?\n"
    time.sleep(0.3)  # the program waits
    process.stdin.write(b"first\n")
    process.stdin.flush()
    assert process.stdout.read(8) == b"<first\n>"
    rest, _ = process.communicate(b"second\n", timeout=30)
    assert rest == b"<second\n>"
    assert process.returncode == 0


HEAP = r"""
int main(void) {
  uint32_t block[4] = { 1, 1, 1, 1 }, *pointer = block;
  host(0x16, &pointer);
  for (int i = 0; i < 4; i++) { print("word"); put('0' + i); put(' '); hex(block[i]); }
}
"""


def run_uart(elf, *words):
    uart = ["-C", "mps3_board.uart0.out_file=-", "-C", "mps3_board.uart0.shutdown_on_eot=1"]
    return simulate("-q", "-a", elf, *ENABLED, *uart, "--timelimit", 30, *words)


def test_heap_and_stack_are_what_the_parameters_say(tmp_path):
    elf = build_guest(tmp_path, HEAP)
    done = run_uart(elf)
    assert [done.value(f"word{i}") for i in range(4)] == [0, 0, 0x20008000, 0]
    values = {
        "heap_base": 0x21000000,
        "heap_limit": 0x21100000,
        "stack_base": 0x20070000,
        "stack_limit": 0x20060000,
    }
    words = [word for name, value in values.items() for word in ("-C", f"cpu0.semihosting-{name}={value:#x}")]
    done = run_uart(elf, *words)
    assert [done.value(f"word{i}") for i in range(4)] == list(values.values())
    # Public scripts say so to have the program use what its linker knew.
    done = run_uart(elf, "-C", "cpu0.semihosting-stack_base=0", "-C", "cpu0.semihosting-heap_limit=0")
    assert [done.value(f"word{i}") for i in range(4)] == [0, 0, 0, 0]


OPEN = r"""
static uint32_t open_file(const char *name, int mode) {
  int length = 0; while (name[length]) length++;
  struct { const char *name; int mode, length; } file = { name, mode, length };
  return host(0x01, &file);
}
"""


def test_a_path_that_leads_out_of_the_folder_is_refused_links_included(tmp_path):
    folder = tmp_path / "files"
    (folder / "sub").mkdir(parents=True)
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (folder / "plain.txt").write_text("plain")
    (folder / "link").symlink_to(secret)
    (folder / "up").symlink_to("..")
    (folder / "new").symlink_to(tmp_path / "made.txt")
    (folder / "loop").symlink_to("loop")
    (folder / "good").symlink_to("sub/../plain.txt")
    os.mkfifo(folder / "pipe")
    names = ["../secret.txt", str(secret), "link", "up/secret.txt", "sub/../../secret.txt", "loop", "pipe"]
    names += ["/dev/null", "/proc/self/environ", "sub/", "."]
    good = ["plain.txt", "./sub/../plain.txt", str(folder / "plain.txt"), "good"]
    calls = "".join(f'print("file "); hex(open_file("{name}", 0)); ' for name in [*names, *good])
    calls += 'print("made "); hex(open_file("new", 4)); '
    calls += r"""
      struct { const char *name; int length; } gone = { "../secret.txt", 13 };
      print("removed "); hex(host(0x0e, &gone));
      struct { const char *from; int length; const char *to; int size; } moved = { "plain.txt", 9, "../x", 4 };
      print("renamed "); hex(host(0x0f, &moved));
      struct { const char *command; int length; } system = { "touch x", 7 };
      print("system "); hex(host(0x12, &system)); print("error "); hex(host(0x13, 0)); """
    elf = build_guest(tmp_path, OPEN + "int main(void) { " + calls + " }")
    done = run_uart(elf, "-C", f"cpu0.semihosting-cwd={folder}")
    answers = [int(line.split()[1], 16) for line in done.output.splitlines() if line.startswith("file ")]
    assert answers == [0xFFFFFFFF] * len(names) + [1, 2, 3, 4]
    refused = ("made", "removed", "renamed", "system")
    assert {name: done.value(name) for name in refused} == dict.fromkeys(refused, 0xFFFFFFFF)
    assert done.value("error") == 1
    assert "'../secret.txt' is not a file below" in done.errors
    assert "touch x" in done.errors
    assert secret.read_text() == "secret"
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".txt") == ["secret.txt"]


def test_bad_arguments_are_answered_with_an_error_not_with_the_machines_end(tmp_path):
    source = (
        OPEN
        + r"""
    int main(void) {
      print("block "); hex(host(0x01, (void *)0xF0000000));
      struct { const char *name; int mode, length; } wild = { (const char *)0xF0000000, 0, 8 };
      print("name "); hex(host(0x01, &wild));
      struct { int handle; void *data; uint32_t size; } write = { 77, 0, 4 };
      print("handle "); hex(host(0x05, &write));
      print("mode "); hex(open_file("x", 99));
      struct { const char *name; int mode; uint32_t length; } huge = { "x", 0, 0xFFFFFFFF };
      print("huge "); hex(host(0x01, &huge));
      print("unknown "); hex(host(0x77, 0));
      uint32_t handle = open_file(":semihosting-features", 0);
      char magic[8] = { 0 };
      struct { int handle; void *data; uint32_t size; } read = { handle, magic, 8 };
      print("left "); hex(host(0x06, &read)); print("magic "); hex(*(uint32_t *)magic);
    }"""
    )
    done = run_uart(build_guest(tmp_path, source), "-C", f"cpu0.semihosting-cwd={tmp_path}")
    assert done.status == 0, done.errors
    bad = ("block", "name", "handle", "mode", "huge", "unknown")
    assert {name: done.value(name) for name in bad} == dict.fromkeys(bad, 0xFFFFFFFF)
    assert done.value("left") == 3
    assert done.value("magic") == int.from_bytes(b"SHFB", "little")


def test_what_is_printed_either_way_keeps_its_order_and_the_clock_goes_on(tmp_path):
    source = r"""
    int main(void) {
      for (int i = 0; i < 5; i++) { print("uart\n"); host(0x04, "host\n"); }
      uint32_t frequency = host(0x31, 0);
      uint64_t before, after;
      host(0x30, &before); for (volatile int i = 0; i < 100000; i++) { } host(0x30, &after);
      print("frequency "); hex(frequency); print("passed "); hex((uint32_t)(after - before));
    }"""
    done = run_uart(build_guest(tmp_path, source), "-C", "core_clk.mul=50000000")
    assert done.output.startswith("uart\nhost\n" * 5)
    assert done.value("frequency") == 50_000_000
    assert done.value("passed") > 100_000


def test_code_that_was_copied_where_nobody_knows_may_print_but_gets_no_file(tmp_path):
    source = (
        OPEN
        + r"""
    typedef int (*call)(int, const void *);
    int main(void) {
      static uint16_t copy[4] __attribute__((aligned(4)));
      copy[0] = 0xbea0 + 0xb; copy[1] = 0x4770; /* bkpt 0xab, bx lr */
      __asm volatile("dsb\nisb");
      call host_copy = (call)((uint32_t)copy | 1);
      host_copy(0x04, "printed\n");
      struct { const char *name; int mode, length; } file = { "made.txt", 4, 8 };
      print("handle "); hex(host_copy(0x01, &file));
      struct { uint32_t reason, code; } exit = { 0x20026, 7 };
      host_copy(0x20, &exit);
    }"""
    )
    done = run_uart(build_guest(tmp_path, source), "-C", f"cpu0.semihosting-cwd={tmp_path}")
    assert "printed\n" in done.output
    assert done.value("handle") == 0xFFFFFFFF
    assert "open is refused" in done.errors
    assert not (tmp_path / "made.txt").exists()
    assert done.status == 7


def test_a_folder_that_is_none_is_refused(tmp_path):
    elf = build_guest(tmp_path, HEAP)
    done = run_uart(elf, "-C", f"cpu0.semihosting-cwd={tmp_path}/absent")
    assert done.status == 2
    assert "there is no folder" in done.errors


def test_a_debugger_steps_over_a_call_as_over_any_instruction(tmp_path):
    from test_simulation import Client

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    source = r"""
    int main(void) {
      for (int i = 0; i < 3; i++) host(0x04, "printed\n");
      struct { uint32_t reason, code; } exit = { 0x20026, 9 };
      host(0x20, &exit);
    }"""
    words = ["-q", "-a", build_guest(tmp_path, source), *ENABLED, "--gdb", port, "--timelimit", 60]
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert b"waiting for a debugger" in process.stderr.readline()
    client = Client(port)
    client.ask(b"qXfer:features:read:target.xml:0,ffb")
    replies = [client.ask(b"vCont;s:p1.1;c")]
    while replies[-1].startswith(b"T05") and len(replies) < 100:
        replies.append(client.ask(b"vCont;s:p1.1;c"))
    assert len(replies) > 20
    assert replies[-1] == b"W09"
    client.socket.close()
    output, _ = process.communicate(timeout=20)
    assert output == b"printed\n" * 3
    assert process.returncode == 9
