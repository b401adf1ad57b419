"""Faults of run-fvp: the simulator, QEMU, the firmware, UART0, the memory dump, inputs, and interruptions.

The simulator is a script around the real open Corstone-300: what runs in it is real, and so is what goes wrong.
"""

from __future__ import annotations

import json
import signal
import struct
from collections.abc import Callable

import numpy as np

from deploy.targets import runner_process

from .building import command_stream_at, cut, forged
from .sandbox import FVP_NAME, Sandbox, command_line
from .table import INTERRUPTED, TERMINATED, Stage

run = Stage("run-fvp")
RUN = ["run-fvp", "build/tiny", "-q"]


def simulated(
    what: str, body: str, *says: str, status: int = 4, words: tuple[str, ...] = (), **options: object
) -> None:
    """A fault of the simulator: a script instead of it. What gives no answer is asked for one only."""
    if status == 4 and not words:
        words = ("--count", "1")

    def inject(s: Sandbox) -> list[str]:
        s.patch(runner_process, "_GRACE_S", 1)
        return [*RUN, "--fvp", str(s.fvp(body)), *words]

    run.add(what, status, *says, inject=inject, **options)


EDIT = (
    'open "$@"; status=$?; '
    'python3 -c \'import re,sys; p=sys.argv[1]; d=open(p,"rb").read(); {}; open(p,"wb").write(d)\''
)

# -- the simulator --
simulated("the simulator ends with status 0 and says nothing", "exit 0", "EOT")
simulated("the simulator ends with status 3", "exit 3", "exit status 3")
simulated("the simulator crashes", "ulimit -c 0; kill -SEGV $$", "killed by signal 11")
simulated(
    "the simulator is killed in the middle",
    '"${machine[@]}" "$@" & for _ in $(seq 200); do pgrep -P $! qemu >/dev/null && break; sleep 0.02; done; '
    "kill -9 $!; kill -9 $$",
    "killed by signal 9",
)
simulated(
    "QEMU is killed while it starts",
    '"${machine[@]}" "$@" & for _ in $(seq 200); do pkill -9 -P $! qemu && break; sleep 0.02; done; wait $!',
    "the simulator ended with",
)


def endless(s: Sandbox) -> str:
    """Bash that puts the words of a run, with firmware that never answers, into the array ``a``."""
    s.write("f.elf", elf(40, FOREVER))
    return f'a=("$@"); for i in ${{!a[@]}}; do [ "${{a[$i]}}" = -a ] && a[$((i+1))]={s.folder}/f.elf; done'


@run("QEMU is killed in the middle", 4, "the simulator ended with", "killed by SIGKILL")
def _(s: Sandbox) -> list[str]:
    seen = "for _ in $(seq 500); do pgrep -P $! qemu >/dev/null && break; sleep 0.02; done"
    kill = f"{seen}; sleep 0.7; pkill -9 -P $! qemu"
    return [*RUN, "--fvp", str(s.fvp(f'{endless(s)}; "${{machine[@]}}" "${{a[@]}}" & {kill}; wait $!'))]


simulated(
    "the simulator hangs before the boot",
    "exec sleep 300",
    "no answer within 1 s",
    words=("--timeout", "1"),
    slow=True,
)
simulated(
    "the simulator hangs and ignores SIGTERM",
    "trap '' TERM; while :; do sleep 1; done",
    "no answer within 1 s",
    words=("--timeout", "1"),
    slow=True,
)
simulated(
    "the clock limit comes before the answer, with status 0",
    'echo "Info: Simulation is stopping. Reason: CPU time has been exceeded."; exit 0',
    "no answer within",
)
simulated("the simulator fails after a whole answer", 'open "$@"; exit 5', "exit status 5")
simulated(
    "a whole answer but for the simulator's licence", 'echo "license checkout failed"; exit 1', "exit status 1"
)
simulated("the simulator leaves a child behind and no answer", "sleep 300 & exit 0", "EOT")
simulated("the simulator writes without end", "yes", "no answer within 1 s", words=("--timeout", "1"), slow=True)
simulated(
    "another NPU size than the model's", 'open "${@/num_macs=128/num_macs=256}"', "without copying any output"
)
simulated(
    "only one of several machines fails",
    'case $$ in *[05]) exit 9;; esac; [ -e "$TMPDIR/../x" ] && exit 9; touch "$TMPDIR/../x"; open "$@"',
    "exit status 9",
    words=("--count", "3", "--jobs", "2"),
)

