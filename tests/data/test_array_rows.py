"""Arrays are read row by row, and a damaged file is refused by name."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.data.array_rows import open_arrays
from deploy.errors import BadInputError


def test_rows_arrive_in_order_and_whole(tmp_path: Path) -> None:
    image = np.arange(10 * 3 * 4, dtype=np.uint8).reshape(10, 3, 4)
    labels = np.arange(10)
    np.savez_compressed(tmp_path / "d.npz", image=image, labels=labels, names=np.array(["a", "bc"]))
    with open_arrays(tmp_path / "d.npz") as arrays:
        rows = arrays["image"]
        assert (rows.shape, rows.dtype) == ((10, 3, 4), np.uint8)
        parts = [rows.read(4) for _ in range(4)]
        assert [len(part) for part in parts] == [4, 4, 2, 0]
        assert np.array_equal(np.concatenate(parts), image)
        assert np.array_equal(arrays["labels"].read_all(1000), labels)
        assert arrays["names"].read_all(1000).tolist() == ["a", "bc"]


def test_an_npy_is_named_after_its_file(tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.ones((2, 3), np.float32))
    with open_arrays(tmp_path / "image.npy") as arrays:
        assert arrays["image"].read(5).tolist() == [[1, 1, 1], [1, 1, 1]]


def test_an_array_that_is_larger_than_the_memory_for_it_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", labels=np.zeros(1000, np.int64))
    with (
        open_arrays(tmp_path / "d.npz") as arrays,
        pytest.raises(BadInputError, match="larger than the 100 bytes"),
    ):
        arrays["labels"].read_all(100)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{}], dtype=object), "holds Python objects"),
        (np.float32(1), "is a single number"),
        (
            np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (1 << 17, 1 << 16), (0, 1)),
            "is stored column by column",
        ),
        (
            np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (1, 1 << 31), (0, 0)),
            "one sample has 2147483648",
        ),
    ],
)
def test_arrays_that_cannot_be_read_by_row_are_refused(array: np.ndarray, message: str, tmp_path: Path) -> None:
    header = np.lib.format.header_data_from_array_1_0(array)
    if "column" in message:  # an array of that size is not made for it
        header["fortran_order"] = True
    with (tmp_path / "d.npy").open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(BadInputError, match=message), open_arrays(tmp_path / "d.npy"):
        pass


def test_an_array_that_is_stored_column_by_column_is_read_as_any_other(tmp_path: Path) -> None:
    array = np.arange(24).reshape(4, 2, 3)
    np.savez(tmp_path / "d.npz", image=np.asfortranarray(array))
    with open_arrays(tmp_path / "d.npz") as arrays:
        assert np.array_equal(arrays["image"].read(3), array[:3])
        assert np.array_equal(arrays["image"].read(3), array[3:])


def test_rows_can_be_left_out(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", image=np.arange(5_000_000).reshape(5, -1))
    with open_arrays(tmp_path / "d.npz") as arrays:
        arrays["image"].skip(3)
        assert arrays["image"].read(1)[0, 0] == 3_000_000
        arrays["image"].skip(10)
        assert len(arrays["image"].read(1)) == 0


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.zeros((4, 100), np.uint8))
    content = (tmp_path / "d.npy").read_bytes()
    (tmp_path / "d.npy").write_bytes(content[:-1])
    with open_arrays(tmp_path / "d.npy") as arrays:
        assert len(arrays["d"].read(3)) == 3
        with pytest.raises(BadInputError, match="the file ends before the array does"):
            arrays["d"].read(1)


@pytest.mark.parametrize("name", ["gone.npz", "text.txt", "no.npz", "folder.npz"])
def test_what_is_no_numpy_file_is_refused_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "no.npz").write_text("no archive")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(BadInputError, match=name), open_arrays(tmp_path / name):
        pass


def test_an_archive_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("image.npy", b"no array")
    with (
        pytest.raises(BadInputError, match="array image: not a usable NumPy array"),
        open_arrays(tmp_path / "d.npz"),
    ):
        pass


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(place=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 420))
def test_a_damaged_archive_is_read_or_refused_but_never_breaks(
    place: int, value: int, cut: int, tmp_path: Path
) -> None:
    path = tmp_path / "d.npz"
    np.savez_compressed(path, image=np.arange(40, dtype=np.uint8).reshape(4, 10), labels=np.arange(4))
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(bytes(content[: max(cut, 100)] if cut < 300 else content))
    try:
        with open_arrays(path) as arrays:
            for rows in arrays.values():
                rows.read(2)
                rows.read(2)
    except BadInputError as error:
        assert "d.npz" in error.message
