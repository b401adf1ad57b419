"""``deploy check``: one command that compiles, verifies and holds to limits; its status is the gate."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from deploy.cli.main import run
from deploy.reporting.charts import library

pytestmark = pytest.mark.early

DOCUMENTS = ["--json", "v.json", "--junit", "v.xml", "--markdown", "s.md"]


def said() -> dict[str, object]:
    document: dict[str, object] = json.loads(Path("v.json").read_text())
    return document


@pytest.fixture
def project(tiny_tflite: Path, in_folder: Path) -> Path:
    """A folder with a model and settings that name it."""
    shutil.copy(tiny_tflite, in_folder / "tiny.tflite")
    settings = 'model = "tiny.tflite"\nnpu = "U55-128"\ncount = 2\nlimits = ["sram<=200K", "cpu_operators<=0"]\n'
    (in_folder / "deploy.toml").write_text(settings)
    return in_folder


def test_with_settings_the_command_is_two_words(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check"]) == 0
    text = capsys.readouterr().out
    assert "limit: holds: sram<=200K: SRAM peak is " in text
    assert text.splitlines()[-1].startswith("verdict: PASS")
    assert (project / "build" / "tiny-u55-128" / "check.json").is_file()
    assert run(["report", "-q"]) == 0, "the build is the one compiled last"


def test_a_broken_limit_fails_and_stands_in_every_document(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "--limit", "time<=1us", "--annotations", "-q", *DOCUMENTS]) == 1
    printed = capsys.readouterr().out
    assert "::error title=deploy check%3A limit::time<=1us: inference time is " in printed
    document = said()
    assert (document["verdict"], document["exit_status"]) == ("fail", 1)
    [limit] = document["limits"]  # type: ignore[misc] # those of the command line stand for those of the file
    assert (limit["limit"], limit["figure"], limit["holds"]) == ("time<=1us", "inference_time", False)  # type: ignore[index]
    suite = ElementTree.parse("v.xml").getroot()[0]  # noqa: S314 - our own file
    assert suite.find("testcase[@name='limit time<=1us']/failure") is not None
    summary = Path("s.md").read_text()
    assert "## deploy check: FAIL" in summary
    assert "| time&lt;=1us |" in summary
    assert "](s.svg)" in summary
    assert Path("s.svg").read_text().startswith("<svg ")


def test_a_build_folder_is_not_compiled_again(built: Path, in_folder: Path) -> None:
    before = (built / "model_vela.tflite").stat().st_mtime_ns
    assert run(["check", str(built), "--count", "1", "-q", "--limit", "flash<=1M"]) == 0
    assert (built / "model_vela.tflite").stat().st_mtime_ns == before
    assert run(["check", str(built), "--npu", "U55-64", "-q", "--json", "v.json"]) == 2
    assert "--npu goes with a model" in str(said()["reason"])


def test_the_accuracy_is_that_of_the_data_it_is_given(built: Path, in_folder: Path) -> None:
    images = np.random.default_rng(5).integers(0, 256, (6, 16, 16, 1), np.uint8)
    names = {"labels_kind": np.zeros(6, np.int64), "labels_garment": np.zeros(6, np.int64)}
    np.savez("test.npz", image=images, **names)
    words = ["check", str(built), "--data", "test.npz", "-q", "--json", "v.json"]
    assert run([*words, "--limit", "accuracy>=0%"]) == 0
    assert {limit["figure"] for limit in said()["limits"]} == {"accuracy_kind", "accuracy_garment"}  # type: ignore[attr-defined,index]
    values = [limit["value"] for limit in said()["limits"]]  # type: ignore[attr-defined,index]
    assert run([*words, "--limit", "accuracy>=100%"]) == int(min(values) < 1)


def test_without_the_charting_library_the_summary_says_so_in_a_line(
    built: Path, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "PACKAGE", "no-such-package-here")
    assert run(["check", str(built), "--count", "1", "-q", "--markdown", "s.md"]) == 0
    assert Path("s.md").read_text().splitlines()[-1].startswith("No chart of the cycles: ")
    assert not Path("s.svg").exists()


def test_a_picture_of_the_users_is_not_overwritten_and_a_chart_is(built: Path, in_folder: Path) -> None:
    words = ["check", str(built), "--count", "1", "-q", "--markdown", "my model.md"]
    picture = Path("my model.svg")
    picture.write_text("<svg><!-- drawn by hand --></svg>")
    assert run(words) == 2
    assert picture.read_text() == "<svg><!-- drawn by hand --></svg>"
    picture.unlink()
    assert [run(words), run(words)] == [0, 0]
    assert "](my%20model.svg)" in Path("my model.md").read_text()


def test_what_is_kept_for_a_model_does_not_matter_to_a_build(
    built: Path, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_NPU", "U55-64")
    assert run(["check", str(built), "--count", "1", "-q"]) == 0


def test_a_summary_on_standard_output_is_markdown_alone(
    built: Path, in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", str(built), "--count", "1", "--markdown", "-"]) == 0
    assert capfd.readouterr().out.startswith("<!-- deploy check -->\n\n## deploy check: PASS")
    assert list(in_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ([], 2, "no MODEL given"),
        (["none.tflite", "--npu", "U55-128"], 2, "none.tflite"),
        (["--limit", "srm<=1K"], 2, "there is no figure srm"),
        (["--unknown"], 2, "No such option"),
    ],
)
def test_an_early_end_leaves_documents_that_say_error(
    words: list[str], status: int, says: str, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.md").write_text("<!-- deploy check -->\n\n## deploy check: PASS\n")
    assert run(["check", *words, "--annotations", *DOCUMENTS]) == status
    assert said()["verdict"] == "error"
    assert says in str(said()["reason"])
    assert "## deploy check: ERROR" in Path("s.md").read_text()
    if words != ["--unknown"]:
        assert f"::error title=deploy check::{'--limit ' * ('--limit' in words)}" in capsys.readouterr().out


def test_a_file_of_the_users_is_not_taken_for_an_old_summary(in_folder: Path) -> None:
    Path("README.md").write_text("# mine\n")
    assert run(["check", "--unknown", "--markdown", "README.md"]) == 2
    assert Path("README.md").read_text() == "# mine\n"


def test_a_model_that_is_miscompiled_fails_with_its_documents(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deploy import api
    from deploy.judging.verification_record import MiscompiledError, record_of

    compiled = api.compile

    def compile_(*words: object, **options: object) -> object:
        build = compiled(*words, **options)  # type: ignore[arg-type]
        record = record_of(build)
        assert record is not None
        raise MiscompiledError(
            build, record.model_copy(update={"unwritten": ("output kind is written by nobody",)})
        )

    monkeypatch.setattr(api, "compile", compile_)
    assert run(["check", "-q", *DOCUMENTS]) == 1
    assert said()["verdict"] == "fail"
    assert "output kind is written by nobody" in str(said()["reason"])