# -- UART0 --
simulated("UART0 is silent", 'open "$@"; : > "$uart"', "EOT")
simulated("UART0 is not written at all", 'open "$@"; rm "$uart"', "EOT")
simulated("UART0 is garbage", 'open "$@"; head -c 100000 /dev/urandom | tr -d "\\004" > "$uart"', "EOT")
simulated(
    "UART0 is garbage that ends with EOT",
    'open "$@"; { head -c 10000 /dev/urandom; printf "\\004"; } > "$uart"',
    "without copying any output",
)
simulated("UART0 holds nothing but EOT", 'open "$@"; printf "\\004" > "$uart"', "without copying any output")
simulated("UART0 is cut before EOT", 'open "$@"; truncate -s -1 "$uart"', "EOT")
simulated("UART0 talks without end", 'open "$@"; yes | head -c 9000000 > "$uart"', "EOT")
simulated(
    "the firmware copied fewer bytes than the outputs have",
    EDIT.format('d=d.replace(b"worth 8 bytes",b"worth 4 bytes")') + ' "$uart"; exit $status',
    "the model's outputs are 8 bytes",
)
simulated(
    "the firmware copied its outputs elsewhere",
    EDIT.format('d=d.replace(b"0x93000000",b"0x94000000")') + ' "$uart"; exit $status',
    "0x94000000",
)
simulated(
    "the NPU did nothing",
    EDIT.format('d=re.sub(rb"<metrics>.*</metrics>",b"",d,flags=re.S)') + ' "$uart"; exit $status',
    "the NPU did nothing",
)
simulated(
    "the counters are garbage",
    EDIT.format('d=re.sub(rb"<metrics>.*</metrics>",b"<metrics>AAAA</metrics>",d,flags=re.S)')
    + ' "$uart"; exit $status',
    "the NPU did nothing",
)

# -- the memory dump --
simulated("the dump was not written", 'open "$@"; rm "$dump"', "was not written")
simulated("the dump is empty", 'open "$@"; : > "$dump"', "memory dump has 0 bytes")
simulated("the dump is partial", 'open "$@"; truncate -s -1 "$dump"', "memory dump has 7 bytes")
simulated("the dump is too long", 'open "$@"; echo more >> "$dump"', "memory dump has")
simulated("the dump is a folder", 'open "$@"; rm "$dump"; mkdir "$dump"', "memory dump has 0 bytes")
simulated(
    "the dump is memory that nobody wrote", 'open "$@"; cp "$preload" "$dump"', "still holds what it held before"
)
simulated(
    "one bit of the dump is flipped",
    EDIT.format("d=bytes([d[0]^64])+d[1:]") + ' "$dump"; exit $status',
    "FAIL",
    "beyond the tolerance",
    status=1,
)
simulated("the dump is zeros", 'open "$@"; head -c 8 /dev/zero > "$dump"', "FAIL", status=1)

# -- which simulator --


def named(what: str, says: str, prepare: str, status: int = 3, **options: object) -> None:
    """A program is named that is no simulator, by the script that it is."""

    def inject(s: Sandbox) -> list[str]:
        return [*RUN, "--fvp", str(s.program(FVP_NAME, prepare, on_path=False))]

    run.add(what, status, says, inject=inject, **options)


named("the named program is no simulator", "not a Corstone simulator", 'echo "hello"')
named("the named program says nothing", "it says nothing", "exit 0")
named(
    "a shared library is missing",
    "a shared library is missing: libx.so.1",
    'echo "error while loading shared libraries: libx.so.1: cannot open" >&2; exit 127',
)
named("a licence is needed", "needs a licence", 'echo "License checkout failed: no license file"; exit 1')
run.add("the simulator is missing", 3, "no such simulator", inject=lambda _: [*RUN, "--fvp", "none/FVP"])
run.add(
    "DEPLOY_FVP names nothing",
    3,
    "no such simulator",
    inject=lambda s: s.environment.update(DEPLOY_FVP="none") or RUN,
)


