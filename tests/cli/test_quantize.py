"""deploy quantize: what it writes and prints, and the exit status and message of every fault."""

import json
from pathlib import Path

import numpy as np
import pytest
from answers import answered

from deploy import tflite
from deploy.cli.main import run

pytestmark = pytest.mark.tensorflow


def test_the_model_the_table_and_the_document_agree(
    in_folder: Path, tiny_keras_model: Path, tiny_samples: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["quantize", str(tiny_keras_model), "--calibration", str(tiny_samples), "--samples", "10"]
    assert run([*words, "--io", "int8", "-o", "net.tflite", "--json", "net.json"]) == 0
    captured = capfd.readouterr()
    document = answered(Path("net.json").read_text())
    model = tflite.read(Path("net.tflite"))
    assert document["schema_version"] == 1
    assert document["io"] == "int8"
    assert document["calibration_samples"] == 10
    assert {output["name"] for output in document["agreement"]} == set(model.output_names().values())
    assert {"mae", "rmse", "max_abs", "cosine", "top1_agreement"} <= set(document["agreement"][0])
    assert {"tensorflow", "keras", "ai-edge-litert"} == set(document["versions"])
    for text in ("Float against quantized model, 10 samples", "garment", "kind", "net.tflite: "):
        assert text in captured.out
    assert len(captured.out.splitlines()) < 15, "the converter's chatter is not held back"
    assert captured.err == ""


def test_settings_of_the_project_make_quantize_a_complete_command(
    in_folder: Path, tiny_keras_model: Path, tiny_samples: Path
) -> None:
    Path("deploy.toml").write_text(f'model = "{tiny_keras_model}"\ncalibration = "{tiny_samples}"\nsamples = 4\n')
    assert run(["quantize", "--quiet"]) == 0
    assert tflite.read(Path("tiny.tflite")).input_tensors[0].dtype == "uint8"


def test_a_float_file_with_an_open_batch_that_computes_shapes_is_quantized_with_a_batch_of_1(
    in_folder: Path, tiny_keras_model: Path, tiny_samples: Path
) -> None:
    from deploy.chatter import silenced
    from deploy.tflite.arithmetic import float_operators

    with silenced():
        import keras
        import tensorflow as tf

        x = keras.Input((16, 16, 1), name="image")
        net = keras.Model(x, keras.layers.Dense(4)(keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(x))))
        Path("open.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(net).convert())
    assert "SHAPE" in {operator.code for operator in tflite.read(Path("open.tflite")).operators}
    assert (
        run(["quantize", "open.tflite", "--data", str(tiny_samples), "-o", "n.tflite", "--json", "n.json", "-q"])
        == 0
    )
    made = tflite.read(Path("n.tflite"))
    assert float_operators(made) == ()
    assert "SHAPE" not in {operator.code for operator in made.operators}
    assert "open shapes are fixed, batch 1: " in json.loads(Path("n.json").read_text())["warnings"][0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no MODEL given"),
        (["tiny.keras"], "deploy quantize tiny.keras --calibration DATA"),
        (["gone.keras", "--calibration", "d.npz"], "gone.keras: no such model"),
        (["tiny.keras", "--calibration", "gone.npz"], "gone.npz: no such file"),
        (["tiny.keras", "--calibration", "nan.npz"], "holds NaN or infinity (2 of 2 samples"),
        (
            ["tiny.keras", "--calibration", "shape.npz"],
            "has shape [2, 8, 8, 1], the model takes [samples, 16, 16, 1]",
        ),
        (["tiny.keras", "--calibration", "bytes.npz"], "is uint8, the model takes float32"),
        (["tiny.keras", "--calibration", "d.npz", "--io", "int16"], "--io int16: choose uint8 or int8"),
        (["tiny.keras", "--calibration", "d.npz", "--samples", "0"], "Invalid value for '--samples'"),
        (["done.tflite", "--calibration", "d.npz"], "done.tflite: not a TFLite model"),
        (["tiny.keras", "--calibration", "d.npz", "--precision", "int4"], "choose int8 or int16x8"),
        (["tiny.keras", "--calibration", "d.npz", "-o", "folder"], "folder: cannot be written: it is a folder"),
        (["tiny.keras", "--calibration", "d.npz", "-o", "done.tflite/x"], "cannot be written"),
        (["net.py:broken", "--calibration", "d.npz"], "net.py:broken: line 2: ValueError: no such layer"),
    ],
)
def test_faults_end_with_status_2_and_say_what_is_wrong(
    in_folder: Path,
    tiny_keras_model: Path,
    words: list[str],
    message: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    Path("tiny.keras").symlink_to(tiny_keras_model)
    Path("folder").mkdir()
    Path("done.tflite").touch()
    Path("net.py").write_text("def broken():\n    raise ValueError('no such layer')\n")
    np.savez("d.npz", image=np.zeros((2, 16, 16, 1), np.float32))
    np.savez("nan.npz", image=np.full((2, 16, 16, 1), np.nan, np.float32))
    np.savez("shape.npz", image=np.zeros((2, 8, 8, 1), np.float32))
    np.savez("bytes.npz", image=np.zeros((2, 16, 16, 1), np.uint8))
    before = sorted(in_folder.iterdir())
    assert run(["quantize", *words]) == 2
    error = capfd.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert sorted(in_folder.iterdir()) == before


def test_without_tensorflow_the_status_is_3(
    in_folder: Path,
    tiny_keras_model: Path,
    tiny_samples: Path,
    without_tensorflow: None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["quantize", str(tiny_keras_model), "--calibration", str(tiny_samples)]) == 3
    assert "pip install tensorflow==" in capfd.readouterr().err
