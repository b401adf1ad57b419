"""Data is the same for whoever reads it: every form, with or without labels, float or integer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.data.image_range import ImageRange
from deploy.errors import BadInputError
from deploy.judging.inputs import InputSet, given_inputs, named_labels
from deploy.tflite import Model, Quantization, Tensor

HEAD = "kind"


def model(dtype: str = "uint8", scale: float = 1 / 255, zero_point: int = 0, heads: int = 1) -> Model:
    """A picture of 4 x 4 pixels, and outputs of three classes."""
    image = Tensor(0, "image", (1, 4, 4, 1), dtype, Quantization((scale,), (zero_point,)), None)
    outputs = [Tensor(1 + i, f"{HEAD}{i or ''}", (1, 3), "int8", None, None) for i in range(heads)]
    return Model(b"", (image, *outputs), (), (0,), tuple(range(1, 1 + heads)), None, {})


def reals(count: int = 6) -> np.ndarray:
    return np.linspace(0, 1, count * 16, dtype=np.float32).reshape(count, 4, 4, 1)


def labelled(path: Path, **labels: Any) -> Path:
    path.write_text(json.dumps({HEAD: labels}))
    return path


def true(found: InputSet) -> tuple[int, ...]:
    return found.labels[HEAD].true


FUNCTIONS = """
import numpy as np
images = np.linspace(0, 1, 96, dtype=np.float32).reshape(6, 4, 4, 1)
kinds = np.arange(6) % 3
def array(): return images
def arrays(): return {"image": images, "labels": kinds}
def pair(): return images, kinds
def samples(): yield from images
def pairs(): yield from zip(images, kinds)
def named():
    for image, kind in zip(images, kinds): yield {"image": image}, {"kind": kind}
