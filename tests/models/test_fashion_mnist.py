"""Reading Fashion-MNIST and preparing what the network and the target are fed with."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.errors import BadInputError, NotInstalledError
from deploy.models.datasets import fashion_mnist
from deploy.models.multihead_mobilenetv3 import fashion_mnist as own

installed = pytest.mark.skipif(
    not fashion_mnist.FOLDER.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)


def write_split(folder: Path, images: NDArray[np.uint8], labels: list[int]) -> None:
    header = struct.pack(">4I", 0x803, *images.shape)
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
    content = struct.pack(">2I", 0x801, len(labels)) + bytes(labels)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    write_split(tmp_path, images, [9, 0, 6])
    return tmp_path


def test_a_split_holds_the_images_and_both_heads_labels(folder: Path) -> None:
    split = fashion_mnist.load_test(folder)
    assert split.images.shape == (3, 28, 28)
    labels = own.labels_of(split)
    assert labels["garment"].tolist() == [9, 0, 6]
    assert [own.KINDS[kind] for kind in labels["kind"]] == ["Footwear", "Top", "Top"]


def test_the_kinds_group_the_garments_by_name() -> None:
    kinds = {
        garment: own.KINDS[kind] for garment, kind in zip(fashion_mnist.GARMENTS, own.KIND_OF_GARMENT, strict=True)
    }
    assert {name for name, kind in kinds.items() if kind == "Footwear"} == {"Sandal", "Sneaker", "Ankle boot"}
    assert {name for name, kind in kinds.items() if kind == "Top"} == {"T-shirt/top", "Pullover", "Coat", "Shirt"}
    assert kinds["Bag"] == "Bag" and kinds["Dress"] == "Dress" and kinds["Trouser"] == "Trousers"


def test_the_networks_input_repeats_every_pixel_in_a_two_by_two_block(folder: Path) -> None:
    images = fashion_mnist.load_test(folder).images
    prepared = own.network_input(images)
    assert prepared.shape == (3, 56, 56, 1) and prepared.dtype == np.uint8
    for row in (0, 1):
        for column in (0, 1):
            assert np.array_equal(prepared[:, row::2, column::2, 0], images)


def test_a_missing_data_set_names_the_package_to_install(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError) as raised:
        fashion_mnist.load_training(tmp_path / "absent")
    assert raised.value.hints == ("apt-get install dataset-fashion-mnist",)


@pytest.mark.parametrize("keep", [0, 5, 40, 700, 2000])
def test_a_truncated_file_is_refused_by_name(folder: Path, keep: int) -> None:
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInputError, match=path.name):
        fashion_mnist.load_test(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack(">4I", 0x803, 2**32 - 1, 28, 28), "header is magic 0x803, dimensions .4294967295"),
        (struct.pack(">4I", 0x803, 3, 280, 28), "dimensions .3, 280, 28"),
        (struct.pack(">4I", 0x801, 3, 28, 28), "magic 0x801"),
        (struct.pack(">4I", 0x803, 3, 28, 28) + bytes(10), "10 bytes of data where its header promises 2352"),
        (struct.pack(">4I", 0x803, 3, 28, 28) + bytes(2353), "more bytes of data where its header promises 2352"),
        (b"\0\0\x08", "ends within its header"),
    ],
)
def test_a_header_that_lies_is_refused_before_anything_is_allocated(
    folder: Path, content: bytes, message: str
) -> None:
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    with pytest.raises(BadInputError, match=message):
        fashion_mnist.load_test(folder)


def test_a_file_that_is_not_gzip_is_refused(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(b"not gzip at all")
    with pytest.raises(BadInputError, match="cannot be read"):
        fashion_mnist.load_test(folder)


def test_labels_that_do_not_match_the_images_are_refused(folder: Path) -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    write_split(folder, images, [1, 2])
    with pytest.raises(BadInputError, match="3 t10k images but 2 labels"):
        fashion_mnist.load_test(folder)
    write_split(folder, images, [1, 2, 10])
    with pytest.raises(BadInputError, match="label 10 is not one of 10 classes"):
        fashion_mnist.load_test(folder)


@installed
def test_the_installed_data_set_is_complete_and_balanced() -> None:
    for split, each in ((fashion_mnist.load_training(), 6000), (fashion_mnist.load_test(), 1000)):
        assert split.images.shape == (10 * each, 28, 28)
        assert np.bincount(split.garments).tolist() == [each] * 10


@installed
def test_calibration_is_training_images_in_zero_to_one_that_quantize_back_exactly() -> None:
    images = own.calibration(20)
    assert images.dtype == np.float32 and images.shape == (20, 56, 56, 1)
    assert images.min() == 0 and images.max() == 1
    stored = own.network_input(fashion_mnist.load_training().images[:20])
    assert np.array_equal(np.rint(images * 255).astype(np.uint8), stored)


@installed
def test_the_written_files_hold_matching_images_and_labels(tmp_path: Path) -> None:
    files = own.write(tmp_path / "new", count=7)
    assert [file.name for file in files] == ["calibration.npz", "test.npz", "labels.json"]
    with np.load(files[0]) as calibration, np.load(files[1]) as test:
        assert calibration["image"].shape == (300, 56, 56, 1)
        assert test["image"].dtype == np.uint8
        assert np.array_equal(test["image"], own.test_inputs(7)[0])
    labels = json.loads(files[2].read_text())
    assert labels["garment"]["classes"] == list(fashion_mnist.GARMENTS)
    assert labels["garment"]["true"] == fashion_mnist.load_test().garments[:7].tolist()
    assert len(labels["kind"]["true"]) == 7 and len(labels["kind"]["classes"]) == 5


@installed
@pytest.mark.parametrize("count", [0, 10_001])
def test_more_test_images_than_there_are_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(BadInputError, match="the data set has 1 to 10000"):
        own.write(tmp_path, count=count)
    assert not list(tmp_path.iterdir())
