"""Labelled samples of a sweep: read as `evaluate` reads them, for every network, and cut into jobs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.errors import BadInputError
from deploy.judging.samples import stacked
from deploy.sweeping.accuracy import CHUNK, Chunk, LabelledSource, load_labelled
from deploy.tflite import Model, read
from deploy.zoo.model_source import ModelKind, ModelSource

CLASSES = 10


@pytest.fixture(scope="module")
def model(mlperf_tiny: dict[str, Path]) -> Model:
    """ResNet-8: one int8 input ``[1, 32, 32, 3]``, one output of ten classes."""
    return read(mlperf_tiny["image_classification"])


@pytest.fixture
def labels(model: Model, tmp_path: Path) -> Path:
    """100 true classes: 0, 1, 2, ..., 9, 0, 1, ..."""
    (name,) = model.output_names().values()
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({name: {"true": [i % CLASSES for i in range(100)]}}))
    return path


def chunks(model: Model, given: LabelledSource, *assignments: str) -> tuple[Chunk, ...]:
    source = ModelSource("net.py:build", ModelKind.FUNCTION, "net", assignments)
    return load_labelled(given, model, source).chunks


def read_back(found: tuple[Chunk, ...]) -> tuple[np.ndarray, list[int]]:
    """Inputs ``[n, 32, 32, 3]`` and true classes of all chunks."""
    images = [next(iter(stacked(chunk.samples).values()))[:, 0] for chunk in found]
    return np.concatenate(images), [number for chunk in found for true in chunk.true.values() for number in true]


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(-128, 128, (count, 32, 32, 3)).astype(np.int8)


def test_every_job_has_a_bounded_number_of_samples_with_their_labels(
    model: Model, labels: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "d.npz", image=pixels(100))
    found = chunks(model, LabelledSource(str(tmp_path / "d.npz"), labels))
    assert [len(chunk.samples) for chunk in found] == [CHUNK, 100 - CHUNK]
    images, true = read_back(found)
    assert np.array_equal(images, pixels(100))
    assert true == [i % CLASSES for i in range(100)]


def test_the_count_is_a_bound_and_labels_may_go_on_after_the_samples(
    model: Model, labels: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "d.npz", image=pixels(7))
    given = LabelledSource(str(tmp_path / "d.npz"), labels)
    assert read_back(chunks(model, given))[1] == list(range(7))
    assert read_back(chunks(model, LabelledSource(given.data, labels, count=3)))[1] == [0, 1, 2]
    assert len(read_back(chunks(model, LabelledSource(given.data, labels, count=1000)))[1]) == 7


def test_labels_in_the_data_will_do(model: Model, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", image=pixels(3), labels=[2, 1, 0])
    assert read_back(chunks(model, LabelledSource(str(tmp_path / "d.npz"), None)))[1] == [2, 1, 0]


def test_fewer_labels_than_samples_are_refused(model: Model, labels: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", image=pixels(101))
    with pytest.raises(BadInputError, match="do not belong together"):
        chunks(model, LabelledSource(str(tmp_path / "d.npz"), labels))


def test_real_values_are_quantized(model: Model, labels: Path, tmp_path: Path) -> None:
    quantization = model.input_tensors[0].quantization
    assert quantization is not None
    reals = (pixels(4).astype(np.float64) - quantization.zero_points[0]) * quantization.scales[0]
    np.savez(tmp_path / "d.npz", image=reals.astype(np.float32))
    assert np.array_equal(read_back(chunks(model, LabelledSource(str(tmp_path / "d.npz"), labels)))[0], pixels(4))


def test_a_folder_of_images_side_by_side_is_read_in_the_order_of_their_names(
    model: Model, labels: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(4):
        Image.new("L", (40, 50), color=60 * i).save(folder / f"{i}.png")
    images, true = read_back(chunks(model, LabelledSource(str(folder), labels)))
    assert true == [0, 1, 2, 3]
    brightness = images.reshape(4, -1).astype(int).max(axis=1)
    assert (np.diff(brightness) > 0).all()
    assert read_back(chunks(model, LabelledSource(str(folder), labels, count=2)))[1] == [0, 1]


def test_a_function_is_called_with_the_networks_options_that_it_takes(
    model: Model, labels: Path, tmp_path: Path
) -> None:
    (tmp_path / "data.py").write_text(
        "import numpy as np\n"
        "def named(size=8): return {'image': np.zeros((3, size, size, 3), np.int8)}\n"
        "def alone(size=8): return np.ones((2, size, size, 3), np.int8)\n"
    )
    for name, count in (("named", 3), ("alone", 2)):
        given = LabelledSource(f"{tmp_path / 'data.py'}:{name}", labels)
        assert len(read_back(chunks(model, given, "size=32", "alpha=0.5"))[1]) == count
        with pytest.raises(BadInputError, match=r"has shape \[\d, 8, 8, 3\]"):
            chunks(model, given, "alpha=0.5")


def test_labels_that_are_no_classes_and_files_without_any_are_refused(model: Model, tmp_path: Path) -> None:
    (name,) = model.output_names().values()
    np.savez(tmp_path / "d.npz", image=pixels(2))
    for true, message in (([0, 10], "label 10 of input 1 is none of the 10 classes"), ([], "no labels in it")):
        (tmp_path / "l.json").write_text(json.dumps({name: {"true": true}}))
        with pytest.raises(BadInputError, match=message):
            chunks(model, LabelledSource(str(tmp_path / "d.npz"), tmp_path / "l.json"))
