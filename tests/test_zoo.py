"""The model zoo: finding, building, and the ``deploy models`` commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from answers import answered

from deploy import user_function, zoo
from deploy.cli.main import run
from deploy.errors import BadInputError, NotInstalledError
from deploy.models.datasets import fashion_mnist
from deploy.models.multihead_mobilenetv3.builder import Options
from deploy.quantizing.float_model import INSTALL_TENSORFLOW
from deploy.zoo.project import read

pytestmark = pytest.mark.early

NAME = "multihead-mobilenetv3"
TRAINED_ON = "Fashion-MNIST, heads garment (10 classes) and kind (5)"

needs_data = pytest.mark.skipif(
    not fashion_mnist.FOLDER.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)


def test_every_project_describes_itself_and_its_files_exist() -> None:
    found = zoo.projects()
    assert NAME in [project.name for project in found]
    for project in found:
        assert project.summary and project.parameters > 0
        assert (project.folder / "README.md").is_file()
        for item in project.pretrained:
            assert (project.folder / item.weights).is_file()


def test_the_description_names_options_that_exist() -> None:
    for project in zoo.projects():
        known = set(vars(zoo.options(project)))
        for item in project.pretrained:
            assert set(item.options) | set(item.any) <= known


def test_underscores_and_hyphens_name_the_same_project() -> None:
    assert zoo.find("Multihead_MobileNetV3") == zoo.find(NAME)


@pytest.mark.parametrize("wrong", ["multihead-mobilenet", "multhead-mobilenetv3"])
def test_an_unknown_name_is_answered_with_the_nearest(wrong: str) -> None:
    with pytest.raises(BadInputError, match=f"no model is called '{wrong}'; did you mean '{NAME}'"):
        zoo.find(wrong)


def test_options_are_read_as_the_types_of_their_defaults() -> None:
    project = zoo.find(NAME)
    assignments = ["alpha=1", "channels=3", "size=96", "heads=left:3,right:4", "softmax=yes", "hidden=1024"]
    assert zoo.options(project, assignments) == Options(
        alpha=1.0, channels=3, size=96, heads={"left": 3, "right": 4}, softmax=True, hidden=1024
    )


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("alfa=0.5", "has no option 'alfa'; did you mean 'alpha'"),
        ("alpha", "must be KEY=VALUE"),
        ("alpha=half", "not a usable value: could not convert string to float"),
        ("size=5.5", "not a usable value: invalid literal for int"),
        ("size=" + "9" * 5000, "not a usable value"),
        ("softmax=maybe", "not a usable value: true or false"),
        ("heads=a", "not a usable value"),
        ("heads=a:2,a:3", "a name stands twice"),
        ("alpha=0.3", "alpha is 0.3, must be one of"),
    ],
)
def test_a_wrong_option_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(message)):
        zoo.options(zoo.find(NAME), [assignment])


def test_the_trained_weights_are_refused_for_a_network_that_they_do_not_fit() -> None:
    with pytest.raises(BadInputError, match="brings no trained weights") as raised:
        zoo.build(NAME, ["alpha=1.0"])
    assert raised.value.hints[0].startswith("it brings weights for: alpha=0.25; alpha=0.5")


@pytest.mark.tensorflow
def test_without_being_told_a_network_gets_trained_weights_where_there_are_some() -> None:
    assert zoo.network(NAME, ["alpha=0.5"]).trained.startswith("Fashion-MNIST")
    random = zoo.network(NAME, ["alpha=1.0", "size=32"])
    assert random.trained == "" and random.options.alpha == 1.0
    again = zoo.network(NAME, ["alpha=1.0", "size=32"]).model
    assert all((a == b).all() for a, b in zip(random.model.get_weights(), again.get_weights(), strict=True))


@pytest.mark.tensorflow
def test_settling_gives_batch_normalization_the_averages_of_the_data_and_keeps_its_momentum() -> None:
    model = zoo.build(NAME, ["size=32"], trained=False)
    images = np.random.default_rng(0).random((4, 32, 32, 1), np.float32)
    before = np.abs(model(images)["garment"]).max()
    zoo.settle(model, images)
    assert before < 1e-3 < np.abs(model(images)["garment"]).max()
    momenta = {layer.momentum for layer in model.layers if type(layer).__name__ == "BatchNormalization"}
    assert momenta == {Options().batch_norm_momentum}


@pytest.mark.tensorflow
def test_the_trained_weights_serve_other_sizes_and_a_softmax() -> None:
    sizes = zoo.build(NAME, ["size=96", "softmax=true"])
    assert sizes.input_shape == (None, 96, 96, 1)
    trained, untrained = zoo.build(NAME), zoo.build(NAME, trained=False)
    assert all((a == b).all() for a, b in zip(sizes.get_weights(), trained.get_weights(), strict=True))
    assert not (trained.get_weights()[0] == untrained.get_weights()[0]).all()


@pytest.mark.tensorflow
@pytest.mark.parametrize("content", [None, b"", b"not an HDF5 file", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_weights_file_that_is_missing_or_damaged_is_refused(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "x.weights.h5"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadInputError, match=re.escape(str(file))):
        zoo.build(NAME, weights=file)


@pytest.mark.tensorflow
def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.weights.h5"
    zoo.build(NAME, ["heads=a:2"], trained=False).save_weights(file)
    with pytest.raises(BadInputError, match="not weights of this network"):
        zoo.build(NAME, weights=file)


def test_without_tensorflow_the_message_says_what_to_install(without_tensorflow: None) -> None:
    with pytest.raises(NotInstalledError, match="need TensorFlow") as raised:
        zoo.build(NAME)
    assert raised.value.hints[0] == INSTALL_TENSORFLOW


def test_a_damaged_description_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for text in ("name = ", 'name = "x"\n', 'pretrained = 3\nname = "x"'):
        (folder / "project.toml").write_text(text)
        with pytest.raises(BadInputError, match=r"broken/project\.toml: not a usable project description"):
            read(folder)


def test_list_shows_every_model_without_importing_tensorflow() -> None:
    code = (
        "import sys; from deploy.cli.main import run; status = run(['models', 'list']); "
        "loaded = {'tensorflow', 'keras', 'numpy'} & set(sys.modules); "
        "print('loaded:', sorted(loaded)); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert f"{NAME}  102,335 parameters  56x56x1" in done.stdout
    assert "licence of the data: Fashion-MNIST: MIT" in done.stdout
    assert "loaded: []" in done.stdout


@pytest.mark.tensorflow
def test_build_writes_a_keras_file_that_loads(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import keras

    file = tmp_path / "new" / "model.keras"
    assert run(["models", "build", NAME, "-o", str(file), "--json", str(tmp_path / "m.json")]) == 0
    document = answered((tmp_path / "m.json").read_text())
    assert (document["parameters"], document["written"]) == (102_335, [str(file)])
    assert capfd.readouterr() == (f"{file}: {NAME}, 102,335 parameters, weights: trained on {TRAINED_ON}\n", "")
    model = keras.models.load_model(file, compile=False)
    assert list(model.output) == ["garment", "kind"]
    assert [path.name for path in file.parent.iterdir()] == ["model.keras"]


@pytest.mark.tensorflow
def test_build_says_when_the_options_leave_only_random_weights(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.keras"
    options = ["--set", "alpha=0.5", "--set", "channels=3", "--set", "size=64", "--set", "heads=a:3,b:2"]
    assert run(["models", "build", NAME, *options, "-o", str(file)]) == 0
    assert capfd.readouterr().out.endswith("weights: random\n")
    with zipfile.ZipFile(file) as archive:
        assert "model.weights.h5" in archive.namelist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "nothing-like-it"], "no model is called 'nothing-like-it'"),
        (["build", NAME, "-o", "model.h5"], "must end in .keras"),
        (["build", NAME, "--trained", "--set", "alpha=1.0"], "brings no trained weights"),
        (["train", NAME, "-o", "weights.bin"], "must end in .weights.h5"),
        (["train", "mobilenet"], "no model is called 'mobilenet'"),
        (["data", "mobilenet"], "no model is called 'mobilenet'"),
        (["card", "mobilenet"], "no model is called 'mobilenet'"),
        (["card", NAME, "--set", "alpha=0.5"], "--set goes with --measure"),
        (["card", NAME, "--measure", "--npu", "U54-128"], "--npu U54-128: no such NPU"),
        (["card", NAME, "--measure", "--set", "alpa=1"], "did you mean 'alpha'"),
    ],
)
def test_bad_input_ends_with_exit_status_2_and_one_message(
    arguments: list[str],
    message: str,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["models", *arguments]) == 2
    captured = capfd.readouterr()
    assert captured.err.startswith("deploy: error: ") and message in captured.err
    assert not list(tmp_path.iterdir())


def test_a_role_may_be_played_by_the_function_of_a_library() -> None:
    from deploy.models.datasets import face_data

    assert zoo.function(zoo.find("featherface-v1"), "data") is face_data.write


@needs_data
@pytest.mark.tensorflow
def test_the_projects_files_serve_as_model_and_data_by_function() -> None:
    folder = zoo.find(NAME).folder
    assert user_function.call(f"{folder}/builder.py:demo").count_params() == 102_335
    assert user_function.call(f"{folder}/fashion_mnist.py:calibration").shape == (300, 56, 56, 1)


@needs_data
def test_data_writes_what_quantize_and_run_fvp_take(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["models", "data", NAME, "-o", str(tmp_path), "--count", "16", "--json", str(tmp_path / "d.json")]
    assert run(words) == 0
    files = [tmp_path / name for name in ("calibration.npz", "test.npz", "labels.json")]
    assert capfd.readouterr().out.splitlines() == [str(file) for file in files]
    assert answered((tmp_path / "d.json").read_text())["files"] == [str(file) for file in files]
    labels = json.loads(files[2].read_text())
    assert {head: len(item["true"]) for head, item in labels.items()} == {"garment": 16, "kind": 16}
