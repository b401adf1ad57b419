import os
import re
import subprocess
import sys

import pytest

from deploy.corstone.links import MODELS_FOLDER, create_links
from deploy.errors import BadInputError


def test_the_folder_looks_like_an_installed_fvp_and_its_binaries_start(tmp_path):
    launchers = {path.name: path for path in create_links(tmp_path / "an FVP's folder")}
    u55 = launchers["FVP_Corstone_SSE-300_Ethos-U55"]
    assert u55.parent == tmp_path / "an FVP's folder" / MODELS_FOLDER
    endings = ("300_Ethos-U55", "300", "300_Ethos-U65", "310", "310_Ethos-U65", "320")
    names = {f"{make}_Corstone_SSE-{ending}" for make in ("FVP", "VHT") for ending in endings}
    assert set(launchers) == {*names, "VHT_MPS3_Corstone_SSE-300"}
    # A folder of the package's name in the working directory must not come in between.
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "__init__.py").write_text("raise SystemExit(99)")
    for name, macs in (("300_Ethos-U55", 0x80), ("300", 0x80), ("300_Ethos-U65", 0x100), ("310_Ethos-U65", 0x100)):
        path = launchers[f"VHT_Corstone_SSE-{name}"]
        done = subprocess.run([path, "-l"], capture_output=True, text=True, cwd=tmp_path, check=True)
        assert f"ethosu.num_macs={macs:#x} " in done.stdout


def test_the_folders_of_other_compilers_and_hosts_lead_to_the_same(tmp_path):
    launchers = create_links(tmp_path)
    create_links(tmp_path)
    for other in ("Linux64_GCC-6.4", "Linux64_armv8l_GCC-9.3"):
        assert sorted((tmp_path / "models" / other).iterdir()) == sorted(
            tmp_path / "models" / other / path.name for path in launchers
        )


def test_a_folder_of_arms_for_another_compiler_is_left_alone(tmp_path):
    arm = tmp_path / "models" / "Linux64_GCC-6.4"
    arm.mkdir(parents=True)
    create_links(tmp_path)
    assert list(arm.iterdir()) == []


def test_they_start_although_a_client_points_python_into_their_folder(tmp_path):
    u85 = next(path for path in create_links(tmp_path) if path.name == "FVP_Corstone_SSE-320")
    assert (tmp_path / "python" / "lib").is_dir()
    environment = {**os.environ, "PYTHONHOME": str(tmp_path / "python")}
    done = subprocess.run([u85, "--version"], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith("Open Corstone-320 ")


def test_scripts_that_know_certain_releases_are_told_one_of_them(tmp_path):
    u65 = next(p for p in create_links(tmp_path, release="11.24.13") if p.name == "FVP_Corstone_SSE-300_Ethos-U65")
    done = subprocess.run([u65, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"Open Corstone-300 .*, not Arm's FVP\)\nFast Models \[11\.24\.13 \(.*\)\]\n", done.stdout)


@pytest.mark.parametrize("release", ["newest", "11", "11.24.13.1", "", "11.24; touch x"])
def test_what_is_no_release_is_refused_before_anything_is_written(release, tmp_path):
    with pytest.raises(BadInputError, match="not a release"):
        create_links(tmp_path / "fvp", release=release)
    assert not (tmp_path / "fvp").exists()


def test_writing_them_again_is_fine(tmp_path):
    assert create_links(tmp_path) == create_links(tmp_path, python=sys.executable)


def test_a_binary_that_is_not_ours_is_left_alone(tmp_path):
    arm = tmp_path / MODELS_FOLDER / "FVP_Corstone_SSE-300_Ethos-U65"
    arm.parent.mkdir(parents=True)
    arm.write_bytes(b"\x7fELF Arm's binary")
    with pytest.raises(BadInputError, match="left alone"):
        create_links(tmp_path)
    assert arm.read_bytes() == b"\x7fELF Arm's binary"
    assert not (arm.parent / "FVP_Corstone_SSE-300_Ethos-U55").exists()


def test_a_dangling_link_is_left_alone(tmp_path):
    place = tmp_path / MODELS_FOLDER
    place.mkdir(parents=True)
    (place / "FVP_Corstone_SSE-300_Ethos-U55").symlink_to("/nowhere/arm")
    with pytest.raises(BadInputError, match="left alone"):
        create_links(tmp_path)


def test_a_folder_on_path_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / MODELS_FOLDER}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BadInputError, match="shadow"):
        create_links(tmp_path)
