"""No early end of a verb leaves the documents of an earlier call."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from answers import answered, found

from deploy.cli.answers import JUDGING_VERBS
from deploy.cli.main import run

OLD = '{"schema_version": 1, "verdict": "pass", "exit_status": 0, "reason": "yesterday"}'
OLD_XML = '<testsuites>\n  <testsuite name="deploy run-fvp b" tests="2" failures="0" errors="0" />\n</testsuites>'


@pytest.fixture
def documents(in_folder: Path) -> tuple[Path, Path]:
    (in_folder / "v.json").write_text(OLD)
    (in_folder / "v.xml").write_text(OLD_XML)
    return in_folder / "v.json", in_folder / "v.xml"


def said(documents: tuple[Path, Path]) -> tuple[str, int, str]:
    document = json.loads(documents[0].read_text())
    (suite,) = ElementTree.fromstring(documents[1].read_text())  # noqa: S314 - our own
    assert (suite.get("errors") == "1") == (document["verdict"] == "error")
    return document["verdict"], document["exit_status"], document["reason"]


@pytest.mark.parametrize("verb", JUDGING_VERBS)
@pytest.mark.parametrize(
    "words", [["none"], ["none", "--colour"], ["none", "--count", "x"], ["--tolerance", "nan"]]
)
def test_an_early_end_says_error(documents: tuple[Path, Path], verb: str, words: list[str]) -> None:
    port = ["--port", "none"] if verb == "run-board" else []
    assert run([verb, *words, *port, "--json", "v.json", "--junit=v.xml"]) == 2
    verdict, status, reason = said(documents)
    assert (verdict, status) == ("error", 2)
    assert reason != "yesterday"


def test_documents_that_the_settings_name_say_so_too(documents: tuple[Path, Path]) -> None:
    Path("deploy.toml").write_text('[verb.verify]\njson = "v.json"\njunit = "v.xml"\n')
    assert run(["verify", "none"]) == 2
    assert said(documents)[:2] == ("error", 2)


def test_a_file_that_is_no_document_is_left_alone_where_the_call_makes_no_sense(in_folder: Path) -> None:
    (in_folder / "thesis.txt").write_text("years of work")
    assert run(["verify", "none", "--colour", "--json", "thesis.txt"]) == 2
    assert (in_folder / "thesis.txt").read_text() == "years of work"


def test_a_verdict_replaces_them(built: Path, documents: tuple[Path, Path]) -> None:
    assert run(["verify", str(built), "-q", "--json", "v.json", "--junit", "v.xml"]) == 0
    assert said(documents)[:2] == ("pass", 0)


def test_killed_outright_they_say_error(built: Path, documents: tuple[Path, Path], in_folder: Path) -> None:
    words = ["verify", str(built), "-q", "--count", "100000", "--json", "v.json", "--junit", "v.xml"]
    with subprocess.Popen([sys.executable, "-P", "-m", "deploy", *words], cwd=in_folder) as process:
        deadline = time.monotonic() + 60
        old = [OLD, OLD_XML]  # both are to be replaced: it may not be killed between the two
        while any(path.read_text() in old for path in documents) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert said(documents) == ("error", 4, "the command did not come to its end")


def test_a_document_on_standard_output_is_alone_there(built: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(built), "--json", "-"]) == 0
    output, error = capfd.readouterr()
    assert json.loads(output)["verdict"] == "pass"
    assert "verdict: PASS" in error


def test_an_early_end_says_so_on_standard_output(in_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "none", "--json", "-"]) == 2
    assert json.loads(capfd.readouterr().out)["verdict"] == "error"


def test_a_document_may_lie_in_the_folder_that_the_verb_writes(
    built: Path, tiny_tflite: Path, in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", str(tiny_tflite), "--npu", "U55-128", "-q", "--verify", "none", "--advice", "none"]
    for folder in ("new", "new", "deep/er"):
        assert run([*words, "-o", folder, "--json", f"{folder}/c.json"]) == 0
        assert answered((in_folder / folder / "c.json").read_text())["build"] == folder
    assert run([*words, "-o", "new", "--json", "new/c.json", "--system-config", "none"]) == 2
    assert answered((in_folder / "new/c.json").read_text())["error"]["kind"] == "bad_input"
    (in_folder / "empty").mkdir()
    assert run(["fvp", "link", "empty", "--json", "empty/l.json"]) == 0
    assert answered((in_folder / "empty/l.json").read_text())["folder"] == "empty"


def test_a_stream_gets_one_document_though_another_cannot_be_written(
    built: Path, in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(built), "-q", "--json", "-", "--junit", "/dev/full"]) == 2
    printed = capfd.readouterr()
    assert answered(printed.out)["verdict"] == "pass"
    assert "/dev/full" in printed.err


def test_what_other_verbs_found_earlier_goes_too(tiny_tflite: Path, in_folder: Path) -> None:
    (in_folder / "c.json").write_text('{"schema_version": 1, "figures": []}')
    words = ["compile", str(tiny_tflite), "--npu", "U55-99", "-o", "b", "--json", "c.json"]
    assert run(words) == 2
    document = answered((in_folder / "c.json").read_text())
    assert found(document) == {}
    assert document["error"]["kind"] == "bad_input"
    assert "U55-99" in document["error"]["message"]
