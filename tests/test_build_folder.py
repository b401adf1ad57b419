"""A build folder is opened only when it is the one that compile wrote."""

import json
import shutil
from pathlib import Path

import pytest

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.errors import BadInputError


@pytest.fixture(scope="module")
def compiled(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("compiled") / "build"
    assert run(["compile", str(mlperf_tiny["anomaly_detection"]), "--npu", "U55-128", "-q", "-o", str(build)]) == 0
    return build


@pytest.fixture
def build(compiled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(compiled, tmp_path / "build"))


def test_it_opens_with_models_and_document(build: Path) -> None:
    opened = BuildFolder.open(build)
    assert opened.source.is_file()
    assert opened.compiled.is_file()
    assert opened.document.figure("sram_peak") is not None
    assert opened.document.figure("no such figure") is None
    assert [operator.type for operator in opened.document.cpu_operators] == ["QUANTIZE", "DEQUANTIZE"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "schema version 99, this deploy reads 1"),
        ({"npu": None}, r"compile\.json: npu: "),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"source_sha256": "0" * 64}, r"source\.tflite: not the file that compile\.json describes"),
    ],
)
def test_a_document_that_does_not_fit_is_refused(build: Path, change: dict[str, object], message: str) -> None:
    path = build / "compile.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadInputError, match=message) as caught:
        BuildFolder.open(build)
    assert "deploy compile" in caught.value.hints[0]


def test_damaged_and_missing_parts_are_refused(build: Path) -> None:
    (build / "model_vela.tflite").unlink()
    with pytest.raises(BadInputError, match=r"model_vela\.tflite: cannot be read"):
        BuildFolder.open(build)
    (build / "compile.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(BadInputError, match=r"compile\.json cannot be read"):
        BuildFolder.open(build)
    (build / "compile.json").unlink()
    with pytest.raises(BadInputError, match=r"no compile\.json in it"):
        BuildFolder.open(build)
