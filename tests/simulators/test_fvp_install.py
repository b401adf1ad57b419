"""Installing from a downloaded archive. Arm's own cannot be shipped: small scripts stand in."""

import gzip
import io
import stat
import tarfile
from pathlib import Path

import pytest

from deploy.cli.main import run

NAME = "FVP_Corstone_SSE-300.sh"
MODELS = "models/Linux64_GCC-9.3"
INSTALLER = f"""#!/bin/bash
[ "$1" = --i-agree-to-the-contained-eula ] && [ "$2" = --no-interactive ] || {{ echo "not agreed"; exit 1; }}
while [ $# -gt 0 ]; do [ "$1" = -d ] && d=$2; shift; done
[ -e "$d" ] && {{ echo "overwrite?"; exit 1; }}
mkdir -p "$d/{MODELS}"
for family in U55 U65; do
  f="$d/{MODELS}/FVP_Corstone_SSE-300_Ethos-$family"
  printf '#!/bin/sh\\necho "Fast Models [11.27.42 (Dec  9 2024)]"\\n' > "$f"; chmod +x "$f"
done
"""


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def download(in_folder: Path) -> Path:
    return archive(in_folder / "fvp.tgz", {f"./{NAME}": INSTALLER.encode(), "./license_terms/eula.txt": b"terms"})


def refused(capsys: pytest.CaptureFixture[str], words: list[str], status: int, message: str) -> None:
    assert run(["fvp", "install", *words]) == status
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_an_accepted_archive_is_installed_and_its_simulators_are_asked_for_their_version(
    download: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fvp", "install", str(download), "--into", "arm", "--accept-arm-licence"]) == 0
    out = capsys.readouterr().out
    assert "Corstone-300 with Ethos-U65" in out
    assert "Fast Models [11.27.42" in out
    assert (in_folder / "arm" / MODELS / "FVP_Corstone_SSE-300_Ethos-U55").stat().st_mode & stat.S_IXUSR
    assert sorted(path.name for path in in_folder.iterdir()) == ["arm", "fvp.tgz"]


def test_the_script_itself_can_be_named(in_folder: Path) -> None:
    (in_folder / NAME).write_text(INSTALLER)
    assert run(["fvp", "install", NAME, "--into", "arm", "--accept-arm-licence"]) == 0


def test_without_the_users_acceptance_nothing_is_installed(
    download: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, [str(download), "--into", "arm"], 2, "licence for the FVP was not accepted")
    assert not (in_folder / "arm").exists()


@pytest.mark.parametrize(("typed", "installed"), [("I accept", True), ("yes", False), ("", False)])
def test_at_a_terminal_the_user_is_asked_and_only_the_words_count(
    download: Path, in_folder: Path, monkeypatch: pytest.MonkeyPatch, typed: str, installed: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(typed + "\n"))
    assert run(["fvp", "install", str(download), "--into", "arm"]) == (0 if installed else 2)
    assert (in_folder / "arm").exists() is installed


def test_by_default_it_goes_where_it_is_found_later(
    download: Path, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deploy.hardware.npus import npu_named
    from deploy.simulators import fvp_locate

    monkeypatch.setenv("HOME", str(in_folder))
    monkeypatch.delenv(fvp_locate.FVP_VARIABLE, raising=False)
    assert run(["fvp", "install", str(download), "--accept-arm-licence"]) == 0
    found = fvp_locate.find(npu_named("U65-256"))
    assert found.kind == "arm"
    assert found.command == (str(in_folder / "FVP_Corstone_SSE-300" / MODELS / "FVP_Corstone_SSE-300_Ethos-U65"),)


def test_a_member_with_a_path_goes_nowhere_but_into_the_private_folder(
    in_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    path = archive(in_folder / "a.tgz", {f"{outside}/{NAME}": INSTALLER.encode(), "../../evil": b"x"})
    assert run(["fvp", "install", str(path), "--into", "arm", "--accept-arm-licence"]) == 0
    assert list(outside.iterdir()) == []
    assert not (in_folder.parent.parent / "evil").exists()


def test_a_link_that_is_named_as_the_installer_is_not_followed(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(in_folder / "a.tgz", "w:gz") as tar:
        info = tarfile.TarInfo(NAME)
        info.type, info.linkname = tarfile.SYMTYPE, "/bin/sh"
        tar.addfile(info)
    refused(capsys, ["a.tgz", "--accept-arm-licence"], 2, "holds no installer of a Corstone FVP")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a whole .tgz"),
        (b"\x1f\x8b but no gzip", "not a whole .tgz"),
        (gzip.compress(b"no tar", mtime=0), "not a whole .tgz"),
        (b"#!/bin/sh\nrm -rf /\n", "not named as Arm's installers are"),
    ],
)
def test_what_is_no_archive_of_arms_is_refused(
    in_folder: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    (in_folder / "a.tgz").write_bytes(content)
    refused(capsys, ["a.tgz", "--accept-arm-licence"], 2, message)


def test_an_archive_that_was_cut_short_is_refused(
    download: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    big = archive(in_folder / "b.tgz", {NAME: INSTALLER.encode() + b"#" + bytes(range(256)) * 4000})
    big.write_bytes(big.read_bytes()[:1500])
    refused(capsys, ["b.tgz", "--into", "arm", "--accept-arm-licence"], 2, "b.tgz: not a whole .tgz")
    assert not (in_folder / "arm").exists()


def test_a_missing_archive_is_named(in_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, ["none.tgz"], 2, "none.tgz: cannot be read")


def test_an_installer_that_fails_leaves_nothing_and_its_words_are_shown(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = archive(in_folder / "a.tgz", {NAME: b"#!/bin/sh\necho disk is full\nexit 7\n"})
    refused(capsys, [str(path), "--into", "arm", "--accept-arm-licence"], 4, "ended with status 7")
    assert sorted(file.name for file in in_folder.iterdir()) == ["a.tgz"]


def test_an_installer_that_installs_no_simulator_is_no_success(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = archive(in_folder / "a.tgz", {NAME: b'#!/bin/sh\nmkdir -p "$5"\n'})
    refused(capsys, [str(path), "--into", "arm", "--accept-arm-licence"], 4, "installed no simulator")
    assert not (in_folder / "arm").exists()


def test_a_folder_that_is_in_use_is_left_alone(
    download: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_folder / "arm").mkdir()
    (in_folder / "arm" / "mine").write_text("keep")
    refused(capsys, [str(download), "--into", "arm", "--accept-arm-licence"], 2, "arm exists already")
    assert (in_folder / "arm" / "mine").read_text() == "keep"


def test_a_simulator_that_does_not_start_here_is_installed_and_told(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = INSTALLER.replace('echo "Fast Models [11.27.42 (Dec  9 2024)]"', "exit 1")
    path = archive(in_folder / "a.tgz", {NAME: broken.encode()})
    assert run(["fvp", "install", str(path), "--into", "arm", "--accept-arm-licence"]) == 3
    assert "does not start here" in capsys.readouterr().out
