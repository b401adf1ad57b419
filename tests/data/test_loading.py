"""Labelled sets in every form they come in, and what does not fit the model, refused by name."""

import json
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy import tflite
from deploy.data.heads import Head, heads_of
from deploy.data.labels import load_labels
from deploy.data.loading import open_data
from deploy.data.model_inputs import real_inputs
from deploy.data.specs import specs_of
from deploy.data.stream import Batch, DataStream, Request
from deploy.errors import BadInputError
from deploy.judging.inputs import given_inputs
from deploy.judging.samples import SampleDigest
from deploy.tflite import Model

CLASSES = 10


@pytest.fixture(scope="module")
def model(mlperf_tiny: dict[str, Path]) -> Model:
    """ResNet-8: one int8 input ``[1, 32, 32, 3]`` that takes pixels 0 to 255, one output of ten classes."""
    return tflite.read(mlperf_tiny["image_classification"])


@pytest.fixture(scope="module")
def head(model: Model) -> Head:
    (found,) = heads_of(model).values()
    return found


def opened(model: Model, source: Path | str, **fields: Any) -> DataStream:
    """A labelled set for a model; ``labels`` is the path of a labels file."""
    path = fields.pop("labels", None)
    labels = load_labels(path, model) if path else {}
    asked = {"heads": heads_of(model), "labelled": True, **fields}
    request = Request(str(source), specs_of(model), labels=labels, labels_file=path, **asked)
    return open_data(source, request)


def read(data: DataStream, size: int = 5) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[int]]:
    """All of a set: inputs as the model takes them, labels, and the sizes of its batches."""
    batches = list(data.batches(size))
    inputs = {name: np.concatenate([batch.stored[name] for batch in batches]) for name in batches[0].stored}
    labels = {name: np.concatenate([batch.true[name] for batch in batches]) for name in batches[0].true}
    assert [batch.first for batch in batches] == [size * i for i in range(len(batches))]
    return inputs, labels, [len(batch) for batch in batches]


def pixels(count: int = 12) -> np.ndarray:
    return np.random.default_rng(5).integers(-128, 128, (count, 32, 32, 3)).astype(np.int8)


def test_an_npz_with_labels_is_read_in_batches(model: Model, head: Head, tmp_path: Path) -> None:
    images, labels = pixels(), np.arange(12) % CLASSES
    np.savez(tmp_path / "d.npz", image=images, labels=labels, classes=np.array([f"c{i}" for i in range(10)]))
    data = opened(model, tmp_path / "d.npz")
    inputs, true, sizes = read(data)
    (stored,) = inputs.values()
    assert np.array_equal(stored[:, 0], images)
    assert true[head.name].tolist() == labels.tolist()
    assert (data.count, sizes) == (12, [5, 5, 2])
    assert data.names == {head.name: tuple(f"c{i}" for i in range(10))}
    few = opened(model, tmp_path / "d.npz", count=3)
    assert few.count == 3 and read(few)[2] == [3]