"""


@pytest.mark.parametrize("form", ["npz", "npy", "memory", "array", "arrays", "pair", "samples", "pairs", "named"])
def test_real_values_in_every_form_become_the_same_integers(form: str, tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(FUNCTIONS)
    np.savez(tmp_path / "d.npz", whatever=reals(), labels=np.arange(6) % 3)
    np.save(tmp_path / "d.npy", reals())
    given: Any = {"npz": tmp_path / "d.npz", "npy": str(tmp_path / "d.npy"), "memory": reals()}.get(
        form, f"{tmp_path}/data.py:{form}"
    )
    found = given_inputs(given, model())
    stored = np.concatenate([sample["image"] for sample in found.samples])
    assert stored.dtype == np.uint8
    assert np.array_equal(stored, np.floor(reals() * 255 + 0.5))
    has_labels = form in ("npz", "arrays", "pair", "pairs", "named")
    assert found.labels == {} if not has_labels else true(found) == (0, 1, 2, 0, 1, 2)
    assert len(given_inputs(given, model(), 2).samples) == 2
    with pytest.raises(BadInputError, match=r"--count 7: .* holds 6 samples"):
        given_inputs(given, model(), 7)


def test_a_folder_of_images_per_class_has_its_labels(tmp_path: Path) -> None:
    for number, name in enumerate(("ape", "bee", "cat")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("L", (9, 9), 100 * number).save(tmp_path / "photos" / name / f"{i}.png")
    found = given_inputs(tmp_path / "photos", model())
    assert "class 0 of kind is taken to be folder ape" in found.notes[0]
    assert found.labels[HEAD].classes == ("ape", "bee", "cat")
    assert true(found) == (0, 0, 0, 1, 1, 1, 2, 2, 2)
    assert [int(sample["image"].max()) for sample in found.samples[::3]] == [0, 100, 200]
    assert true(given_inputs(tmp_path / "photos", model(), 3)) == (0, 1, 2)
    assert found.source.endswith("photos (images scaled to 0..1)")
    (tmp_path / "photos" / "dog").mkdir()
    (note,) = given_inputs(tmp_path / "photos", model()).notes
    assert "the 4 folders of" in note and "not taken for the 3 classes of kind" in note


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "white"),
    [("uint8", 1.0, 0, 255), ("int8", 2 / 255, -1, 126), ("int8", 1.0, -128, 127)],
)
def test_images_are_scaled_to_what_the_input_was_quantized_for(
    dtype: str, scale: float, zero_point: int, white: int, tmp_path: Path
) -> None:
    Image.new("L", (9, 9), 255).save(tmp_path / "white.png")
    Image.new("L", (9, 9), 0).save(tmp_path / "black.png")
    black, bright = given_inputs(tmp_path, model(dtype, scale, zero_point)).samples
    assert (int(black["image"].min()), int(bright["image"].min())) == (np.iinfo(dtype).min, white)
    half = given_inputs(tmp_path, model(dtype, 1 / 255, np.iinfo(dtype).min), image_range=ImageRange(0, 0.2))
    assert int(half.samples[1]["image"].max()) - int(half.samples[0]["image"].max()) == 51


def test_bytes_are_pixels_where_their_range_is_said(tmp_path: Path) -> None:
    pixels = np.array([0, 255] * 8, np.uint8).reshape(1, 4, 4, 1)
    with pytest.raises(BadInputError, match="is uint8, the model takes int8 or float") as caught:
        given_inputs(pixels, model("int8", 1 / 255, -128))
    assert "--image-range" in caught.value.hints[1]
    (sample,) = given_inputs(pixels, model("int8", 1 / 255, -128), image_range=ImageRange(0, 1)).samples
    assert np.unique(sample["image"]).tolist() == [-128, 127]


def test_labels_are_checked_alike_wherever_they_come_from(tmp_path: Path) -> None:
    file = tmp_path / "l.json"
    for labels, message in (
        ({"true": [0, 1, 3]}, "label 3 of input 2 is none of the 3 classes"),
        ({"true": [0, 1]}, "do not belong together: array 6, labels of kind 2"),
        ({"true": [0] * 7}, "do not belong together: array 6, labels of kind 7"),
        ({"classes": ["ape"]}, "1 class names for kind, which has 3 classes"),
    ):
        with pytest.raises(BadInputError, match=message):
            given_inputs(reals(), model(), labels=labelled(file, **labels))
    for arrays, message in (
        ({"labels": [0, 1, 2, 3, 0, 0]}, "label 3 of input 3"),
        ({"labels": [0.5] * 6}, "labels are float64"),
        ({"labels": [0]}, "do not belong together"),
        ({"labels": [0] * 6, "classes": ["ape"]}, "1 class names"),
    ):
        with pytest.raises(BadInputError, match=message):
            given_inputs({"image": reals(), **arrays}, model())


def test_labels_of_a_file_win_and_go_with_the_first_samples(tmp_path: Path) -> None:
    file = labelled(tmp_path / "l.json", true=[2, 2, 1, 1, 0, 0], classes=["ape", "bee", "cat"])
    given = {"image": reals(), "labels": np.zeros(6, int)}
    found = given_inputs(given, model(), 3, labels=file)
    assert (true(found), found.labels[HEAD].classes) == ((2, 2, 1), ("ape", "bee", "cat"))
    (tmp_path / "data.py").write_text(FUNCTIONS)
    assert true(given_inputs(f"{tmp_path}/data.py:samples", model(), 3, labels=file)) == (2, 2, 1)
    names, notes = named_labels(found.labels)
    assert (names[HEAD].classes, names[HEAD].true) == (("ape", "bee", "cat"), ())
    assert "--data" in notes[0]


def test_labels_that_may_be_for_several_outputs_are_left_alone_with_a_note() -> None:
    found = given_inputs({"image": reals(), "labels": np.zeros(6, int)}, model(heads=2))
    assert found.labels == {}
    assert "labels_kind and labels_kind1" in found.notes[0]
    found = given_inputs({"image": reals(), "labels_kind": np.ones(6, int)}, model(heads=2))
    assert true(found) == (1,) * 6


def test_an_endless_function_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.data.stream.MAX_HELD_BYTES", 16 * 3000)
    (tmp_path / "data.py").write_text(
        "import itertools, numpy as np\n"
        "def f():\n"
        "    for index in itertools.count():\n"
        "        assert index <= 3000, 'no more was to be read'\n"
        "        yield np.zeros((4, 4, 1), np.float32)\n"
    )
    with pytest.raises(BadInputError, match="gives more than 3000 samples"):
        given_inputs(f"{tmp_path}/data.py:f", model())
    assert len(given_inputs(f"{tmp_path}/data.py:f", model(), 5).samples) == 5


def test_huge_images_and_other_files_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    Image.new("1", (20_000, 6_000)).save(tmp_path / "huge.png")
    with pytest.raises(BadInputError, match="20000 x 6000 pixels are too many"):
        given_inputs(tmp_path, model())
    (tmp_path / "huge.png").write_bytes(b"GIF89a" + bytes(100))
    with pytest.raises(BadInputError, match=r"huge\.png: not a usable image"):
        given_inputs(tmp_path, model())
