"""No file of a project that was edited since it was rendered, and no foreign one, is overwritten."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.build_folder import FIRMWARE_LIST, BuildFolder
from deploy.cli.main import run
from deploy.errors import BadInputError
from deploy.firmware_project.rendered_files import write_rendered

OLD = {"source/main.c": b"old", "README.md": b"read"}
NEW = {"source/main.c": b"new", "README.md": b"read"}


def test_what_was_not_edited_is_rendered_anew(tmp_path: Path) -> None:
    write_rendered(tmp_path, OLD)
    write_rendered(tmp_path, NEW)
    assert (tmp_path / "source/main.c").read_bytes() == b"new"


def test_an_edited_file_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    write_rendered(tmp_path, OLD)
    (tmp_path / "source/main.c").write_bytes(b"mine")
    with pytest.raises(BadInputError, match=r"source/main\.c \(edited since\)") as caught:
        write_rendered(tmp_path, {**NEW, "README.md": b"other", "third": b"x"})
    assert "--force" in caught.value.hints[0]
    assert (tmp_path / "source/main.c").read_bytes() == b"mine"
    assert (tmp_path / "README.md").read_bytes() == b"read"
    assert not (tmp_path / "third").exists()
    write_rendered(tmp_path, NEW, force=True)
    assert (tmp_path / "source/main.c").read_bytes() == b"new"


def test_an_edited_file_that_would_not_change_is_no_obstacle(tmp_path: Path) -> None:
    write_rendered(tmp_path, OLD)
    (tmp_path / "source/main.c").write_bytes(b"new")
    write_rendered(tmp_path, NEW)


def test_a_foreign_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("my thesis")
    with pytest.raises(BadInputError, match=r"README\.md \(not from deploy\)"):
        write_rendered(tmp_path, OLD)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_files_that_are_no_longer_rendered_are_still_known(tmp_path: Path) -> None:
    write_rendered(tmp_path, OLD)
    write_rendered(tmp_path, {"README.md": b"read"})
    write_rendered(tmp_path, NEW)
    assert (tmp_path / "source/main.c").read_bytes() == b"new"


def test_writing_that_was_cut_short_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deploy.firmware_project import rendered_files

    write_rendered(tmp_path, OLD)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(rendered_files, "write_bytes", fail)
        write_rendered(tmp_path, NEW)
    write_rendered(tmp_path, {"source/main.c": b"newest"})
    assert (tmp_path / "source/main.c").read_bytes() == b"newest"


def test_the_list_is_what_sha256sum_reads(tmp_path: Path) -> None:
    write_rendered(tmp_path, NEW)
    program = shutil.which("sha256sum")
    assert program is not None
    done = subprocess.run(
        [program, "-c", FIRMWARE_LIST], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": OK") == 2


def test_the_command_line_refuses_overwrites_by_force_and_writes_the_model_alone(
    small_build: BuildFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["firmware", str(small_build.path), "-o", str(tmp_path)]
    assert run(words) == 0
    board = tmp_path / "source" / "board.h"
    board.write_text("mine")
    network = tmp_path / "model" / "network.c"
    network.unlink()
    capsys.readouterr()
    assert run(words) == 2
    assert "source/board.h (edited since)" in capsys.readouterr().err
    assert run([*words, "--only", "model"]) == 0
    assert network.is_file()
    assert board.read_text() == "mine"
    assert run([*words, "--force"]) == 0
    assert board.read_text() != "mine"
    assert run([*words, "--only", "main"]) == 2


@pytest.mark.parametrize("entry", ["firmware-npu", "notes.txt"])
def test_a_new_compilation_leaves_firmware_projects_alone(
    small_build: BuildFolder, tmp_path: Path, entry: str
) -> None:
    folder = tmp_path / "b"
    shutil.copytree(small_build.path, folder)
    shutil.rmtree(folder / "firmware-npu", ignore_errors=True)
    if entry == "firmware-npu":
        (folder / entry).mkdir()
        (folder / entry / "board.h").write_text("mine")
    model = tmp_path / "model.tflite"
    shutil.copy(small_build.source, model)
    words = ["compile", str(model), "--npu", small_build.document.npu, "-o", str(folder), "-q", "--advice", "none"]
    assert run(words) == 0
    assert (folder / entry).exists() == (entry == "firmware-npu")