def test_of_a_large_set_only_a_batch_is_in_memory(model: Model, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", image=np.zeros((6000, 32, 32, 3), np.int8), labels=[1] * 6000)
    tracemalloc.start()
    data = opened(model, tmp_path / "d.npz")
    assert sum(len(batch) for batch in data.batches(64)) == 6000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000 < 6000 * 32 * 32 * 3


def test_labels_may_come_in_a_file_of_their_own_and_win(model: Model, head: Head, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", image=pixels(4))
    np.savez(tmp_path / "both.npz", image=pixels(4), labels=[9, 9, 9, 9])
    document = {head.name: {"classes": [f"n{i}" for i in range(10)], "true": [0, 1, 2, 3]}}
    (tmp_path / "l.json").write_text(json.dumps(document))
    for name in ("d.npz", "both.npz"):
        data = opened(model, tmp_path / name, labels=tmp_path / "l.json")
        assert read(data)[1][head.name].tolist() == [0, 1, 2, 3]
        assert data.names[head.name][1] == "n1"


def test_the_digest_is_that_of_a_verdict_on_the_same_inputs(model: Model, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", image=pixels(7), labels=np.zeros(7, np.uint8))
    np.savez(tmp_path / "i.npz", image=pixels(7))
    digest = SampleDigest()
    for batch in opened(model, tmp_path / "d.npz").batches(3):
        digest.add(batch.samples)
    assert digest.hexdigest() == given_inputs(tmp_path / "i.npz", model).sha256


def test_real_values_are_quantized_and_kept_for_the_float_model(model: Model, tmp_path: Path) -> None:
    (tensor,) = model.input_tensors
    assert tensor.quantization
    scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]
    integers = pixels(3)
    reals = ((integers.astype(np.float64) - zero_point) * scale).astype(np.float32)
    np.savez(tmp_path / "r.npz", image=reals, labels=[0, 1, 2])
    np.savez(tmp_path / "i.npz", image=integers, labels=[0, 1, 2])
    (from_reals,) = opened(model, tmp_path / "r.npz").batches(9)
    (from_integers,) = opened(model, tmp_path / "i.npz").batches(9)
    (name,) = from_reals.stored
    assert np.array_equal(from_reals.stored[name], from_integers.stored[name])
    assert np.array_equal(real_inputs(model, from_reals)[name][:, 0], reals)
    assert np.allclose(real_inputs(model, from_integers)[name][:, 0], reals, rtol=1e-6)
    assert from_integers.given == {}


def test_class_folders_are_numbered_by_name_or_by_the_labels_file(
    model: Model, head: Head, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    for number in range(CLASSES):
        inner = folder / f"class{number}" / "deeper"
        inner.mkdir(parents=True)
        for i in range(2):
            Image.new("L", (40, 50), color=25 * number).save(inner / f"{i}.png")
        (inner / "readme.txt").write_text("no image")
    (folder / ".hidden").mkdir()
    data = opened(model, folder)
    inputs, true, _ = read(data)
    assert true[head.name].tolist() == [number for number in range(CLASSES) for _ in range(2)]
    assert data.names[head.name][3] == "class3"
    (stored,) = inputs.values()
    assert stored.shape == (20, 1, 32, 32, 3) and stored.dtype == np.int8
    assert stored[0].max() < stored[-1].min()
    spread = opened(model, folder, count=10)
    assert read(spread)[1][head.name].tolist() == list(range(CLASSES))
    names = [f"class{number}" for number in reversed(range(CLASSES))]
    (tmp_path / "l.json").write_text(json.dumps({head.name: {"classes": names}}))
    renumbered = opened(model, folder, labels=tmp_path / "l.json")
    assert read(renumbered)[1][head.name].tolist() == [9 - number for number in range(CLASSES) for _ in range(2)]
    assert len(data.notes) == 1 and "class 0 of" in data.notes[0] and "class9: folders" in data.notes[0]
    assert renumbered.notes == ()
    for image in (folder / "class4" / "deeper").glob("*.png"):
        image.unlink()
    assert "no images of class4" in opened(model, folder).notes
    shutil.rmtree(folder / "class5")
    lacking = opened(model, folder, labels=tmp_path / "l.json")
    assert lacking.notes == ("no images of class5, class4",)


FUNCTIONS = """
import numpy as np
rng = np.random.default_rng(5)
images = rng.integers(-128, 128, (6, 32, 32, 3)).astype(np.int8)
read = []
def dictionary(): return {"image": images, "labels": np.arange(6)}
def pair(): return images, [0, 1, 2, 3, 4, 5]
def named(): return {"image": images}, {OUTPUT: np.arange(6)}
def with_names(): return {**dictionary(), "classes": np.array([f"c{i}" for i in range(10)])}
def stream():
    for i in range(10 ** 9):
        assert i < 8, "read too far"
        yield images[i % 6], i % 6
def stream_of_six():
    for i in range(6):
        yield {"image": images[i]}, {OUTPUT: i}
def broken():
    yield images[0], 0
    raise ValueError("out of film")
def no_pair():
    yield images[0]
def no_label():
    yield images[0], None
def other_output():
    yield images[0], {"colour": 1}
def wrong_shape():
    yield images[0, :9], 1
def missing_later():
    yield images[0], {OUTPUT: 1}
    yield images[1], {}
def nothing(): return iter(())
def text(): return "images"
"""


@pytest.fixture(scope="module")
def functions(head: Head, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("functions") / "data.py"
    path.write_text(FUNCTIONS.replace("OUTPUT", repr(head.name)))
    return str(path)


@pytest.mark.parametrize("name", ["dictionary", "pair", "named", "stream", "stream_of_six"])
def test_a_function_may_return_arrays_or_a_stream(name: str, functions: str, model: Model, head: Head) -> None:
    data = opened(model, f"{functions}:{name}", count=6)
    inputs, true, sizes = read(data, 4)
    assert true[head.name].tolist() == list(range(6))
    assert np.array_equal(next(iter(inputs.values()))[:, 0], pixels(6))
    assert sizes == [4, 2]


def test_the_arrays_of_a_function_may_name_the_classes_as_those_of_a_file_do(
    functions: str, model: Model, head: Head
) -> None:
    data = opened(model, f"{functions}:with_names")
    assert data.names == {head.name: tuple(f"c{i}" for i in range(10))}
    assert read(data)[1][head.name].tolist() == list(range(6))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "ValueError: out of film"),
        ("no_pair", "sample 0 is ndarray, expected (input, label)"),
        ("no_label", "its label is no class number"),
        ("other_output", "the model has no output colour with classes"),
        ("wrong_shape", "has shape [1, 9, 32, 3]"),
        ("missing_later", "label -1 of input 1 is none of the 10 classes"),
        ("nothing", "gave no samples"),
        ("text", "returned str, expected an array, a dictionary of arrays"),
        ("gone", "there is no function gone"),
    ],
)
def test_a_function_that_gives_something_else_is_refused(
    name: str, message: str, functions: str, model: Model
) -> None:
    with pytest.raises(BadInputError) as caught:
        read(opened(model, f"{functions}:{name}"))
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"image": pixels(2)}, "no labels in it (it holds image)"),
        ({"labels": [0, 1]}, "no array named"),
        (
            {"image": pixels(2), "labels": [0, 1, 2]},
            "inputs and labels do not belong together: image 2, labels of",
        ),
        ({"image": pixels(2), "labels": [0, 10]}, "label 10 of input 1 is none of the 10 classes"),
        ({"image": pixels(2), "labels": [0, -1]}, "label -1 of input 1 is none of the 10 classes"),
        ({"image": pixels(2), "labels": [0.0, 1.0]}, "labels are float64[2]"),
        ({"image": pixels(2), "labels": np.eye(2, 10, dtype=int)}, "labels are int64[2, 10]"),
        ({"image": pixels(2).astype(np.uint8), "labels": [0, 1]}, "is uint8, the model takes int8 or float"),
        ({"image": pixels(2)[:, :9], "labels": [0, 1]}, "has shape [2, 9, 32, 3], the model takes [samples, 32"),
        ({"image": np.full((1, 32, 32, 3), np.nan, np.float32), "labels": [0]}, "holds NaN or infinity"),
        ({"image": pixels(0), "labels": np.zeros(0, int)}, "no samples in it"),
        ({"image": pixels(2), "labels": [0, 1], "classes": ["a", "b"]}, "2 class names for"),
        ({"image": pixels(2), "labels": [0, 1], "classes": [1, 2]}, "class names are int64[2], not a row of text"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(
    arrays: dict[str, Any], message: str, model: Model, tmp_path: Path
) -> None:
    np.savez(tmp_path / "d.npz", **{name: np.asarray(array) for name, array in arrays.items()})
    with pytest.raises(BadInputError) as caught:
        read(opened(model, tmp_path / "d.npz"))
    assert message in caught.value.message


def test_more_inputs_than_there_are_and_missing_files_are_refused(model: Model, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", image=pixels(2), labels=[0, 1])
    with pytest.raises(BadInputError, match=r"--count 3: .* holds 2 samples"):
        opened(model, tmp_path / "d.npz", count=3)
    with pytest.raises(BadInputError, match=r"gone\.npz: no such file or folder"):
        opened(model, "gone.npz")
    for folders, message in (([], "0 folders for the 10 classes"), (["a", "b"], "2 folders for the 10 classes")):
        folder = tmp_path / f"f{len(folders)}"
        folder.mkdir()
        for name in folders:
            (folder / name).mkdir()
        with pytest.raises(BadInputError, match=message):
            opened(model, folder)


def test_labels_without_a_name_are_refused_where_there_are_several_outputs(
    model: Model, head: Head, tmp_path: Path
) -> None:
    two = {head.name: head, "other": Head("other", 5)}
    np.savez(tmp_path / "d.npz", image=pixels(2), labels=[0, 1])
    with pytest.raises(BadInputError, match="no labels in it"):
        opened(model, tmp_path / "d.npz", heads=two)
    data = opened(model, tmp_path / "d.npz", heads=two, output=head.name)
    assert list(data.names) == [head.name]
    (tmp_path / "photos").mkdir()
    with pytest.raises(BadInputError, match="which output are the labels for"):
        opened(model, tmp_path / "photos", heads=two)
    np.savez(tmp_path / "named.npz", image=pixels(2), labels_other=[4, 0], **{f"labels_{head.name}": [9, 8]})
    both = opened(model, tmp_path / "named.npz", heads=two)
    assert {name: values.tolist() for name, values in read(both)[1].items()} == {
        head.name: [9, 8],
        "other": [4, 0],
    }


def test_a_batch_knows_its_length() -> None:
    assert len(Batch(0, {"image": pixels(3)}, {}, {})) == 3
