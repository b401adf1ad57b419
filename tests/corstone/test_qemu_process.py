import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from started import alive

from deploy.corstone.qemu import locate_qemu
from deploy.corstone.qemu_process import QemuProcess
from deploy.corstone.stand_in import stand_in
from deploy.errors import NotInstalledError
from deploy.hardware.npus import npu_named
from deploy.targets.runner_firmware import runner_path

RUNNER = runner_path(npu_named("U55-128"))
HOLD = """
import sys, time
from pathlib import Path
from deploy.corstone import qemu, qemu_process, stand_in
from deploy.processes.guard import GUARD
process = qemu_process.QemuProcess(qemu.locate_qemu(), stand_in.stand_in(), [Path(sys.argv[1])])
process.wait_ready()
print(process.pid, GUARD._shell.pid, flush=True)
if sys.argv[2] == "end":
    process.end()
else:
    time.sleep(60)
"""


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_until_gone(pid):
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


@pytest.mark.system
def test_qemu_dies_with_its_parent():
    parent = subprocess.Popen([sys.executable, "-c", HOLD, RUNNER, "hold"], stdout=subprocess.PIPE)
    pid, shell = map(int, parent.stdout.readline().split())
    assert alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_until_gone(pid)
    assert wait_until_gone(shell)


@pytest.mark.system
def test_what_guards_qemu_ends_with_an_orderly_end():
    done = subprocess.run([sys.executable, "-c", HOLD, RUNNER, "end"], capture_output=True, timeout=30, check=True)
    pid, shell = map(int, done.stdout.split())
    assert wait_until_gone(pid)
    assert not alive(shell)


@pytest.mark.system
def test_nothing_stays_open_after_the_end():
    before = descriptors()
    with QemuProcess(locate_qemu(), stand_in(), [RUNNER], uarts=[1, 5]) as process:
        version = process.wait_ready()
        assert version[0].isdigit()
        assert descriptors() > before
    assert not alive(process.pid)
    assert descriptors() == before
    process.end()  # once more is harmless


def test_a_program_that_cannot_be_executed_is_refused(tmp_path):
    broken = tmp_path / "qemu-system-arm"
    broken.write_bytes(b"\x7fELF broken")
    broken.chmod(0o755)
    with pytest.raises(NotInstalledError, match="cannot be started"):
        QemuProcess(broken, stand_in(), [RUNNER])