@run("the simulator may not be executed", 3, "not executable", process={})
def _(s: Sandbox) -> list[str]:
    path = s.fvp("exit 0")
    path.chmod(0o600)
    return [*RUN, "--fvp", str(path)]


@run("the simulator is built for another machine", 3, "wrong architecture")
def _(s: Sandbox) -> list[str]:
    path = s.write(FVP_NAME, b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, 243) + bytes(44))
    path.chmod(0o755)
    return [*RUN, "--fvp", str(path)]


@run("the simulator is of another NPU", 2, "models an Ethos-U65")
def _(s: Sandbox) -> list[str]:
    path = s.program("FVP_Corstone_SSE-300_Ethos-U65", "exit 0", on_path=False)
    return [*RUN, "--fvp", str(path)]


@run("the simulator hangs when asked for its version", 3, "does not start")
def _(s: Sandbox) -> list[str]:
    from deploy.simulators import fvp_locate

    s.patch(fvp_locate, "_VERSION_TIMEOUT_S", 1)
    fake = s.program(FVP_NAME, "exec sleep 300", on_path=False)
    return [*RUN, "--fvp", str(fake)]


@run("Docker is missing", 3, "docker is not installed")
def _(s: Sandbox) -> list[str]:
    s.environment["PATH"] = str(s.bin)
    return [*RUN, "--fvp", "docker:fvp"]


@run("Docker's daemon does not run", 3, "Docker cannot run it")
def _(s: Sandbox) -> list[str]:
    s.program("docker", 'echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock." >&2; exit 1')
    return [*RUN, "--fvp", "docker:fvp"]


# -- QEMU --


def qemu(what: str, says: str, body: str, status: int = 3) -> None:
    def inject(s: Sandbox) -> list[str]:
        s.program("qemu-system-arm", body)
        return [*RUN, "--fvp", "open"]

    run.add(what, status, says, inject=inject)


qemu("QEMU is too old", "7.1", 'echo "QEMU emulator version 7.1.0"')
qemu("QEMU does not start", "qemu-system-arm", "exit 127")
qemu(
    "QEMU lacks the machine",
    "this QEMU cannot be the open Corstone-300",
    '[ "$1" = --version ] && { echo "QEMU emulator version 9.0.0"; exit 0; }; '
    'echo "qemu-system-arm: unsupported machine type" >&2; exit 1',
)
qemu(
    "QEMU ends at once with status 0",
    "QEMU ended before the machine started",
    '[ "$1" = --version ] && echo "QEMU emulator version 9.0.0"; exit 0',
    status=4,
)


@run("QEMU is missing", 3, "apt-get install qemu-system-arm")
def _(s: Sandbox) -> list[str]:
    s.environment["PATH"] = str(s.bin)
    return [*RUN, "--fvp", "open"]


# -- firmware --


def elf(machine: int, code: bytes) -> bytes:
    """An ELF with one segment at address 0: a vector table that starts at ``code``."""
    image = struct.pack("<II", 0x3000_1000, 9) + code
    header = (
        b"\x7fELF\x01\x01\x01"
        + bytes(9)
        + struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, 9, 52, 0, 0x5000200, 52, 32, 1, 40, 0, 0)
    )
    return header + struct.pack("<IIIIIIII", 1, 84, 0, 0, len(image), len(image), 7, 4) + image


def booted(what: str, content: bytes, *says: str, status: int = 4, **options: object) -> None:
    def inject(s: Sandbox) -> list[str]:
        s.write("f.elf", content)
        return [*RUN, "--fvp", "open", "--firmware", "f.elf", "--timeout", "2"]

    run.add(what, status, *says, inject=inject, **options)


