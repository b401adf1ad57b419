"""Calibration data in every accepted form, and every fault of it with a message that says what is expected."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.data.specs import InputSpec
from deploy.data.stream import Dataset
from deploy.errors import BadInputError
from deploy.quantizing.dataset import load

IMAGE = InputSpec("image", (1, 4, 6, 1), "float32")
VECTOR = InputSpec("vector", (1, 3), "float32")


def images(count: int = 5) -> np.ndarray:
    return np.arange(count * 24, dtype=np.float32).reshape(count, 4, 6, 1)


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


def refused(source: str, specs: list[InputSpec] | None = None) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        load(source, specs or [IMAGE])
    assert source.split(":", maxsplit=1)[0] in caught.value.message
    return caught.value


def test_arrays_are_matched_by_input_name(tmp_path: Path) -> None:
    source = saved(tmp_path / "d.npz", vector=np.ones((5, 3)), image=images(), labels=np.arange(5))
    data = load(source, [IMAGE, VECTOR])
    assert len(data) == 5
    samples = list(data)
    assert samples[2]["image"].shape == (1, 4, 6, 1)
    assert samples[2]["vector"].dtype == np.float32
    np.testing.assert_array_equal(samples[2]["image"][0], images()[2])


def test_a_single_array_feeds_a_single_input_whatever_its_name(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", images())
    assert len(load(str(tmp_path / "x.npy"), [IMAGE])) == 5
    assert len(load(saved(tmp_path / "x.npz", arr_0=images()), [IMAGE])) == 5


def test_one_sample_and_samples_with_a_batch_of_one_are_understood(tmp_path: Path) -> None:
    assert len(load(saved(tmp_path / "one.npz", image=images()[0]), [IMAGE])) == 1
    assert len(load(saved(tmp_path / "batch.npz", image=images()[:, None]), [IMAGE])) == 5


def test_samples_are_spread_evenly_because_data_is_often_sorted_by_class(tmp_path: Path) -> None:
    data = load(saved(tmp_path / "d.npz", image=images(10)), [IMAGE], samples=5)
    first_pixels = [sample["image"][0, 0, 0, 0] for sample in data]
    assert first_pixels == [0, 48, 96, 144, 192]


def test_nan_is_refused_with_the_sample_it_is_in(tmp_path: Path) -> None:
    bad = images()
    bad[3, 1, 1, 0] = np.nan
    error = refused(saved(tmp_path / "nan.npz", image=bad))
    assert "array image holds NaN or infinity (1 of 5 samples, first in sample 3)" in error.message


def test_infinity_that_appears_only_in_float32_is_refused(tmp_path: Path) -> None:
    error = refused(saved(tmp_path / "huge.npz", image=images().astype(np.float64) + 1e300))
    assert "holds NaN or infinity" in error.message


def test_a_wrong_shape_names_the_expected_one(tmp_path: Path) -> None:
    error = refused(saved(tmp_path / "shape.npz", image=np.zeros((5, 6, 4, 1), np.float32)))
    assert "has shape [5, 6, 4, 1], the model takes [samples, 4, 6, 1]" in error.message


def test_a_missing_channel_axis_comes_with_the_remedy(tmp_path: Path) -> None:
    error = refused(saved(tmp_path / "shape.npz", image=images()[..., 0]))
    assert error.hints == ("add the channel axis: array[..., None]",)


def test_integer_pixels_for_a_float_input_are_refused_because_their_scaling_is_unknown(tmp_path: Path) -> None:
    error = refused(saved(tmp_path / "dtype.npz", image=np.zeros((5, 4, 6, 1), np.uint8)))
    assert "is uint8, the model takes float32" in error.message
    assert "/ 255" in error.hints[0]


@pytest.mark.parametrize("value", [np.array([["a"] * 3] * 2), np.zeros((2, 3), bool), np.zeros((2, 3), complex)])
def test_other_dtypes_are_refused(tmp_path: Path, value: np.ndarray) -> None:
    assert "the model takes float32" in refused(saved(tmp_path / "dtype.npz", vector=value), [VECTOR]).message


def test_integers_may_change_their_width_only_without_loss(tmp_path: Path) -> None:
    tokens = InputSpec("tokens", (1, 3), "int32")
    good = load(saved(tmp_path / "ok.npz", tokens=np.ones((2, 3), np.int64)), [tokens])
    assert good.arrays["tokens"].dtype == np.int32
    error = refused(saved(tmp_path / "big.npz", tokens=np.full((2, 3), 2**40)), [tokens])
    assert "values that int32 cannot hold" in error.message


def test_empty_data_is_refused(tmp_path: Path) -> None:
    assert "no samples in it" in refused(saved(tmp_path / "none.npz", image=images(0))).message
    assert "it holds nothing" in refused(saved(tmp_path / "nothing.npz")).message


def test_a_missing_name_lists_what_the_file_holds_and_what_the_model_takes(tmp_path: Path) -> None:
    error = refused(saved(tmp_path / "names.npz", picture=images(), vector=np.ones((5, 3))), [IMAGE, VECTOR])
    assert "no array named image (it holds picture, vector)" in error.message
    assert "image: float32[1, 4, 6, 1]" in error.hints[0]


def test_inputs_with_different_counts_are_refused(tmp_path: Path) -> None:
    error = refused(saved(tmp_path / "c.npz", image=images(5), vector=np.ones((4, 3))), [IMAGE, VECTOR])
    assert "different numbers of samples (image 5, vector 4)" in error.message


def test_damaged_and_pickled_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 not a zip")
    assert "not a usable NumPy file" in refused(str(tmp_path / "bad.npz")).message
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "it holds Python objects" in refused(str(tmp_path / "objects.npy")).message


def test_no_file_and_an_unknown_form_are_refused(tmp_path: Path) -> None:
    assert "no such file or folder" in refused(str(tmp_path / "gone.npz")).message
    (tmp_path / "data.csv").write_text("1,2")
    assert "not an .npz or .npy file" in refused(str(tmp_path / "data.csv")).message


def test_images_are_resized_converted_and_scaled_to_unit_range(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    Image.new("RGB", (20, 10), (255, 255, 255)).save(tmp_path / "cats" / "white.png")
    Image.new("L", (6, 4), 51).save(tmp_path / "grey.jpg", quality=100)
    (tmp_path / "notes.txt").write_text("not an image")
    data = load(str(tmp_path), [IMAGE])
    assert data.arrays["image"].shape == (2, 4, 6, 1)
    white, grey = data.arrays["image"]
    assert white.min() == white.max() == 1.0
    np.testing.assert_allclose(grey, 0.2, atol=0.01)


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n garbage")
    with pytest.raises(BadInputError, match=r"broken\.png: not a usable image"):
        load(str(tmp_path), [IMAGE])


def test_a_folder_without_images_and_a_model_without_image_input_are_refused(tmp_path: Path) -> None:
    assert "no images in it" in refused(str(tmp_path)).message
    assert "the model has vector: float32[1, 3]" in refused(str(tmp_path), [VECTOR]).message
    assert "can feed one input" in refused(str(tmp_path), [IMAGE, VECTOR]).message


FUNCTIONS = """
import numpy as np
def array(): return np.zeros((4, 3), np.float32)
def named(): return {"vector": np.zeros((4, 3), np.float32)}
def generator():
    for i in range(1000000):
        yield np.full((1, 3), i, np.float32)
