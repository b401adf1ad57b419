"""Advice of ``deploy compile`` and ``deploy report``: shown, kept, left out on request, and never in the way."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from advising.small_networks import SmallNetwork
from answers import answered, found

from deploy.advising import quick
from deploy.advising.documents import AdviceDocument
from deploy.cli.main import run
from deploy.errors import BadInputError


def network() -> bytes:
    net = SmallNetwork((1, 32, 32, 3), "uint8")
    x = net.convolution(net.convolution(net.x, 17), 16)
    return net.model(net.softmax(net.mean(x))).content


@pytest.fixture
def model(in_folder: Path) -> str:
    Path("small.tflite").write_bytes(network())
    return "small.tflite"


def kept(folder: str = "out") -> AdviceDocument:
    return AdviceDocument.model_validate_json(Path(folder, "advice.json").read_text())


def test_compile_prints_and_keeps_hints_and_report_shows_them(
    model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", model, "--npu", "U55-128", "-o", "out"]) == 0
    captured = capfd.readouterr()
    assert captured.err == ""
    text = captured.out
    assert text.index("Placement") < text.index("Advice (estimate)") < text.index("build folder: out")
    advice = kept()
    titles = {hint.title for hint in advice.hints}
    assert {"17 channels where 16 would do", "uint8 input, int8 inside"} <= titles
    assert any(hint.kind == "rewrite" for hint in advice.hints)
    assert "deploy optimize small.tflite --npu U55-128" in {hint.action for hint in advice.hints}
    assert max(map(len, text.splitlines())) <= 80 or "Source:" in text
    assert run(["report", "out"]) == 0
    assert "17 channels where 16 would do" in " ".join(capfd.readouterr().out.split())
    assert run(["report", "out", "--format", "json"]) == 0
    shown = found(answered(capfd.readouterr().out))
    assert AdviceDocument.model_validate(shown.pop("advice")) == advice
    assert shown.pop("verification") == json.loads(Path("out/verification.json").read_text())
    assert (shown.pop("build"), shown.pop("quantization"), shown.pop("evaluation")) == ("out", None, None)
    assert shown == json.loads(Path("out/compile.json").read_text())


def test_none_and_quiet_and_the_settings(model: str, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["compile", model, "--npu", "U55-128", "-o", "out"]
    assert run([*words, "--advice", "none"]) == 0
    assert "Advice" not in capfd.readouterr().out
    assert not Path("out/advice.json").exists()
    assert run(["report", "out", "--format", "json"]) == 0
    assert answered(capfd.readouterr().out)["advice"] is None
    assert run([*words, "-q"]) == 0
    assert capfd.readouterr().out == ""
    assert kept().level == "quick"
    Path("deploy.toml").write_text('advice = "none"\n')
    assert run([*words, "-q"]) == 0
    assert not Path("out/advice.json").exists()
    assert run([*words, "-q", "--advice", "quick"]) == 0
    assert kept().hints


def test_full_advice_is_found_for_an_existing_build_and_shown_from_then_on(
    model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", model, "--npu", "U55-64", "-o", "out", "-q", "--advice", "none"]) == 0
    assert "No advice was asked for" in Path("out/report.html").read_text()
    assert run(["report", "out", "--advice", "full"]) == 0
    captured = capfd.readouterr()
    assert "deploy: advice: trying memory mode Sram_Only" in captured.err
    assert "whole network" in captured.out
    assert kept().level == "full"
    assert kept().compiled_sha256 == json.loads(Path("out/compile.json").read_text())["compiled_sha256"]
    assert 'id="hints"' in Path("out/report.html").read_text()


def test_a_level_that_does_not_exist_and_several_builds_are_refused(
    model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", model, "--npu", "U55-128", "--advice", "some"]) == 2
    assert "--advice some: choose none, quick or full" in capfd.readouterr().err
    assert not Path("build").exists()
    assert run(["report", "a", "b", "--advice", "quick"]) == 2
    assert "--advice is about one build" in capfd.readouterr().err


@pytest.mark.parametrize("error", [BadInputError("no"), RuntimeError("a defect")])
def test_advice_that_fails_is_a_note_and_the_compilation_goes_well(
    model: str, error: Exception, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(*_arguments: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(quick, "quick_hints", fails)
    assert run(["compile", model, "--npu", "U55-128", "-o", "out"]) == 0
    assert f"note: advice: {kept().notes[0]}" in capfd.readouterr().out
    assert str(error) in kept().notes[0]
    assert kept().hints == ()


def test_a_damaged_document_is_named_and_one_about_another_compilation_is_not_shown(
    model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", model, "--npu", "U55-128", "-o", "out", "-q"]) == 0
    document = json.loads(Path("out/advice.json").read_text())
    Path("out/advice.json").write_text(json.dumps({**document, "compiled_sha256": "0" * 64}))
    assert run(["report", "out"]) == 0
    assert "Advice" not in capfd.readouterr().out
    for content in ("{", json.dumps({**document, "schema_version": 2}), json.dumps({**document, "hints": [7]})):
        Path("out/advice.json").write_text(content)
        assert run(["report", "out"]) == 2
        assert "out/advice.json: " in capfd.readouterr().err


def test_a_compilation_that_fails_leaves_no_trial_behind(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    assert run(["compile", model, "--npu", "U55-128", "-o", "out", "--sram-limit", "1K"]) == 2
    assert "more than --sram-limit of 1024 bytes" in capfd.readouterr().err
    assert list(scratch.iterdir()) == []
    assert not Path("out").exists()


def test_tensorflow_is_not_imported_for_advice(model: str) -> None:
    code = (
        "import sys; from deploy.cli.main import run\n"
        f"assert run(['compile', {model!r}, '--npu', 'U55-128', '-o', 'out', '-q', '--advice', 'full']) == 0\n"
        "print('tensorflow' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False"]
    assert kept().hints