FOREVER, UNDEFINED, RETURN = b"\xfe\xe7", b"\x00\xde", b"\x70\x47"
booted("the firmware is empty", b"", "f.elf: not an ELF file", status=2)
booted("the firmware is no ELF", b"#!/bin/sh\n" * 50, "f.elf: not an ELF file", status=2)
booted("the firmware is cut short", elf(40, FOREVER)[:60], "f.elf: broken ELF file", status=2)
booted("the firmware is for another processor", elf(62, FOREVER), "f.elf: built for x86-64", status=2)
booted("the firmware never says anything", elf(40, FOREVER), "no hello within", slow=True)
booted("the firmware faults at once and locks up", elf(40, UNDEFINED), "faulted in its fault handler", slow=True)
run.add(
    "the firmware is missing",
    2,
    "no such file",
    inject=lambda _: [*RUN, "--fvp", "open", "--firmware", "none.elf"],
)


@run("Arm's runner is not installed", 3, "pip install mlia-ethos-u")
def _(s: Sandbox) -> list[str]:
    from deploy.targets import runner_firmware

    class Nowhere:
        @staticmethod
        def find_spec(_name: str) -> None:
            return None

    s.patch(runner_firmware.importlib, "util", Nowhere)
    return [*RUN, "--fvp", "open"]


# -- the build --
run.add("the build folder is missing", 2, "none: not a build folder", inject=lambda _: ["run-fvp", "none"])
run.add("no build was named, none was compiled", 2, "no build folder was named", inject=lambda _: ["run-fvp"])


@run("the last build's note is damaged", 2, "no build folder was named")
def _(s: Sandbox) -> list[str]:
    s.write("build/.last-build.json", "{]")
    return ["run-fvp"]


@run("the command stream is damaged, hash and all", 4, "input 0")
def _(s: Sandbox) -> list[str]:
    content = bytearray((s.build / "model_vela.tflite").read_bytes())
    start = command_stream_at(content) + 48
    content[start : start + 64] = b"\xff" * 64
    forged(s, bytes(content))
    return [*RUN, "--fvp", "open", "--timeout", "10"]


@run("the arena is larger than the firmware's", 2, "tensor arena", "Arm's runner has 2097152")
def _(s: Sandbox) -> list[str]:
    path = s.build / "compile.json"
    document = json.loads(path.read_text())
    for figure in document["figures"]:
        if figure["name"] == "sram_peak":
            figure["value"] = 3 << 20
    path.write_text(json.dumps(document))
    return [*RUN, "--fvp", "open"]


@run("the build is for a memory mode that the firmware is not built for", 2, "memory mode Dedicated_Sram")
def _(s: Sandbox) -> list[str]:
    path = s.build / "compile.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "memory_mode": "Dedicated_Sram"}))
    return [*RUN, "--fvp", "open"]


@run("the build is for an NPU that does not exist", 2, "U55-77: no such NPU")
def _(s: Sandbox) -> list[str]:
    path = s.build / "compile.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "npu": "U55-77"}))
    return RUN


# -- inputs and labels --


def fed(what: str, says: str, words: tuple[str, ...] = (), **arrays: np.ndarray) -> None:
    def inject(s: Sandbox) -> list[str]:
        np.savez(s.folder / "x.npz", **arrays)
        return [*RUN, "--fvp", "open", "--inputs", "x.npz", *words]

    run.add(what, 2, "x.npz", says, inject=inject)


PIXELS = np.zeros((2, 16, 16, 1), np.uint8)
fed("inputs of another shape", "has shape", image=PIXELS[:, :9])
fed("inputs of another type", "is int16", image=PIXELS.astype(np.int16))
fed("inputs for another model", "no array named image", a=PIXELS, b=PIXELS)
fed("no samples in the inputs", "no samples in it", image=PIXELS[:0])
fed("fewer samples than asked for", "holds 2 samples", ("--count", "5"), image=PIXELS)
fed("pickled objects as inputs", "it holds Python objects", image=np.array([{"a": 1}], dtype=object))
run.add(
    "the inputs are missing",
    2,
    "none.npz: no such file or folder",
    inject=lambda _: [*RUN, "--fvp", "open", "--inputs", "none.npz"],
)


@run("the inputs are cut short", 2, "x.npz")
def _(s: Sandbox) -> list[str]:
    np.savez(s.folder / "x.npz", image=PIXELS)
    cut(s.folder / "x.npz")
    return [*RUN, "--fvp", "open", "--inputs", "x.npz"]


