"""Files of Keras 2 load where Keras 3 can have what is in them; elsewhere the message says what it is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInputError
from deploy.quantizing.float_model import import_keras
from deploy.zoo import keras_files

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def depthwise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras = import_keras()
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.DepthwiseConv2D(3), keras.layers.Flatten()])
    path = tmp_path_factory.mktemp("files") / "net.h5"
    network.save(path)
    return path


def changed(path: Path, to: Path, **changes: Any) -> Path:
    """The file with other entries of its depthwise convolution."""
    import h5py

    to.write_bytes(path.read_bytes())
    with h5py.File(to, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layer = next(entry for entry in config["config"]["layers"] if entry["class_name"] == "DepthwiseConv2D")
        layer["class_name"] = changes.pop("class_name", layer["class_name"])
        layer.pop("module", None)
        layer.pop("registered_name", None)
        layer["config"] |= changes
        file.attrs["model_config"] = json.dumps(config)
    return to


def test_a_depthwise_convolution_of_keras_2_says_groups_and_loads(depthwise: Path, tmp_path: Path) -> None:
    path = changed(depthwise, tmp_path / "keras2.h5", groups=1)
    images = np.random.default_rng(0).random((2, 6, 6, 3)).astype(np.float32)
    answers = [np.asarray(keras_files.load(file, "net.h5")(images)) for file in (depthwise, path)]
    np.testing.assert_array_equal(*answers)


def test_another_argument_that_keras_3_does_not_have_is_named(depthwise: Path, tmp_path: Path) -> None:
    path = changed(depthwise, tmp_path / "odd.h5", wobble=3)
    with pytest.raises(BadInputError, match=r"Keras 3 has no \{'wobble': 3\} for DepthwiseConv2D"):
        keras_files.load(path, "odd.h5")


@pytest.mark.parametrize(
    ("class_name", "reason", "hint"),
    [
        ("QuantizeWrapperV2", "quantization-aware training", "TFLiteConverter"),
        ("PruneLowMagnitude", "wrapped for pruning", "strip_pruning"),
        ("TFOpLambda", "functions of TensorFlow", "model.export"),
    ],
)
def test_layers_of_keras_2_that_keras_3_lacks_are_explained(
    depthwise: Path, tmp_path: Path, class_name: str, reason: str, hint: str
) -> None:
    path = changed(depthwise, tmp_path / "old.h5", class_name=class_name)
    with pytest.raises(BadInputError, match=reason) as error:
        keras_files.load(path, "old.h5")
    assert hint in error.value.hints[0]
