"""deploy compile: complete commands, defaults, and the exit status and message of every fault."""

import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from answers import answered
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.judging.verification_record import SKIPPED, VerificationRecord, record_of
from deploy.models.datasets.fashion_mnist import FOLDER as FASHION_MNIST
from deploy.verifying import build_check

pytestmark = pytest.mark.early


def test_a_tflite_model_compiles_into_the_default_folder_and_is_remembered(
    in_folder: Path, mlperf_tiny: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", str(mlperf_tiny["anomaly_detection"]), "--npu", "u55-64", "--json", "copy.json"]
    assert run(words) == 0
    opened = BuildFolder.open(Path("build/anomaly_detection-u55-64"))
    assert opened.document.npu == "U55-64"
    document = answered(Path("copy.json").read_text())
    assert document["written"] == [str(opened.path), str(opened.path / "report.html")]
    kept = {name: json.loads((opened.path / f"{name}.json").read_text()) for name in ("advice", "verification")}
    kept |= json.loads((opened.path / "compile.json").read_text())
    assert {key: document[key] for key in kept} == kept
    captured = capfd.readouterr()
    assert "build folder: build/anomaly_detection-u55-64" in captured.out
    assert captured.err == ""
    assert run(["report", "--quiet"]) == 0
    assert "SRAM peak" in capfd.readouterr().out


def miscompiled() -> bytes:
    """A sum over height and width, of which Vela computes one."""
    writer = GraphWriter()
    x = writer.tensor("x", [1, 16, 16, 8], "int8", 0.05)
    y = writer.tensor("y", [1, 8], "int8", 5.0)
    axes = writer.tensor("axes", [2], "int32", data=np.int32([1, 2]))
    writer.operator("SUM", [x, axes], [y], schema.ReducerOptionsT())
    return writer.finish({"x": x}, {"y": y})


def without_producer() -> bytes:
    """A network with an output that is a constant: zeros, as memory happens to be."""
    writer = GraphWriter()
    x = writer.tensor("x", [1, 16], "int8", 0.1)
    y = writer.tensor("y", [1, 16], "int8", 0.1)
    reserved = writer.tensor("reserved", [1, 16], "int8", 0.1, data=np.zeros((1, 16), np.int8))
    writer.operator("ABS", [x], [y], schema.AbsOptionsT())
    return writer.finish({"x": x}, {"y": y, "reserved": reserved})


def record_in(folder: Path) -> VerificationRecord:
    record = record_of(BuildFolder.open(folder))
    assert record is not None
    return record


def test_operators_are_compared_and_what_was_compared_is_kept_and_said(
    in_folder: Path, mlperf_tiny: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    # Vela's time, which is the limit, is next to nothing beside what a busy computer does.
    words = ["compile", str(mlperf_tiny["keyword_spotting"]), "--npu", "U55-64", "-o", "out"]
    assert run(words) == 0
    record = record_in(Path("out"))
    said = capfd.readouterr().out
    assert record.faults == ()
    if record.check.source == "compile":
        assert f"operators: {record.check.operators} compared, each on the NPU's own values" in said
    for sentence in record.check.left_out:
        assert sentence in said


def test_a_miscompiled_operator_is_named_with_its_way_around_status_1_and_the_folder_is_there(
    in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("sum.tflite").write_bytes(miscompiled())
    assert run(["compile", "sum.tflite", "--npu", "U55-128", "--json", "sum.json"]) == 1
    document = answered(Path("sum.json").read_text())
    assert (document["exit_status"], document["error"]["kind"]) == (1, "fail")
    [fault] = record_in(Path("build/sum-u55-128")).faults
    assert fault in document["error"]["message"]
    captured = capfd.readouterr()
    assert f"operators: {fault}" in captured.out
    assert "build folder: build/sum-u55-128" in captured.out
    assert "deploy: error: sum on U55-128: operator 0 SUM (y) is miscompiled" in captured.err
    assert "way around: sum over one axis after another" in captured.err
    assert "the build folder build/sum-u55-128 was written all the same" in captured.err
    assert run(["report", "--quiet"]) == 0, "it is remembered as the build compiled last"


def test_an_output_that_nothing_writes_is_named_whatever_memory_holds(
    in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("zero.tflite").write_bytes(without_producer())
    for verify in ("quick", "none"):
        assert run(["compile", "zero.tflite", "--npu", "U55-128", "-o", "out", "-q", "--verify", verify]) == 1
        assert "output reserved: nothing in the compiled model writes it" in capfd.readouterr().err
    # Zeros are what the model says, and what an empty memory holds.
    assert run(["verify", "out", "--json", "verdict.json"]) == 1
    document = json.loads(Path("verdict.json").read_text())
    assert document["reason"].startswith("output reserved: nothing in the compiled model writes it")
    assert all(output["mismatches"] == 0 for output in document["outputs"])


def test_without_verification_nothing_is_compared_and_the_record_says_so(
    in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("sum.tflite").write_bytes(miscompiled())
    assert run(["compile", "sum.tflite", "--npu", "U55-128", "-o", "out", "--verify", "none"]) == 0
    assert "operators: not compared: all operators: compiled with --verify none" in capfd.readouterr().out
    Path("deploy.toml").write_text('verify = "none"\n')
    assert run(["compile", "sum.tflite", "--npu", "U55-128", "-o", "other", "-q"]) == 0
    for folder in (Path("out"), Path("other")):
        check = record_in(folder).check
        assert (check.source, check.left_out) == ("none", (SKIPPED,))


def test_a_check_that_its_kernels_end_does_not_end_compile(
    in_folder: Path,
    mlperf_tiny: dict[str, Path],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build_check, "check_build", lambda *_: os.abort())
    said = "operators: not compared: the kernels ended the check of operators (SIGABRT)"
    assert run(["compile", str(mlperf_tiny["anomaly_detection"]), "--npu", "U55-128", "-o", "out"]) == 0
    assert said in capfd.readouterr().out
    # What the command stream tells is told all the same.
    Path("sum.tflite").write_bytes(miscompiled())
    assert run(["compile", "sum.tflite", "--npu", "U55-128", "-o", "out"]) == 1
    assert said in capfd.readouterr().out


@pytest.mark.tensorflow
def test_a_float_model_is_quantized_on_the_way_and_its_heads_keep_their_names(
    in_folder: Path, tiny_keras_model: Path, tiny_samples: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", str(tiny_keras_model), "--npu", "U55-128", "--calibration", str(tiny_samples), "-o", "out"]
    assert run(words) == 0
    opened = BuildFolder.open(Path("out"))
    assert {record.name for record in opened.document.outputs} == {"garment", "kind"}
    assert {record.dtype for record in opened.document.outputs} == {"uint8"}
    source, compiled = tflite.read(opened.source), tflite.read(opened.compiled)
    for name, index in (source.signature.outputs if source.signature else {}).items():
        assert compiled.signature is not None
        other = compiled.tensors[compiled.signature.outputs[name]]
        assert other.quantization == source.tensors[index].quantization
    quantization = json.loads((opened.path / "quantize.json").read_text())
    assert quantization["calibration_samples"] == 24
    assert "Float against quantized model, 24 samples" in capfd.readouterr().out


def test_a_model_that_is_quantized_already_is_tested_with_the_data(
    in_folder: Path, tiny_tflite: Path, tiny_samples: Path
) -> None:
    words = ["compile", str(tiny_tflite), "--npu", "U55-128", "--data", str(tiny_samples), "-o", "out", "-q"]
    assert run([*words, "--advice", "none"]) == 0
    kept = BuildFolder.open(Path("out")).document.samples
    assert kept is not None and kept.source == str(tiny_samples)
    assert run(["verify", "out", "-q", "--json", "verdict.json"]) == 0
    assert json.loads(Path("verdict.json").read_text())["input_source"].startswith(str(tiny_samples))
    # What is kept for another model is not for this one.
    Path("deploy.toml").write_text('model = "other.tflite"\ncalibration = "gone.npz"\n')
    assert run(["compile", str(tiny_tflite), "--npu", "U55-128", "-o", "out", "-q", "--advice", "none"]) == 0


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


@pytest.mark.tensorflow
def test_a_network_by_name_compiles_with_its_options_and_says_that_its_weights_are_random(
    in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--set", "size=32", "--set", "heads=a:2,b:2", "--set", "alpha=0.25"]
    assert run(["compile", "models:multihead-mobilenetv3", *options, "--npu", "U55-64"]) == 0
    opened = BuildFolder.open(Path("build/multihead-mobilenetv3-size32-heads-a_2_b_2-alpha0.25-u55-64"))
    assert opened.document.inputs[0].shape == (1, 32, 32, 1)
    assert {record.name for record in opened.document.outputs} == {"a", "b"}
    note = (
        "random weights (multihead-mobilenetv3 brings no trained ones for these options): the figures are about "
    )
    assert [warning for warning in opened.document.warnings if warning.startswith(note)]
    captured = capfd.readouterr()
    assert captured.out.count(note) == 1
    assert captured.err == ""


@pytest.mark.tensorflow
@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_a_network_by_name_brings_trained_weights_and_data_of_its_own(demo_build: BuildFolder) -> None:
    # The folder's settings are for another model: its calibration data must not be taken.
    assert demo_build.document.warnings == ()
    quantization = json.loads((demo_build.path / "quantize.json").read_text())
    assert quantization["calibration"] == "multihead-mobilenetv3's own data"
    assert quantization["calibration_samples"] == 200
    assert all(output["top1_agreement"] > 0.9 for output in quantization["agreement"])


NETWORK = """
import keras
def net(size: int = 96, channels=8):
    image = keras.Input((size, size, 1), name="image")
    x = keras.layers.Conv2D(channels, 3, padding="same", activation="relu")(image)
    return keras.Model(image, keras.layers.Conv2D(2, 3, strides=2)(x))
"""


@pytest.mark.tensorflow
def test_a_function_of_the_users_own_takes_options_by_name(in_folder: Path) -> None:
    Path("mine.py").write_text(NETWORK)
    words = ["compile", "mine.py:net", "--npu", "U55-128", "--calibration", "random", "-q"]
    assert run([*words, "--set", "size=32", "--set", "channels=16"]) == 0
    document = BuildFolder.open(Path("build/mine_net-size32-channels16-u55-128")).document
    assert document.inputs[0].shape == (1, 32, 32, 1)
    assert document.warnings == (
        "calibrated with random images in [0, 1]: the figures are about time and memory, not about accuracy",
    )


@pytest.mark.slow
@pytest.mark.tensorflow
def test_what_does_not_fit_is_answered_with_sizes_and_memory_modes_that_were_tried(
    in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("mine.py").write_text(NETWORK)
    words = ["compile", "mine.py:net", "--npu", "U55-128", "--calibration", "random", "--sram-limit", "13K"]
    assert run(words) == 2
    captured = capfd.readouterr()
    assert "deploy: it does not fit; trying --set size=" in captured.err
    error = captured.err[captured.err.index("deploy: error: ") :]
    assert "more than --sram-limit of 13312 bytes" in error
    assert "try: --npu U65-256 --memory-mode Dedicated_Sram_384KB" in error
    assert not Path("build").exists()
    found = re.search(r"try: (--set size=\d+.*): the largest multiple of 32 that fits, ([\d,]+) bytes", error)
    assert found is not None
    assert run([*words, *found[1].split(" "), "-q", "-o", "out"]) == 0
    figure = BuildFolder.open(Path("out")).document.figure("sram_peak")
    assert figure is not None and figure.value == int(found[2].replace(",", ""))


@pytest.fixture(scope="module")
def float_tflite(tmp_path_factory: pytest.TempPathFactory, tiny_keras_model: Path) -> Path:
    """The tiny model converted without quantization."""
    from deploy.chatter import silenced
    from deploy.zoo import model_source

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
    assert "deploy quantize MODEL --data DATA" in error
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
        (["ad.tflite", "--npu", "U55-128", "--verify", "all"], "--verify all: choose none or quick"),
        (["ad.tflite", "--npu", "U55-128", "--sram-limit", "lots"], "--sram-limit lots: not a size"),
        (["ad.tflite", "--npu", "U55-128", "--sram-limit", "1K"], "more than --sram-limit of 1024 bytes"),
        (["gone.tflite", "--npu", "U55-128"], "gone.tflite: no such model"),
        (["cut.tflite", "--npu", "U55-128"], "cut.tflite"),
        (["noise.tflite", "--npu", "U55-128"], "noise.tflite: not a TFLite model"),
        (["float.keras", "--npu", "U65-256"], "deploy compile float.keras --npu U65-256 --calibration DATA"),
        (
            ["ad.tflite", "--npu", "U55-128", "--set", "size=96"],
            "ad.tflite is a finished model, it has no options",
        ),
        (["models:multihead-mobilenetv3", "--npu", "U55-128", "--set", "sise=96"], "did you mean 'size'?"),
        (["models:multihead-mobilenetv3", "--npu", "U55-128", "--set", "size=9"], "size is 9, must be 32 to 512"),
        (["models:multihead", "--npu", "U55-128"], "did you mean 'multihead-mobilenetv3'?"),
        (["ad.tflite", "--npu", "U55-128", "-o", "full"], "full: holds other files and is no build folder"),
        (["ad.tflite", "--npu", "U55-128", "-o", "ad.tflite"], "--output ad.tflite: is the file that MODEL reads"),
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
    zipfile.ZipFile("float.keras", "w").close()
    Path("full").mkdir()
    Path("full/notes.txt").touch()
    before = sorted(in_folder.rglob("*"))
    assert run(["compile", *words]) == 2
    error = capfd.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert sorted(in_folder.rglob("*")) == before


def test_a_model_with_nothing_on_the_npu_goes_through_every_step(
    in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    writer = GraphWriter()
    table = writer.tensor("table", (10, 4), "int8", 0.1, 0, np.arange(40, dtype=np.int8).reshape(10, 4))
    ids, y = writer.tensor("ids", (3,), "int32"), writer.tensor("y", (3, 4), "int8", 0.1)
    writer.operator("GATHER", [table, ids], [y], schema.GatherOptionsT())
    Path("gather.tflite").write_bytes(writer.finish({"ids": ids}, {"y": y}))
    assert run(["compile", "gather.tflite", "--npu", "U55-128", "-o", "out"]) == 0
    assert "nothing runs on the NPU" in capfd.readouterr().out
    for words in (["report", "out"], ["report", "out", "--format", "json"], ["verify", "out"]):
        assert run([*words, "-q"]) == 0
