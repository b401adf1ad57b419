"""Samples come back from their file as they were, for their model alone; it is a plain ``.npz`` all the same."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.errors import BadInputError
from deploy.judging.inputs import given_inputs, random_inputs
from deploy.judging.sample_file import (
    beside,
    holds_samples,
    kept_count,
    read_samples,
    samples_beside,
    samples_content,
)
from deploy.tflite import Model


def model(*names: str, size: int = 4) -> Model:
    writer = GraphWriter()
    inputs = [writer.tensor(name, (1, size), "int8", 0.5) for name in names]
    y = writer.tensor("y", (1, size), "int8", 0.5)
    writer.operator("ADD", [inputs[0], inputs[-1]], [y])
    return tflite.load(writer.finish(dict(zip(names, inputs, strict=True)), {"y": y}))


@pytest.mark.parametrize(
    "name", ["x", "serving_default_input_1:0", "a/b", "a,b\r", "file", "..", "\0", "x" * 2000]
)
def test_samples_come_back_as_they_were_whatever_the_inputs_are_called(name: str, tmp_path: Path) -> None:
    source = model(name, "other")
    given = random_inputs(source, 3)
    (tmp_path / "samples.npz").write_bytes(samples_content(given.samples, source, "calibration data x.npz"))
    found = read_samples(tmp_path / "samples.npz", source)
    assert (found.sha256, found.source) == (given.sha256, "calibration data x.npz")


def test_the_file_is_an_npz_that_inputs_takes(tmp_path: Path) -> None:
    source = model("left", "right")
    given = random_inputs(source, 3)
    (tmp_path / "s.npz").write_bytes(samples_content(given.samples, source, "somewhere"))
    assert given_inputs(tmp_path / "s.npz", source).sha256 == given.sha256


def test_the_same_samples_are_the_same_bytes() -> None:
    source = model("x")
    first, second = (samples_content(random_inputs(source, 2).samples, source, "here") for _ in range(2))
    assert first == second


def test_samples_of_another_model_are_not_used_and_a_note_says_so(tmp_path: Path) -> None:
    source, other = model("x"), model("x", size=5)
    path = tmp_path / "net.tflite"
    assert samples_beside(path, source) == (None, ())
    beside(path).write_bytes(samples_content(random_inputs(other, 2).samples, other, "here"))
    found, [note] = samples_beside(path, source)
    assert found is None
    assert "net.samples.npz: holds samples for another model" in note
    beside(path).write_bytes(samples_content(random_inputs(source, 2).samples, source, "here"))
    found, notes = samples_beside(path, source)
    assert found is not None
    assert notes == ()


def test_a_users_own_file_is_told_from_ours(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=np.zeros((2, 4), np.int8))
    (tmp_path / "damaged.npz").write_bytes(b"PK")
    for name in ("own.npz", "damaged.npz", "none.npz"):
        assert not holds_samples(tmp_path / name)
    with pytest.raises(BadInputError, match="does not say which model"):
        read_samples(tmp_path / "own.npz", model("x"))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 4), np.int8), "array x is int8[2, 4], a sample of the model is int8[1, 4]"),
        (np.zeros((2, 1, 4), np.uint8), "array x is uint8"),
        (np.zeros((0, 1, 4), np.int8), "the arrays hold 0 samples"),
    ],
)
def test_arrays_that_are_none_of_the_models_samples_are_refused(
    array: NDArray[Any], words: str, tmp_path: Path
) -> None:
    source = model("x")
    content = samples_content(random_inputs(source, 2).samples, source, "here")
    (tmp_path / "s.npz").write_bytes(changed(content, array))
    with pytest.raises(BadInputError, match=re.escape(words)):
        read_samples(tmp_path / "s.npz", source)


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    writer = GraphWriter()
    x, y = (writer.tensor(name, (1, 4), "float32") for name in "xy")
    writer.operator("RELU", [x], [y])
    source = tflite.load(writer.finish({"x": x}, {"y": y}))
    found = {"x": np.array([[1, 2, np.nan, 4]], np.float32)}
    (tmp_path / "s.npz").write_bytes(samples_content([found], source, "here"))
    with pytest.raises(BadInputError, match="array x holds NaN or infinity"):
        read_samples(tmp_path / "s.npz", source)


def changed(content: bytes, array: NDArray[Any]) -> bytes:
    """A file of samples with another array in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        new.comment = old.comment
        for name in old.namelist():
            entry = io.BytesIO()
            np.save(entry, array)
            new.writestr(name, entry.getvalue())
    return stream.getvalue()


def test_large_inputs_are_kept_in_small_number() -> None:
    assert kept_count(model("x")) == 64
    assert kept_count(model("x", size=3 * 1024 * 1024)) == 2
    assert kept_count(model("x", size=32 * 1024 * 1024)) == 1