def tuples():
    yield (np.zeros((3,), np.float32),)
def mapping():
    yield {"vector": np.zeros(3, np.float32), "label": 1}
def nothing(): return []
def number(): return 3
def text(): return "abc"
def late():
    yield np.zeros(3, np.float32)
    raise KeyError("the second sample")
def ragged():
    yield np.zeros(3, np.float32)
    yield np.zeros(4, np.float32)
def too_many():
    yield [np.zeros(3), np.zeros(3)]
def nan(): return np.full((4, 3), np.nan)
"""


@pytest.fixture
def functions(tmp_path: Path) -> str:
    (tmp_path / "data.py").write_text(FUNCTIONS)
    return str(tmp_path / "data.py")


@pytest.mark.parametrize(
    ("name", "count"), [("array", 4), ("named", 4), ("generator", 7), ("tuples", 1), ("mapping", 1)]
)
def test_a_function_may_return_arrays_or_an_iterable_of_samples(functions: str, name: str, count: int) -> None:
    data: Dataset = load(f"{functions}:{name}", [VECTOR], samples=7)
    assert len(data) == count
    arrays: Mapping[str, np.ndarray] = data.arrays
    assert arrays["vector"].shape == (count, 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "gave no samples, expected vector: float32[1, 3]"),
        ("number", "returned int, expected an array"),
        ("text", "returned str, expected an array"),
        ("late", "line 17: KeyError: 'the second sample'"),
        ("ragged", "array vector has shape [1, 4], the model takes [samples, 3]"),
        ("too_many", "sample 0 has 2 parts, the model has 1 inputs"),
        ("nan", "holds NaN or infinity (4 of 4 samples"),
    ],
)
def test_faults_of_a_data_function_are_named(functions: str, name: str, message: str) -> None:
    assert message in refused(f"{functions}:{name}", [VECTOR]).message
