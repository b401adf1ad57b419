import os
import subprocess
import sys

import pytest

from deploy.corstone.links import MODELS_FOLDER, create_links
from deploy.errors import BadInputError


def test_the_folder_looks_like_an_installed_fvp_and_its_binaries_start(tmp_path):
    u55, u65, *others = create_links(tmp_path / "an FVP's folder")
    assert u55.parent == tmp_path / "an FVP's folder" / MODELS_FOLDER
    assert (u55.name, u65.name) == ("FVP_Corstone_SSE-300_Ethos-U55", "FVP_Corstone_SSE-300_Ethos-U65")
    # A folder of the package's name in the working directory must not come in between.
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "__init__.py").write_text("raise SystemExit(99)")
    names = ["FVP_Corstone_SSE-310", "FVP_Corstone_SSE-310_Ethos-U65", "FVP_Corstone_SSE-320"]
    assert [path.name for path in others] == names
    for path, macs in ((u55, "0x80"), (u65, "0x100"), (others[1], "0x100"), (others[2], "0x100")):
        done = subprocess.run([path, "-l"], capture_output=True, text=True, cwd=tmp_path, check=True)
        assert f"ethosu.num_macs={macs} " in done.stdout


def test_they_start_although_a_client_points_python_into_their_folder(tmp_path):
    *_, u85 = create_links(tmp_path)
    assert (tmp_path / "python" / "lib").is_dir()
    environment = {**os.environ, "PYTHONHOME": str(tmp_path / "python")}
    done = subprocess.run([u85, "--version"], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith("Open Corstone-320 ")


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
