"""The float model's labels: a build that was quantized here carries it, and predictions name what it says."""

import json
from pathlib import Path

import numpy as np
import pytest

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.chatter import silenced
from deploy.cli.main import run
from deploy.judging.float_outputs import float_outputs
from deploy.judging.inputs import random_inputs
from deploy.reporting.data.report import collect
from deploy.verifying.usual_inputs import usual_inputs

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def build(tiny_keras_model: Path, tiny_samples: Path, tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    folder = tmp_path_factory.mktemp("float") / "build"
    words = ["compile", str(tiny_keras_model), "--calibration", str(tiny_samples), "--npu", "U55-128", "-q"]
    assert run([*words, "-o", str(folder)]) == 0
    return BuildFolder.open(folder)


def test_the_float_model_of_a_build_computes_what_the_keras_model_computes(
    build: BuildFolder, tiny_keras_model: Path
) -> None:
    source = tflite.read(build.source)
    samples = random_inputs(source, 3).samples
    outputs = float_outputs(build.float_model, source, samples)
    scale = source.input_tensors[0].quantization
    assert scale is not None
    with silenced():
        import keras

        model = keras.models.load_model(tiny_keras_model)
    for sample, found in zip(samples, outputs, strict=True):
        real = (sample["image"].astype(np.float32) - scale.zero_points[0]) * scale.scales[0]
        for name, values in model(real).items():
            np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-6)


def test_a_verdict_names_the_float_models_labels_and_the_report_confuses_them(
    build: BuildFolder, tmp_path: Path
) -> None:
    assert run(["verify", str(build.path), "--count", "6", "-q", "--json", str(tmp_path / "v.json")]) == 0
    predictions = json.loads((tmp_path / "v.json").read_text())["predictions"]
    assert len(predictions) == 12
    source = tflite.read(build.source)
    outputs = float_outputs(build.float_model, source, usual_inputs(build, 6).samples)
    for prediction in predictions:
        expected = outputs[prediction["input"]][prediction["output"]].argmax()
        assert prediction["float_model"] == str(expected)
    confusions = collect(build).confusions["verify"]
    assert [confusion.against for confusion in confusions] == ["float model", "float model"]
    assert all(sum(confusion.counts.values()) == 6 for confusion in confusions)


def test_without_a_usable_float_model_there_are_no_labels_and_no_error(build: BuildFolder, tmp_path: Path) -> None:
    source = tflite.read(build.source)
    samples = random_inputs(source, 1).samples
    (tmp_path / "float.tflite").write_bytes(b"no model at all")
    assert float_outputs(None, source, samples) == ()
    assert float_outputs(tmp_path / "float.tflite", source, samples) == ()
    assert float_outputs(build.compiled, source, samples) == (), "with a custom operator LiteRT cannot run it"
