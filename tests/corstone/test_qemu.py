from pathlib import Path

import pytest

from deploy.corstone.qemu import Channels, check_version, command_line, find_qemu, locate_qemu
from deploy.corstone.stand_in import stand_in
from deploy.corstone.uart import ESCAPE
from deploy.errors import NotInstalledError

CHANNELS = Channels(3, 4, 5, {1: 6, 5: 7}, "/proc/self/fd/9")


def test_the_command_line_holds_the_machine_stopped_and_its_channels_only():
    words = command_line(Path("/usr/bin/qemu-system-arm"), stand_in(), [Path("/x/a.axf")], CHANNELS)
    text = " ".join(words)
    assert words[0] == "/usr/bin/qemu-system-arm"
    assert "-S" in words
    assert "mps3-an547,memory-backend=ddr" in words
    assert "mem-path=/proc/self/fd/9,share=on" in text
    assert "socket,id=gdb,fd=3" in text
    assert "tcp" not in text
    assert "-semihosting-config" not in words


def test_uarts_are_connected_by_their_number_and_the_others_lead_nowhere():
    words = command_line(Path("qemu"), stand_in(), [Path("a")], CHANNELS)
    serials = [words[i + 1] for i, word in enumerate(words) if word == "-serial"]
    assert serials == ["chardev:uart0", "chardev:uart1", "null", "null", "null", "chardev:uart5"]


def test_every_uart_has_its_input_at_hand_in_a_multiplexer_whose_escape_is_the_one_that_is_doubled():
    words = command_line(Path("qemu"), stand_in(), [Path("a")], CHANNELS)
    uarts = [word for word in words if "id=uart" in word]
    assert len(uarts) == 3
    assert all(word.endswith(",mux=on") for word in uarts)
    assert int(words[words.index("-echr") + 1], 0) == ESCAPE


def test_semihosting_never_lets_qemu_open_a_file():
    words = command_line(Path("qemu"), stand_in(), [Path("a")], CHANNELS, semihosting=True)
    assert words[-2:] == ["-semihosting-config", "enable=on,target=gdb"]
    assert "stdio,id=uart0" in " ".join(words)


def test_commas_in_names_do_not_become_options():
    words = command_line(Path("qemu"), stand_in(), [Path("a.axf"), Path("b,x=y.axf")], CHANNELS)
    assert "loader,file=b,,x=y.axf" in words


@pytest.mark.parametrize("version", ["7.1.0", "2.5", "6.2.0"])
def test_an_old_qemu_is_refused(version):
    with pytest.raises(NotInstalledError, match=f"QEMU {version} is too old"):
        check_version(version)


@pytest.mark.parametrize("version", ["7.2.22", "10.0.13", "8.0"])
def test_newer_ones_are_fine(version):
    check_version(version)


def test_without_qemu_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalledError) as caught:
        locate_qemu()
    assert any("apt-get install qemu-system-arm" in hint for hint in caught.value.hints)


def test_a_program_that_is_no_qemu_is_refused(tmp_path, monkeypatch):
    fake = tmp_path / "qemu-system-arm"
    fake.write_text("#!/bin/sh\necho hello\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(NotInstalledError, match="does not say which version"):
        find_qemu()
