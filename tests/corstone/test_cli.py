"""The command line from outside: exit status, messages, and what must not stay behind."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import interruptible
import pytest
from guest import build_guest
from simulator import COMMAND, UART_TO_STDOUT, simulate
from started import alive, children, qemus

from deploy.corstone.cli import run
from deploy.hardware.npus import npu_named
from deploy.targets.runner_firmware import runner_path

FOREVER = 'int main(void) { print("running\\n"); REG(NPU + 8) = 0xc; for (;;) { } }'


@pytest.fixture
def forever(tmp_path):
    return build_guest(tmp_path, FOREVER)


def start(elf, *words):
    """Start a simulation and wait until its program runs."""
    command = [*COMMAND, "-a", str(elf), *UART_TO_STDOUT, *words]
    process = interruptible.started(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    line = b""
    while not line.startswith(b"running"):
        line = process.stdout.readline()
        assert line, process.stderr.read()
    return process


def test_the_version_says_that_it_is_not_arms(capsys):
    assert run(["--version"]) == 0
    assert re.fullmatch(
        r"Open Corstone-300 \S+ \(functional model on QEMU.*, not Arm's FVP\)\n"
        r"Fast Models \[11\.27\.42 \(followed by this open model, which has nothing of Arm's\)\]\n",
        capsys.readouterr().out,
    )


def test_help_and_listing_end_with_status_0(capsys):
    assert run(["--help"], program="FVP_Corstone_SSE-300_Ethos-U65") == 0
    assert "usage: FVP_Corstone_SSE-300_Ethos-U65" in capsys.readouterr().out
    assert run(["-l"], program="FVP_Corstone_SSE-300_Ethos-U65") == 0
    assert "ethosu.num_macs=0x100 " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Error: no application given"),
        (["-a", "missing.axf"], "Error: missing.axf: cannot be read"),
        (["--release", "newest", "-a", "x"], "Error: --release newest: not a release of Arm's FVPs"),
        (["-C", "no.such=1", "-a", "x"], "Error: unknown parameter 'no.such'"),
        (["-C", "ethosu.num_macs=100", "-a", "x"], "Error: parameter 'ethosu.num_macs' cannot be '100'"),
    ],
)
def test_what_a_user_gets_wrong_ends_with_status_2_and_a_message(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    assert capsys.readouterr().err.startswith(message)


def test_without_qemu_the_status_is_3_and_the_install_command_shown(capsys, tmp_path, monkeypatch):
    runner = runner_path(npu_named("U55-128"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["-a", str(runner)]) == 3
    assert "apt-get install qemu-system-arm" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        ("echo 'qemu-system-arm: unsupported machine type' >&2; exit 1", 3, "cannot be the open Corstone-300"),
        ("exit 1", 4, "QEMU ended before the machine started"),
    ],
)
def test_a_qemu_that_cannot_start_the_machine_is_told_apart(
    script, status, message, capsys, tmp_path, monkeypatch
):
    fake = tmp_path / "qemu-system-arm"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert run(["-q", "-a", str(runner_path(npu_named("U55-128")))]) == status
    assert message in capsys.readouterr().err


def test_a_qemu_that_is_too_old_is_refused(capsys, tmp_path, monkeypatch):
    fake = tmp_path / "qemu-system-arm"
    greeting = '{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 6}}}}'
    fake.write_text(
        "#!/usr/bin/python3\nimport re, socket, sys, time\n"
        "number = int(re.search(r'id=qmp,fd=(\\d+)', ' '.join(sys.argv)).group(1))\n"
        f"socket.socket(fileno=number).sendall(b'{greeting}\\r\\n')\ntime.sleep(60)\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert run(["-q", "-a", str(runner_path(npu_named("U55-128")))]) == 3
    assert "QEMU 6.2.0 is too old" in capsys.readouterr().err


@pytest.mark.system
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_qemu_too(forever, number, status):
    process = start(forever)
    started = children(process.pid)
    assert started
    process.send_signal(number)
    assert process.wait(10) == status
    assert not any(map(alive, started))
    assert b"Traceback" not in process.stderr.read()


@pytest.mark.system
def test_a_killed_simulator_leaves_no_qemu_behind(forever):
    process = start(forever)
    started = children(process.pid)
    assert started
    process.kill()
    process.wait(10)
    deadline = time.monotonic() + 5
    while any(map(alive, started)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(alive, started))


@pytest.mark.system
def test_a_qemu_killed_in_the_middle_ends_with_status_4_and_a_message(forever):
    process = start(forever)
    for pid in qemus(process.pid):
        os.kill(pid, signal.SIGKILL)
    assert process.wait(10) == 4
    assert b"Error: QEMU died while the simulation ran (killed by SIGKILL)" in process.stderr.read()


@pytest.mark.system
def test_a_qemu_that_hangs_ends_at_the_limit(forever):
    process = start(forever, "--timelimit", "3")
    (pid,) = qemus(process.pid)
    os.kill(pid, signal.SIGSTOP)
    assert process.wait(15) == 0
    assert not alive(pid)


@pytest.mark.system
def test_a_simulation_leaves_nothing_in_the_file_system(forever, tmp_path):
    private = tmp_path / "tmp"
    private.mkdir()
    done = simulate("-a", forever, "--timelimit", "0.5", env={**os.environ, "TMPDIR": str(private)}, cwd=private)
    assert done.status == 0
    assert list(private.iterdir()) == []


@pytest.mark.system
def test_the_stages_of_a_simulation_are_announced_as_scripts_expect(forever):
    done = simulate("-a", forever, "--timelimit", "0.5", "--stat", "-C", "ethosu.num_macs=64")
    lines = done.output.splitlines()
    assert any(re.match(r"Open Corstone-300 .*functional model on QEMU \d", line) for line in lines)
    assert "Info: FVP_MPS3_Corstone_SSE_300: Creating Ethos-U55 with config H64" in lines
    assert "Info: /OSCI/SystemC: Simulation stopped by user." in lines
    assert re.search(r"^--- FVP_MPS3_Corstone_SSE_300 statistics: -+$", done.output, re.MULTILINE)
    for name in ("Simulated time", "User time", "System time", "Wall time"):
        assert re.search(rf"^{name} +: \d+\.\d+s$", done.output, re.MULTILINE)
    assert re.search(r"^Performance index +: \d+\.\d+$", done.output, re.MULTILINE)
    # On the FVP an instruction takes a cycle of core_clk, here 1.024; scripts look for this line.
    simulated, count = (
        re.search(pattern, done.output, re.MULTILINE)[1]
        for pattern in (r"^Simulated time +: ([\d.]+)s$", r"^cpu0 +: +[\d.]+ MIPS \( *(\d+) Inst\)$")
    )
    assert int(count) == pytest.approx(float(simulated) * 25e6 / 1.024, rel=0.01)
    assert re.search(r"cpu0 instructions \(counted\) *: 1\.024 cycles each", done.output)


@pytest.mark.system
def test_that_the_npu_model_is_not_compiled_is_said_once(forever):
    program = (
        "from deploy.npu.core import library\n"
        "library.native = lambda: None\n"
        "from deploy.corstone.cli import main\n"
        "main()\n"
    )
    words = [sys.executable, "-c", program, "-a", str(forever), "--timelimit", "0.5"]
    said = [
        subprocess.run([*words, *more], capture_output=True, text=True, timeout=60, check=False).stdout
        for more in ([], ["-q"])
    ]
    assert [text.count("the NPU model is slow") for text in said] == [1, 0]
    assert "apt-get install gcc" in said[0]


@pytest.mark.system
def test_uart_output_goes_to_a_file_and_tags_end_the_simulation(tmp_path):
    elf = build_guest(tmp_path, 'int main(void) { print("one\\nEXITTHESIM\\ntwo"); for (;;) { } }')
    uart = tmp_path / "uart.txt"
    done = simulate(
        "-q",
        *("-a", elf, "--timelimit", "20", "-C", f"mps3_board.uart0.out_file={uart}"),
        *("-C", "mps3_board.uart0.shutdown_tag=EXITTHESIM"),
    )
    assert done.status == 0
    assert done.output == ""
    assert uart.read_bytes() == b"one\nEXITTHESIM"


@pytest.mark.system
def test_a_dump_that_cannot_be_written_ends_with_status_2(forever, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    done = simulate("-a", forever, "--timelimit", "0.3", "--dump", f"{place}@0x31000000,4")
    assert done.status == 2
    assert str(place) in done.errors
    assert not stat.S_ISREG(place.stat().st_mode)


@pytest.mark.system
def test_a_limit_that_is_reached_during_an_import_is_no_error_of_the_import(forever, monkeypatch, capfd):
    def importing(_options):
        try:
            time.sleep(0.6)
        except Exception as error:
            raise TypeError("reworded") from error

    monkeypatch.setattr("deploy.corstone.machine.machine_imports", importing)
    assert run(["-a", str(forever), "--timelimit", "0.3", "-C", "mps3_board.uart0.out_file=-"]) == 0
    assert "CPU time has been exceeded" in capfd.readouterr().out


@pytest.mark.system
def test_several_machines_run_side_by_side_without_getting_mixed_up(tmp_path):
    elf = build_guest(
        tmp_path,
        "int main(void) { for (int i = 0; i < 4; i++) { REG(NPU + 0x80) = REG(0x60000000) + i; "
        'print("v "); hex(REG(NPU + 0x80)); } REG(0x31000000) = REG(0x60000000); return 0; }',
    )

    def one(number):
        data, dump = tmp_path / f"in{number}", tmp_path / f"out{number}"
        data.write_bytes(number.to_bytes(4, "little"))
        words = ["--data", f"{data}@0x60000000", "--dump", f"{dump}@0x31000000,4", "--timelimit", "60"]
        done = simulate("-q", "-a", elf, *UART_TO_STDOUT, *words, limit_s=120)
        return done.status, int.from_bytes(dump.read_bytes(), "little"), done.output.count("v ")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(1, 9))) == [(0, number, 4) for number in range(1, 9)]


@pytest.mark.system
def test_unusual_paths_are_just_paths(tmp_path):
    folder = tmp_path / "Zürich, 100 %=@home" / ("long" * 50)
    folder.mkdir(parents=True)
    elf = build_guest(folder, "int main(void) { REG(0x31000000) = REG(0x60000000) + 1; return 0; }", "a,b=c@d é")
    (folder / "i@0x1,2.bin").write_bytes(b"\x29\0\0\0")
    words = ["-a", f"cpu0={elf}", "--data", f"{folder}/i@0x1,2.bin@0x60000000"]
    words += ["--dump", f"cpu0={folder}/o@Memory:0x2,3@Memory:0x31000000,4"]
    done = simulate(*words, *UART_TO_STDOUT[2:], "-C", f"mps3_board.uart0.out_file={folder}/u,v.txt")
    assert done.status == 0, done.errors
    assert (folder / "o@Memory:0x2,3").read_bytes() == b"\x2a\0\0\0"
    assert (folder / "u,v.txt").read_bytes() == b"\x04"


@pytest.mark.parametrize("option", ["-a", "--data", "--dump", "-f"])
def test_a_name_that_no_file_system_takes_is_refused(option, capsys):
    suffix = {"--data": "@0x60000000", "--dump": "@0x60000000,4"}.get(option, "")
    assert run([option, "x" * 5000 + "/y" + suffix]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.system
@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("300-*-executorch-ethos-U55", UART_TO_STDOUT),
        pytest.param(
            "320-*-executorch-ethos-U85",
            ["--board", "corstone-320", *(word.replace("mps3", "mps4") for word in UART_TO_STDOUT)],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_arms_executorch_runner_boots_to_its_own_message(which, words):
    applications = runner_path(npu_named("U55-128")).parent.parent
    (runner,) = applications.glob(f"inference_runner-sse-{which}-*/mlek_inference_runner.axf")
    done = simulate("-a", runner, *words, "--timelimit", 60)
    assert done.status == 0
    assert "Ethos-U device initialised" in done.output
    assert "Program loading failed" in done.output


@pytest.mark.system
def test_a_reader_that_goes_away_ends_the_simulation(tmp_path):
    elf = build_guest(tmp_path, 'int main(void) { for (;;) print("more and more output\\n"); }')
    command = [*COMMAND, "-a", str(elf), *UART_TO_STDOUT, "--timelimit", "30"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10000)
    process.stdout.close()
    assert process.wait(10) == 4
    errors = process.stderr.read()
    assert b"Traceback" not in errors
    assert b"UART output cannot be written" in errors