def labelled(what: str, says: str, text: str) -> None:
    def inject(s: Sandbox) -> list[str]:
        s.write("labels.json", text)
        return [*RUN, "--fvp", "open", "--labels", "labels.json"]

    run.add(what, 2, "labels.json", says, inject=inject)


labelled("the labels are no JSON", "Invalid JSON", "{")
labelled("labels for an output that does not exist", "no output colour", '{"colour": {"classes": ["red"]}}')

# -- documents --
run.add(
    "the verdict's place is a folder",
    2,
    "build: cannot be written",
    inject=lambda _: [*RUN, "--fvp", "open", "--json", "build"],
)
run.add(
    "the JUnit file's name is too long",
    2,
    "File name too long",
    inject=lambda _: [*RUN, "--fvp", "open", "--junit", "j" * 300],
)


@run("the output cannot be written: its disk is full", 2, "No space left", process={"stdout": "/dev/full"})
def _(_s: Sandbox) -> list[str]:
    return [*RUN, "--fvp", "open"]


@run("the disk of the temporary files is full", 2, "No space left", process={"disk_bytes": 8 * 1024})
def _(s: Sandbox) -> list[str]:
    np.savez(s.folder / "x.npz", image=np.zeros((60, 16, 16, 1), np.uint8))
    # A simulator of one's own is handed files; the open machine within this process takes none.
    return [*RUN, "--fvp", str(s.fvp('exec "${machine[@]}" "${a[@]}"')), "--inputs", "x.npz", "--jobs", "2"]


@run("the build folder may not be read", 2, "build/tiny", process={})
def _(s: Sandbox) -> list[str]:
    s.build.chmod(0)
    return [*RUN, "--fvp", "open"]


# -- interruptions, while QEMU runs --


def qemu_runs(s: Sandbox) -> bool:
    return s.sees("qemu-system-arm", "-M") or s.sees("qemu-system-arm", "mps3")


def hanging(s: Sandbox) -> list[str]:
    """Two machines that boot and never answer."""
    return [
        *RUN,
        "--fvp",
        str(s.fvp(f'{endless(s)}; exec "${{machine[@]}}" "${{a[@]}}"')),
        "--count",
        "2",
        "--jobs",
        "2",
    ]


for text, number, expected, says, killed in (
    ("Ctrl-C while two machines run", signal.SIGINT, INTERRUPTED, "interrupted", False),
    ("ended by SIGTERM while two machines run", signal.SIGTERM, TERMINATED, "ended by SIGTERM", False),
    ("killed outright while two machines run", signal.SIGKILL, -9, "", True),
):
    run.add(text, expected, says, inject=hanging, process={"send": number, "when": qemu_runs}, killed=killed)


def two_run() -> Callable[[Sandbox], bool]:
    """Whether two QEMUs have run for some looks: a child is known to its guard milliseconds after its start."""
    looks = 0

    def when(s: Sandbox) -> bool:
        nonlocal looks
        machines = [
            line for line in map(command_line, s.processes_of_case()) if "qemu-system-arm" in line.split(" ")[0]
        ]
        looks = looks + 1 if len(machines) >= 2 else 0
        return looks > 10

    return when


def many(_s: Sandbox) -> list[str]:
    """Two machines within the command's own process, for longer than it takes to end it."""
    return [*RUN, "--fvp", "open", "--count", "5000", "--jobs", "2", "--firmware", "runner"]


for text, number, expected, says, killed in (
    ("Ctrl-C while two of its own machines run", signal.SIGINT, INTERRUPTED, "interrupted", False),
    ("ended by SIGTERM while two of its own machines run", signal.SIGTERM, TERMINATED, "ended by SIGTERM", False),
    ("killed outright while two of its own machines run", signal.SIGKILL, -9, "", True),
):
    run.add(text, expected, says, inject=many, process={"send": number, "when": two_run()}, killed=killed)


@run(
    "Ctrl-C while firmware is fed over its terminal",
    INTERRUPTED,
    "interrupted",
    process={"send": signal.SIGINT, "when": qemu_runs},
)
def _(s: Sandbox) -> list[str]:
    s.write("f.elf", elf(40, FOREVER))
    return [*RUN, "--fvp", "open", "--firmware", "f.elf"]
