"""Every form of MODEL is recognised, loaded and frozen with its names; what cannot be is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInputError, NotInstalledError
from deploy.quantizing.float_model import INSTALL_TENSORFLOW, FloatModel
from deploy.zoo import model_source
from deploy.zoo.model_source import ModelKind

tensorflow = pytest.mark.tensorflow

BUILDERS = """
import keras
def two_inputs():
    a = keras.Input((4,), name="left hand")
    b = keras.Input((2, 2, 1), name="right")
    y = keras.layers.Add()([keras.layers.Dense(3, name="d")(a), keras.layers.Dense(3)(keras.layers.Flatten()(b))])
    heads = [keras.layers.Dense(2, name=name)(y) for name in ("one", "two")]
    return keras.Model({"z": b, "y": a}, heads)
def sequential():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
def unbuilt():
    return keras.Sequential([keras.layers.Dense(3)])
def open_size():
    return keras.Sequential([keras.Input((None, None, 1), name="picture"), keras.layers.Conv2D(2, 3)])
def custom():
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x
    return keras.Sequential([keras.Input((4,)), Mine()])
def number():
    return 3
"""


@pytest.fixture
def builders(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(BUILDERS)
    return str(tmp_path / "net.py")


def load(text: str) -> FloatModel:
    return model_source.load_float(model_source.parse(text))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.tflite", ModelKind.TFLITE), ("my net.keras", ModelKind.KERAS), ("b.H5", ModelKind.KERAS)],
)
def test_files_are_recognised_by_their_suffix(tmp_path: Path, name: str, kind: ModelKind) -> None:
    (tmp_path / name).touch()
    source = model_source.parse(str(tmp_path / name))
    assert source.kind is kind
    assert source.name == Path(name).stem.replace(" ", "_")


def test_functions_and_projects_are_recognised_by_their_form() -> None:
    assert model_source.parse("dir/net.py:build").kind is ModelKind.FUNCTION
    assert model_source.parse("dir/net.py:build").path == Path("dir/net.py")
    assert model_source.parse("models:multihead_mobilenetv3").kind is ModelKind.PROJECT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gone.keras", "no such model"),
        ("net.py", "not a model that can be loaded"),
        ("folder", "not a SavedModel"),
        ("models:nothing_like_it", "no model is called"),
    ],
)
def test_anything_else_is_refused(in_folder: Path, text: str, message: str) -> None:
    (in_folder / "net.py").touch()
    (in_folder / "folder").mkdir()
    with pytest.raises(BadInputError, match=message) as caught:
        model_source.parse(text)
    assert caught.value.hints


@tensorflow
def test_keras_h5_and_savedmodel_give_the_same_numbers_under_the_same_names(
    tiny_keras_model: Path, tmp_path: Path
) -> None:
    import keras

    from deploy.chatter import silenced

    with silenced():
        original = keras.models.load_model(tiny_keras_model)
        original.save(tmp_path / "tiny.h5")
        original.export(tmp_path / "saved", verbose=False)
    image = np.random.default_rng(0).random((1, 16, 16, 1), dtype=np.float32)
    expected = original(image)
    for text in (tiny_keras_model, tmp_path / "tiny.h5", tmp_path / "saved"):
        model = load(str(text))
        assert [str(spec) for spec in model.inputs] == ["image: float32[1, 16, 16, 1]"]
        outputs = model.run({"image": image})
        assert set(outputs) == set(model.outputs) == {"garment", "kind"}
        for name, values in outputs.items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)


@tensorflow
def test_inputs_given_as_a_dictionary_and_outputs_as_a_list_keep_their_layer_names(builders: str) -> None:
    model = load(f"{builders}:two_inputs")
    assert {spec.name: spec.shape for spec in model.inputs} == {"left_hand": (1, 4), "right": (1, 2, 2, 1)}
    assert set(model.outputs) == {"one", "two"}
    zeros = {"left_hand": np.zeros((1, 4), np.float32), "right": np.zeros((1, 2, 2, 1), np.float32)}
    base = model.run(zeros)
    moved = model.run({**zeros, "right": np.ones((1, 2, 2, 1), np.float32)})
    assert not np.array_equal(base["one"], moved["one"])


@tensorflow
def test_a_sequential_model_with_an_input_is_accepted(builders: str) -> None:
    model = load(f"{builders}:sequential")
    assert model.inputs[0].shape == (1, 4)
    assert model.name == "net_sequential"


@tensorflow
def test_a_function_gives_the_same_random_weights_each_time(builders: str) -> None:
    zeros = {"left_hand": np.ones((1, 4), np.float32), "right": np.ones((1, 2, 2, 1), np.float32)}
    first, second = (load(f"{builders}:two_inputs").run(zeros) for _ in range(2))
    np.testing.assert_array_equal(first["one"], second["one"])
    assert first["one"].any()


@tensorflow
@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("unbuilt", "the Keras model has no defined inputs"),
        ("open_size", r"input picture has shape \[None, None, None, 1\]"),
        ("number", r"returned builtins\.int, expected a Keras model"),
    ],
)
def test_models_that_cannot_be_frozen_are_refused(builders: str, function: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        load(f"{builders}:{function}")


@tensorflow
def test_a_file_with_custom_layers_is_refused_with_the_way_out(builders: str, tmp_path: Path) -> None:
    from deploy import user_function
    from deploy.chatter import silenced

    with silenced():
        user_function.call(f"{builders}:custom").save(tmp_path / "custom.keras")
        import keras

        keras.saving.get_custom_objects().clear()
    with pytest.raises(BadInputError, match="Keras cannot load it") as caught:
        load(str(tmp_path / "custom.keras"))
    assert "FILE.py:function" in caught.value.hints[0]


@tensorflow
@pytest.mark.parametrize("name", ["tiny.keras", "tiny.h5"])
def test_truncated_and_random_files_are_refused(tiny_keras_model: Path, tmp_path: Path, name: str) -> None:
    damaged = tmp_path / name
    for content in (tiny_keras_model.read_bytes()[:3000], np.random.default_rng(0).bytes(5000)):
        damaged.write_bytes(content)
        with pytest.raises(BadInputError, match="Keras cannot load it"):
            load(str(damaged))


@tensorflow
def test_a_damaged_savedmodel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(BadInputError, match="TensorFlow cannot load the SavedModel"):
        load(str(tmp_path / "saved"))
    shutil.rmtree(tmp_path / "saved")


@tensorflow
def test_the_signature_of_a_savedmodel_is_chosen_and_the_others_are_named(tmp_path: Path) -> None:
    import tensorflow as tf

    module, spec = tf.Module(), tf.TensorSpec((None, 4), tf.float32, name="x")
    module.double = tf.function(lambda x: {"twice": x + x}, input_signature=[spec])
    module.square = tf.function(lambda x: {"squared": x * x}, input_signature=[spec])
    folder = str(tmp_path / "saved")
    tf.saved_model.save(module, folder, signatures={"double": module.double, "square": module.square})
    with pytest.raises(BadInputError, match=r"2 signatures \(double, square\)"):
        load(folder)
    with pytest.raises(BadInputError, match=r"no signature cube \(its signatures: double, square\)"):
        model_source.load_float(model_source.parse(folder, (), "cube"))
    source = model_source.parse(folder, (), "square")
    model = model_source.load_float(source)
    assert (source.name, source.signature_of_file) == ("saved-square", None)
    assert model.outputs == ("squared",)
    assert model.notes == ("signature square is taken; --signature chooses another one: double",)


def test_a_keras_model_has_no_signatures_to_choose_from(tmp_path: Path) -> None:
    (tmp_path / "net.keras").touch()
    with pytest.raises(BadInputError, match=r"--signature other: .*net.keras is a Keras model"):
        model_source.parse(str(tmp_path / "net.keras"), (), "other")


def test_without_tensorflow_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.keras").touch()
    monkeypatch.setitem(__import__("sys").modules, "keras", None)
    with pytest.raises(NotInstalledError) as caught:
        load(str(tmp_path / "a.keras"))
    assert caught.value.hints[0] == INSTALL_TENSORFLOW
