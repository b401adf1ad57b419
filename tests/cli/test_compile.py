"""deploy compile: complete commands, defaults, and the exit status and message of every fault."""

import json
from pathlib import Path

import numpy as np
import pytest

from deploy import tflite_model
from deploy.build_folder import BuildFolder
from deploy.cli.main import run


def test_a_tflite_model_compiles_into_the_default_folder_and_is_remembered(
    in_folder: Path, mlperf_tiny: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", str(mlperf_tiny["anomaly_detection"]), "--npu", "u55-64", "--json", "copy.json"]
    assert run(words) == 0
    opened = BuildFolder.open(Path("build/anomaly_detection-u55-64"))
    assert opened.document.npu == "U55-64"
    assert json.loads(Path("copy.json").read_text()) == json.loads((opened.path / "compile.json").read_text())
    captured = capfd.readouterr()
    assert "build folder: build/anomaly_detection-u55-64" in captured.out
    assert captured.err == ""
    assert run(["report", "--quiet"]) == 0
    assert "SRAM peak" in capfd.readouterr().out


@pytest.mark.tensorflow
def test_a_float_model_is_quantized_on_the_way_and_its_heads_keep_their_names(
    in_folder: Path, tiny_keras_model: Path, tiny_samples: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", str(tiny_keras_model), "--npu", "U55-128", "--calibration", str(tiny_samples), "-o", "out"]
    assert run(words) == 0
    opened = BuildFolder.open(Path("out"))
    assert {record.name for record in opened.document.outputs} == {"garment", "kind"}
    assert {record.dtype for record in opened.document.outputs} == {"uint8"}
    source, compiled = tflite_model.read(opened.source), tflite_model.read(opened.compiled)
    for name, index in (source.signature.outputs if source.signature else {}).items():
        assert compiled.signature is not None
        other = compiled.tensors[compiled.signature.outputs[name]]
        assert other.quantization == source.tensors[index].quantization
    quantization = json.loads((opened.path / "quantize.json").read_text())
    assert quantization["calibration_samples"] == 24
    assert "Float against quantized model, 24 samples" in capfd.readouterr().out


def test_settings_make_compile_a_complete_command_and_the_command_line_wins(
    in_folder: Path, mlperf_tiny: dict[str, Path]
) -> None:
    Path("deploy.toml").write_text(
        f'model = "{mlperf_tiny["anomaly_detection"]}"\nnpu = "U55-32"\nbuild = "mine"\noptimise = "Size"\n'
    )
    assert run(["compile", "-q"]) == 0
    assert BuildFolder.open(Path("mine")).document.npu == "U55-32"
    assert run(["compile", "-q", "--npu", "U55-256", "-o", "other"]) == 0
    document = BuildFolder.open(Path("other")).document
    assert (document.npu, document.optimise) == ("U55-256", "Size")


@pytest.fixture(scope="module")
def float_tflite(tmp_path_factory: pytest.TempPathFactory, tiny_keras_model: Path) -> Path:
    """The tiny model converted without quantization."""
    from deploy.chatter import silenced
    from deploy.quantizing import model_source

    folder = tmp_path_factory.mktemp("float")
    model = model_source.load_float(model_source.parse(str(tiny_keras_model)))
    with silenced():
        import tensorflow as tf

        model.save(folder / "saved")
        content = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved")).convert()
    (folder / "float.tflite").write_bytes(content)
    return folder / "float.tflite"


@pytest.mark.tensorflow
def test_a_model_that_is_not_quantized_is_refused_with_its_operators(
    in_folder: Path, float_tflite: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", str(float_tflite), "--npu", "U55-128"]) == 2
    error = capfd.readouterr().err
    assert "not quantized, these operators compute in floating point: CONV_2D, FULLY_CONNECTED (2), MEAN" in error
    assert "deploy quantize MODEL --calibration DATA" in error
    assert not Path("build").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no MODEL given"),
        (["ad.tflite"], "deploy compile ad.tflite --npu U55-128"),
        (["ad.tflite", "--npu", "U55-100"], "--npu U55-100: no such NPU configuration"),
        (["ad.tflite", "--npu", "U55-128", "--memory-mode", "Dedicated_Sram"], "cannot be written"),
        (["ad.tflite", "--npu", "U55-128", "--system-config", "Fast"], "--system-config Fast: there is no such"),
        (["ad.tflite", "--npu", "U55-128", "--optimise", "Fun"], "--optimise Fun: choose Performance or Size"),
        (["ad.tflite", "--npu", "U55-128", "--sram-limit", "lots"], "--sram-limit lots: not a size"),
        (["ad.tflite", "--npu", "U55-128", "--sram-limit", "1K"], "more than --sram-limit of 1024 bytes"),
        (["gone.tflite", "--npu", "U55-128"], "gone.tflite: no such model"),
        (["cut.tflite", "--npu", "U55-128"], "cut.tflite"),
        (["noise.tflite", "--npu", "U55-128"], "noise.tflite: not a TFLite model"),
        (["float.keras", "--npu", "U65-256"], "deploy compile float.keras --npu U65-256 --calibration DATA"),
        (["ad.tflite", "--npu", "U55-128", "-o", "full"], "full: holds other files and is no build folder"),
        (["ad.tflite", "--npu", "U55-128", "-o", "ad.tflite"], "ad.tflite: exists and is not a folder"),
        (["ad.tflite", "--npu", "U55-128", "--json", "full"], "full: cannot be written: it is a folder"),
    ],
)
def test_faults_end_with_status_2_and_write_nothing(
    in_folder: Path,
    mlperf_tiny: dict[str, Path],
    words: list[str],
    message: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    content = mlperf_tiny["anomaly_detection"].read_bytes()
    Path("ad.tflite").write_bytes(content)
    Path("cut.tflite").write_bytes(content[: len(content) // 2])
    Path("noise.tflite").write_bytes(np.random.default_rng(0).bytes(4000))
    Path("float.keras").touch()
    Path("full").mkdir()
    Path("full/notes.txt").touch()
    before = sorted(in_folder.rglob("*"))
    assert run(["compile", *words]) == 2
    error = capfd.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert sorted(in_folder.rglob("*")) == before
