"""Inputs of a run: exactly what the model takes, or one clear refusal."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from deploy.data.array_rows import read_arrays
from deploy.errors import BadInputError
from deploy.judging.inputs import check_room, given_inputs, random_inputs
from deploy.tflite import Model, Quantization, Tensor


def model(dtype: str = "uint8", *shapes: tuple[int, ...]) -> Model:
    shapes = shapes or ((1, 4, 4, 1),)
    tensors = tuple(
        Tensor(i, f"in{i}", shape, dtype, Quantization((0.5,), (3,)), None) for i, shape in enumerate(shapes)
    )
    return Model(b"", tensors, (), tuple(range(len(tensors))), (), None, {})


def saved(tmp_path: Path, **arrays: np.ndarray) -> Path:
    np.savez(tmp_path / "x.npz", **arrays)
    return tmp_path / "x.npz"


def test_samples_are_split_along_the_first_dimension(tmp_path: Path) -> None:
    data = np.arange(48, dtype=np.uint8).reshape(3, 4, 4, 1)
    result = given_inputs(saved(tmp_path, in0=data), model())
    assert [sample["in0"].shape for sample in result.samples] == [(1, 4, 4, 1)] * 3
    assert (result.samples[2]["in0"] == data[2:]).all()


def test_a_single_input_model_takes_the_only_array_whatever_its_name(tmp_path: Path) -> None:
    assert len(given_inputs(saved(tmp_path, images=np.zeros((2, 4, 4, 1), np.uint8)), model()).samples) == 2


def test_count_limits_the_samples_and_may_not_exceed_them(tmp_path: Path) -> None:
    path = saved(tmp_path, in0=np.zeros((3, 4, 4, 1), np.uint8))
    assert len(given_inputs(path, model(), 2).samples) == 2
    with pytest.raises(BadInputError, match="holds 3 samples"):
        given_inputs(path, model(), 4)


def test_real_values_are_quantized_with_the_models_own_parameters(tmp_path: Path) -> None:
    reals = np.array([0.0, 0.26, -1.5, 10.0]).reshape(1, 4)
    found = given_inputs(saved(tmp_path, in0=reals), model("uint8", (1, 4)))
    assert found.samples[0]["in0"].tolist() == [[3, 4, 0, 23]]
    assert found.samples[0]["in0"].dtype == np.uint8
    assert found.notes == ()


def test_values_that_saturate_are_counted(tmp_path: Path) -> None:
    reals = np.array([0.0, 5.0, 127.0, 130.0]).reshape(2, 2)
    found = given_inputs(saved(tmp_path, in0=reals), model("uint8", (1, 2)))
    assert found.samples[1]["in0"].tolist() == [[255, 255]]
    (note,) = found.notes
    assert note.startswith("2 of 4 values of in0 saturate (50 %): the data goes from 0 to 130")
    assert note.endswith("the model takes -1.5 to 126")


def test_a_wrong_shape_is_refused_with_the_shape_it_takes(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"has shape \[5, 3, 3, 1\], the model takes \[samples, 4, 4, 1\]"):
        given_inputs(saved(tmp_path, in0=np.zeros((5, 3, 3, 1), np.uint8)), model())


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    two = model("uint8", (1, 2), (1, 3))
    with pytest.raises(BadInputError, match="no array named in1"):
        given_inputs(saved(tmp_path, in0=np.zeros((1, 2), np.uint8)), two)


def test_different_numbers_of_samples_are_refused(tmp_path: Path) -> None:
    arrays = {"in0": np.zeros((2, 2), np.uint8), "in1": np.zeros((3, 3), np.uint8)}
    with pytest.raises(BadInputError, match="different numbers of samples"):
        given_inputs(saved(tmp_path, **arrays), model("uint8", (1, 2), (1, 3)))


def test_no_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no samples"):
        given_inputs(saved(tmp_path, in0=np.zeros((0, 4, 4, 1), np.uint8)), model())


def test_float_inputs_must_be_finite(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="NaN"):
        given_inputs(saved(tmp_path, in0=np.full((1, 4, 4, 1), np.nan, np.float32)), model("float32"))


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, in0=np.array([{}], dtype=object))
    with pytest.raises(BadInputError, match="not a usable NumPy array: it holds Python objects"):
        read_arrays(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04garbage", bytes(100)])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"x\.npz"):
        read_arrays(path)


def test_an_array_that_claims_a_huge_shape_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 2**20)})
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("in0.npy", header.getvalue() + bytes(10))
    with pytest.raises(BadInputError):
        read_arrays(tmp_path / "x.npz")


def test_made_up_inputs_are_reproducible_and_cover_the_range() -> None:
    first, second = (random_inputs(model("int8", (1, 64, 64, 1)), 2) for _ in range(2))
    assert first.sha256 == second.sha256
    assert not (first.samples[0]["in0"] == first.samples[1]["in0"]).all()
    assert (first.samples[0]["in0"].min(), first.samples[0]["in0"].max()) == (-128, 127)
    assert "random" in first.source


def test_more_made_up_inputs_than_memory_may_hold_are_refused_before_any_work() -> None:
    with pytest.raises(BadInputError, match="so many inputs take more than the 2 GiB") as caught:
        random_inputs(model(), 10**20)
    [hint] = caught.value.hints
    most = int(hint.split()[1])
    check_room(model(), most)
    with pytest.raises(BadInputError):
        check_room(model(), most + 1)


def test_arrays_in_memory_are_the_same_inputs_as_the_file_that_holds_them(tmp_path: Path) -> None:
    data = np.random.default_rng(2).integers(0, 256, (3, 4, 4, 1), dtype=np.uint8)
    from_file = given_inputs(saved(tmp_path, in0=data), model(), 2)
    for given in ({"in0": data}, {"whatever": data}, data, {"in0": np.asfortranarray(data)}):
        found = given_inputs(given, model(), 2)
        assert found.sha256 == from_file.sha256
        assert [sample["in0"].shape for sample in found.samples] == [(1, 4, 4, 1)] * 2
        assert found.source == "arrays in memory"
    assert from_file.source.endswith("x.npz")


def test_arrays_in_memory_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(BadInputError, match=r"arrays in memory: array in0 is int8, the model takes uint8"):
        given_inputs({"in0": np.zeros((1, 4, 4, 1), np.int8)}, model(), None)
    with pytest.raises(BadInputError, match=r"--count 3: arrays in memory holds 2 samples"):
        given_inputs(np.zeros((2, 4, 4, 1), np.uint8), model(), 3)
