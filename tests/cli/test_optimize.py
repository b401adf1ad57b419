"""``deploy optimize`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from optimizing.attention_network import attention_network, inputs, plain_network

from deploy import tflite
from deploy.cli.main import run


@pytest.fixture
def attention(in_folder: Path) -> Path:
    path = in_folder / "attention.tflite"
    path.write_bytes(attention_network().content)
    return path


def test_it_writes_a_model_that_is_faster_and_says_what_changed(
    attention: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("x.npz", **inputs(attention_network(), 5))
    words = ["optimize", "attention.tflite", "--npu", "U55-128", "--inputs", "x.npz", "--count", "4"]
    assert run([*words, "--json", "won.json"]) == 0
    printed = capsys.readouterr().out
    assert "mean over channels: 1x1 convolution" in printed
    assert "1 on the CPU" in printed
    assert "verdict: PASS" in printed
    document = json.loads(Path("won.json").read_text())
    assert document["schema_version"] == 1
    assert document["inputs"] == 4
    written = tflite.read(in_folder / "attention_optimized.tflite")
    assert "MEAN" not in {op.code for op in written.operators}
    assert {t.shape for t in written.input_tensors} == {(1, 32, 32, 3)}
    assert run(["compile", "attention_optimized.tflite", "--npu", "U55-128", "-q", "-o", "build"]) == 0
    assert run(["verify", "build"]) == 0


def test_with_nothing_to_win_it_says_so_and_writes_a_copy(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plain.tflite").write_bytes(plain_network().content)
    assert run(["optimize", "plain.tflite", "--npu", "U55-64", "-o", "out.tflite"]) == 0
    printed = capsys.readouterr().out
    assert "verdict: UNCHANGED" in printed
    assert "a copy of plain.tflite" in printed
    assert Path("out.tflite").read_bytes() == Path("plain.tflite").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.keras", "--npu", "U55-128"], "rewrites work on a quantized .tflite"),
        (["missing.tflite", "--npu", "U55-128"], "cannot read the model"),
        (["attention.tflite"], "no NPU given"),
        (["attention.tflite", "--npu", "U55-12"], "U55-12"),
        (["attention.tflite", "--npu", "U55-128", "-o", "attention.tflite"], "is the file that MODEL reads"),
        (["attention.tflite", "--npu", "U55-128", "-o", "attention.tflite/x.tflite"], "attention.tflite"),
        (["attention.tflite", "--npu", "U55-128", "--inputs", "missing.npz"], "missing.npz"),
        (["damaged.tflite", "--npu", "U55-128"], "damaged"),
    ],
)
def test_bad_input_is_one_message_and_nothing_written(
    attention: Path, in_folder: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = attention.read_bytes()
    Path("damaged.tflite").write_bytes(content[: len(content) // 2])
    before = sorted(in_folder.iterdir())
    assert run(["optimize", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "defect" not in said
    assert sorted(in_folder.iterdir()) == before
    assert attention.read_bytes() == content


def test_quiet_prints_nothing(attention: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["optimize", str(attention), "--npu", "U55-128", "-q"]) == 0
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""
