"""What only the target gets wrong is kept, bounded, and saved so that other commands can take it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.data.stream import Batch
from deploy.errors import BadInputError
from deploy.evaluating.wrong_examples import MAX_LISTED, MAX_SAVED, WrongExamples, check_folder


def batch(count: int, first: int = 0, **inputs: np.ndarray) -> Batch:
    stored = inputs or {"image": np.arange(count * 12, dtype=np.uint8).reshape(count, 1, 2, 2, 3)}
    return Batch(first, stored, {}, {"kind": np.zeros(count, np.int64)})


def said(target: list[int], reference: list[int]) -> dict[str, np.ndarray]:
    return {"target": np.array(target), "reference": np.array(reference)}


def test_only_what_the_reference_gets_right_counts() -> None:
    wrong = WrongExamples()
    wrong.add(batch(4, 8), "kind", said([0, 1, 1, 0], [0, 0, 1, 1]))  # type: ignore[arg-type]
    assert [(item.input, item.true, item.target) for item in wrong.listed] == [(9, 0, 1)]
    assert wrong.counts == {"kind": 1}


def test_saved_inputs_are_those_that_were_fed_with_their_labels_and_an_image_each(tmp_path: Path) -> None:
    wrong, fed = WrongExamples(), batch(3)
    answers = {**said([1, 0, 1], [0, 0, 0]), "float": np.array([0, 0, 1])}
    wrong.add(fed, "kind", answers)  # type: ignore[arg-type]
    assert wrong.save(tmp_path / "wrong", {"kind": ("T-shirt/top", "dog")}) == 2
    with np.load(tmp_path / "wrong" / "inputs.npz") as saved:
        assert np.array_equal(saved["image"], fed.stored["image"][[0, 2]])
    labels = json.loads((tmp_path / "wrong" / "labels.json").read_text())
    assert labels == {"kind": {"classes": ["T-shirt/top", "dog"], "true": [0, 0]}}
    examples = json.loads((tmp_path / "wrong" / "examples.json").read_text())
    assert examples[1] == {"input": 2, "output": "kind", "true": "T-shirt/top", "target": "dog", "float": "dog"}
    (first, second) = sorted((tmp_path / "wrong").glob("*.png"))
    assert first.name == "000000-kind-T-shirt_top-as-dog.png"
    with Image.open(second) as image:
        assert np.array_equal(np.asarray(image), fed.stored["image"][2, 0])


@pytest.mark.parametrize(
    ("array", "shown"),
    [
        (np.array([-128, 127], np.int8), [0, 255]),
        (np.array([0, 0.5], np.float32), [0, 128]),
        (np.array([-1, 1], np.float32), [0, 255]),
        (np.array([3, 3], np.float32), [0, 0]),
    ],
)
def test_images_show_the_whole_range_of_the_input(array: np.ndarray, shown: list[int], tmp_path: Path) -> None:
    wrong = WrongExamples()
    wrong.add(batch(1, image=array.reshape(1, 1, 1, 2, 1)), "kind", said([1], [0]))  # type: ignore[arg-type]
    wrong.save(tmp_path / "w", {})
    (path,) = (tmp_path / "w").glob("*.png")
    with Image.open(path) as image:
        assert np.asarray(image).reshape(-1).tolist() == shown


def test_what_is_no_image_is_saved_without_one(tmp_path: Path) -> None:
    wrong = WrongExamples()
    wrong.add(batch(1, sound=np.ones((1, 1, 490), np.int8)), "kind", said([1], [0]))  # type: ignore[arg-type]
    assert wrong.save(tmp_path / "w", {}) == 1
    assert sorted(path.name for path in (tmp_path / "w").iterdir()) == [
        "examples.json",
        "inputs.npz",
        "labels.json",
    ]


def test_neither_list_nor_folder_grow_without_bound(tmp_path: Path) -> None:
    wrong = WrongExamples()
    for first in range(0, 1500, 500):
        wrong.add(batch(500, first), "kind", said([1] * 500, [0] * 500))  # type: ignore[arg-type]
    assert (wrong.counts["kind"], len(wrong.listed)) == (1500, MAX_LISTED)
    assert wrong.save(tmp_path / "w", {}) == MAX_SAVED
    assert len(list((tmp_path / "w").glob("*.png"))) == MAX_SAVED


def test_a_later_evaluation_replaces_the_folder_but_nothing_else_is_touched(tmp_path: Path) -> None:
    wrong = WrongExamples()
    wrong.add(batch(1), "kind", said([1], [0]))  # type: ignore[arg-type]
    wrong.save(tmp_path / "w", {})
    check_folder(tmp_path / "w")
    assert WrongExamples().save(tmp_path / "w", {}) == 0
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["examples.json"]
    other = tmp_path / "other"
    other.mkdir()
    check_folder(other)
    (other / "thesis.txt").write_text("x")
    with pytest.raises(BadInputError, match="holds other files"):
        check_folder(other)
    with pytest.raises(BadInputError, match="not a folder"):
        check_folder(other / "thesis.txt")
