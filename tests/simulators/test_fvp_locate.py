"""Finding a simulator: what is named, what is installed, what says what it is."""

import stat
from pathlib import Path

import pytest

from deploy.errors import BadInputError, NotInstalledError
from deploy.hardware.npus import npu_named
from deploy.simulators import fvp_locate

U55 = npu_named("U55-128")


def fake_fvp(path: Path, says: str, status: int = 0) -> Path:
    """A program that answers --version; Arm's own cannot be shipped with the tests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


ARM = "Fast Models [11.27.42 (Dec  9 2024)]"
NAME = "FVP_Corstone_SSE-300_Ethos-U55"


def test_a_named_fvp_is_asked_for_its_version(tmp_path: Path) -> None:
    path = fake_fvp(tmp_path / NAME, ARM)
    simulator = fvp_locate.find(U55, str(path))
    assert (simulator.kind, simulator.version, simulator.command) == ("arm", ARM, (str(path),))


def test_a_folder_of_an_installation_is_searched(tmp_path: Path) -> None:
    path = fake_fvp(tmp_path / "models" / "Linux64_GCC-9.3" / NAME, ARM)
    assert fvp_locate.find(U55, str(tmp_path)).command == (str(path),)


def test_arms_fvp_on_the_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_fvp(tmp_path / NAME, ARM)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv(fvp_locate.FVP_VARIABLE, raising=False)
    assert fvp_locate.find(U55).command == (str(path),)


def test_an_fvp_that_does_not_start_is_passed_over_for_the_open_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).write_bytes(b"\x7fELF\x02\x01\x01 for another machine")
    (tmp_path / NAME).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert fvp_locate.find(U55).kind == "open"


def test_the_environment_variable_names_a_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_fvp(tmp_path / "my-fvp", ARM)
    monkeypatch.setenv(fvp_locate.FVP_VARIABLE, str(path))
    assert fvp_locate.find(U55).command == (str(path),)


def test_a_named_simulator_that_is_missing_is_not_installed(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="no such simulator"):
        fvp_locate.find(U55, str(tmp_path / "nothing"))


def test_a_file_that_may_not_be_executed_is_named(tmp_path: Path) -> None:
    path = fake_fvp(tmp_path / NAME, ARM)
    path.chmod(0o644)
    with pytest.raises(NotInstalledError, match="not executable"):
        fvp_locate.find(U55, str(path))


def test_a_program_that_is_no_simulator_is_refused_with_what_it_says(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match=r"not a Corstone simulator.*hello from ls"):
        fvp_locate.find(U55, str(fake_fvp(tmp_path / "ls", "hello from ls")))


def test_a_program_that_says_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="it says nothing"):
        fvp_locate.find(U55, str(fake_fvp(tmp_path / "mute", "")))


def test_the_open_one_says_that_it_is_open() -> None:
    simulator = fvp_locate.find(U55, "open")
    assert simulator.kind == "open"
    assert "Open Corstone-300" in simulator.version


@pytest.mark.parametrize(
    ("npu", "choice", "board", "family"),
    [
        ("U85-256", "open", "corstone-320", "U85"),
        ("U65-256", "open", "corstone-300", "U65"),
        ("U65-256", "open:corstone-310", "corstone-310", "U65"),
        ("U55-128", "open:Corstone-310", "corstone-310", "U55"),
    ],
)
def test_the_open_one_is_the_default_board_or_the_one_that_is_named(
    npu: str, choice: str, board: str, family: str
) -> None:
    simulator = fvp_locate.find(npu_named(npu), choice)
    assert (simulator.fvp.board.id, simulator.fvp.npu_family) == (board, family)
    assert simulator.command[-4:] == ("--board", board, "--npu-family", family)
    assert simulator.version.startswith(f"Open {simulator.fvp.board.name} ")


@pytest.mark.parametrize("choice", ["open:corstone-320", "open:mps2"])
def test_an_open_board_without_that_npu_is_refused_with_those_that_have_it(choice: str) -> None:
    with pytest.raises(BadInputError, match="no such open machine with an Ethos-U55") as error:
        fvp_locate.find(U55, choice)
    assert list(error.value.hints) == ["known for it: corstone-300, corstone-310"]


@pytest.mark.parametrize(
    ("npu", "name", "board"),
    [
        ("U55-128", "FVP_Corstone_SSE-310", "Corstone-310"),
        ("U65-256", "VHT_Corstone_SSE-310_Ethos-U65", "Corstone-310"),
        ("U65-256", "VHT_Corstone_SSE-300_Ethos-U65", "Corstone-300"),
        ("U85-256", "FVP_Corstone_SSE-320", "Corstone-320"),
        ("U55-128", "a-wrapper", "Corstone-300"),
    ],
)
def test_the_board_follows_from_the_executables_name(tmp_path: Path, npu: str, name: str, board: str) -> None:
    simulator = fvp_locate.find(npu_named(npu), str(fake_fvp(tmp_path / name, ARM)))
    assert (simulator.fvp.board.name, simulator.fvp.npu_family) == (board, npu[:3])
    assert simulator.release == (11, 27)


def test_an_fvp_of_another_npu_family_is_refused(tmp_path: Path) -> None:
    path = fake_fvp(tmp_path / "FVP_Corstone_SSE-300_Ethos-U65", ARM)
    with pytest.raises(BadInputError, match="models an Ethos-U65, the model was compiled for Ethos-U55"):
        fvp_locate.find(U55, str(path))


def test_a_folder_with_other_simulators_names_them(tmp_path: Path) -> None:
    fake_fvp(tmp_path / "FVP_Corstone_SSE-320", ARM)
    with pytest.raises(NotInstalledError, match="no simulator of an Ethos-U55") as error:
        fvp_locate.find(U55, str(tmp_path))
    assert "it holds FVP_Corstone_SSE-320" in error.value.hints


def test_cycles_are_counted_only_where_that_was_asked_for_and_always_on_old_releases(tmp_path: Path) -> None:
    new = fvp_locate.find(U55, str(fake_fvp(tmp_path / "new" / NAME, ARM)))
    old = fvp_locate.find(U55, str(fake_fvp(tmp_path / "old" / NAME, "Fast Models [11.13.41 (May 1 2021)]")))
    assert [new.accurate(timing=timing) for timing in (False, True)] == [False, True]
    assert old.accurate(timing=False)
    assert not fvp_locate.find(U55, "open").accurate(timing=True)


def test_release_11_27_gets_its_python_library_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python" / "lib").mkdir(parents=True)
    path = fake_fvp(tmp_path / "models" / "Linux64_GCC-9.3" / NAME, ARM)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/mine")
    variables = fvp_locate.environment(str(path))
    assert variables["LD_LIBRARY_PATH"] == f"{tmp_path}/python/lib:/mine"
    assert variables["PYTHONHOME"] == f"{tmp_path}/python"


def test_other_simulators_keep_the_users_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONHOME", raising=False)
    assert "PYTHONHOME" not in fvp_locate.environment(str(fake_fvp(tmp_path / NAME, ARM)))
