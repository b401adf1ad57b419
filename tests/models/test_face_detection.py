"""Anchors, decoding, suppression, matching, scenes and agreement of the face detectors' host side."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy import zoo
from deploy.errors import BadInputError
from deploy.models.datasets import face_data, synthetic_faces
from deploy.models.face_detection import accuracy, training
from deploy.models.face_detection.anchors import (
    BACKGROUND,
    FACE,
    IGNORED,
    anchors,
    corners,
    decode,
    encode,
    overlaps,
    targets,
)
from deploy.models.face_detection.detections import Faces, OutputScales, detect, face_probability, suppress


def boxes_from(random: np.random.Generator, count: int) -> np.ndarray:
    low = random.uniform(0, 0.7, (count, 2))
    return np.concatenate([low, low + random.uniform(0.02, 0.3, (count, 2))], axis=1)


@pytest.mark.parametrize(("size", "count"), [(640, 16_800), (320, 4_200), (128, 672), (32, 42)])
def test_there_are_two_anchors_at_every_position(size: int, count: int) -> None:
    every = anchors(size)
    assert every.shape == (count, 4)
    # Level, row, column, anchor: the second two differ in size only, the third is one column on.
    assert (every[0] == np.array([4, 4, 16, 16]) / size).all()
    assert (every[1] == np.array([4, 4, 24, 24]) / size).all()
    if size > 32:
        assert (every[2, :2] == np.array([12, 4]) / size).all()


def test_a_size_that_the_strides_do_not_divide_is_refused() -> None:
    with pytest.raises(BadInputError, match="multiple of 32"):
        anchors(100)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_decoding_reverses_encoding(seed: int) -> None:
    random = np.random.default_rng(seed)
    boxes, points = boxes_from(random, 5), random.uniform(0, 1, (5, 5, 2))
    matched = anchors(128)[random.integers(0, 672, 5)]
    again, landmarks = decode(*encode(boxes, points, matched), matched)
    assert np.allclose(again, boxes)
    assert np.allclose(landmarks, points)


def test_numbers_that_no_box_has_decode_to_something_finite() -> None:
    boxes, landmarks = decode(np.full((1, 4), 1e9), np.full((1, 10), -1e9), anchors(32)[:1])
    assert np.isfinite(boxes).all() and np.isfinite(landmarks).all()


def test_overlaps_are_intersection_over_union() -> None:
    first = np.array([[0, 0, 2, 2], [0, 0, 1, 1]], float)
    second = np.array([[1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 0, 0]], float)
    assert np.allclose(overlaps(first, second), [[1 / 3, 0, 0], [0, 0, 0]])


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 40), limit=st.floats(0, 1))
def test_suppression_keeps_the_best_and_nothing_that_overlaps_it(seed: int, count: int, limit: float) -> None:
    boxes = boxes_from(np.random.default_rng(seed), count)
    kept = suppress(boxes, limit)
    assert (np.diff(kept) > 0).all()
    shared = overlaps(boxes[kept], boxes[kept]) - np.eye(len(kept))
    assert (shared <= limit).all()
    for index in set(range(count)) - set(kept.tolist()):
        assert (overlaps(boxes[index : index + 1], boxes[kept[kept < index]]) > limit).any()


def outputs_for(boxes: np.ndarray, points: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """What a perfect network answers."""
    wanted = targets(boxes, points, anchors(size))
    classes = np.where((wanted.classes == FACE)[:, None], [-4.0, 4.0], [4.0, -4.0])
    return {"classes": classes, "boxes": wanted.boxes, "landmarks": wanted.landmarks}


def test_a_perfect_answer_gives_back_the_faces_also_when_quantized() -> None:
    scene = next(scene for scene in face_data.test_scenes(20) if len(scene.boxes) == 3)
    outputs = outputs_for(scene.boxes, scene.landmarks, 128)
    found = detect(outputs, 128)
    assert len(found) == 3
    order = overlaps(scene.boxes, found.boxes).argmax(axis=1)
    assert np.allclose(found.boxes[order], scene.boxes, atol=1e-6)
    assert np.allclose(found.landmarks[order], scene.landmarks, atol=1e-6)
    assert (found.scores > 0.99).all()
    scales = {name: OutputScales(float(np.abs(values).max()) / 127, 3) for name, values in outputs.items()}
    integers = {
        name: np.clip(np.round(values / scales[name].scale) + 3, 0, 255).astype(np.uint8)
        if values.min() >= 0
        else np.clip(np.round(values / scales[name].scale) + 3, -128, 127).astype(np.int8)
        for name, values in outputs.items()
    }
    quantized = detect({name: values[np.newaxis] for name, values in integers.items()}, 128, scales)
    assert accuracy.agreement([quantized], [found]).mean_overlap > 0.9


def test_an_output_of_another_size_is_refused_by_name() -> None:
    outputs = outputs_for(np.zeros((0, 4)), np.zeros((0, 5, 2)), 128)
    with pytest.raises(BadInputError, match=r"output boxes: nothing"):
        detect({name: values for name, values in outputs.items() if name != "boxes"}, 128)
    with pytest.raises(BadInputError, match=r"expected \[42, 2\] for 32 pixels"):
        detect(outputs, 32)


def test_the_probability_is_a_softmax_of_two_and_never_overflows() -> None:
    logits = np.array([[0, 0], [1, 3], [-1e30, 1e30]])
    assert np.allclose(face_probability(logits), [0.5, 1 / (1 + np.exp(-2)), 1])


def test_every_face_has_an_anchor_however_small_it_is() -> None:
    tiny = np.array([[0.5, 0.5, 0.505, 0.505]])
    wanted = targets(tiny, np.full((1, 5, 2), 0.5), anchors(128))
    assert (wanted.classes == FACE).sum() == 1
    assert set(np.unique(wanted.classes)) <= {FACE, BACKGROUND, IGNORED}
    center = corners(anchors(128))[wanted.classes == FACE][0]
    assert center[0] < 0.5025 < center[2]


def test_a_scene_is_the_same_for_the_same_seed_and_its_faces_lie_inside() -> None:
    once, again = synthetic_faces.scene("train", 96, 7), synthetic_faces.scene("train", 96, 7)
    assert (once.image == again.image).all() and (once.boxes == again.boxes).all()
    assert (synthetic_faces.scene("train", 96, 8).image != once.image).any()
    for seed in range(30):
        scene = synthetic_faces.scene("test", 128, seed)
        assert scene.image.shape == (128, 128, 3) and scene.image.dtype == np.uint8
        assert (scene.boxes >= 0).all() and (scene.boxes <= 1).all()
        inside = (scene.landmarks >= scene.boxes[:, None, :2]) & (scene.landmarks <= scene.boxes[:, None, 2:])
        assert inside.all()


def test_no_test_face_and_no_test_photograph_is_in_training() -> None:
    assert not set(synthetic_faces.PHOTOGRAPHS["train"]) & set(synthetic_faces.PHOTOGRAPHS["test"])
    train, test = synthetic_faces.material("train").faces, synthetic_faces.material("test").faces
    assert len(train) + len(test) == 100
    assert not any((face == other).all() for face in test for other in train)


def test_average_precision_rewards_order_and_counts_what_is_missed() -> None:
    truth = [np.array([[0.0, 0, 0.2, 0.2], [0.5, 0.5, 0.7, 0.7]])]
    wrong = np.array([0.8, 0.0, 0.9, 0.1])

    def faces(boxes: list[np.ndarray]) -> list[Faces]:
        return [Faces(np.array(boxes), np.linspace(0.9, 0.6, len(boxes)), np.zeros((len(boxes), 5, 2)))]

    perfect = accuracy.accuracy(faces([truth[0][0], truth[0][1]]), truth)
    assert (perfect.found, perfect.wrong, perfect.average_precision) == (2, 0, 1.0)
    late = accuracy.accuracy(faces([wrong, truth[0][0], truth[0][1]]), truth)
    assert (late.found, late.wrong) == (2, 1)
    assert late.average_precision == pytest.approx(2 / 3)
    half = accuracy.accuracy(faces([truth[0][0]]), truth)
    assert (half.found, half.average_precision) == (1, 0.5)
    assert accuracy.accuracy([Faces(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))], truth).found == 0


def test_the_data_role_writes_inputs_and_where_the_faces_are(tmp_path: Path) -> None:
    calibration, inputs, faces = face_data.write(tmp_path / "data", count=3)
    with np.load(calibration) as arrays:
        assert arrays["image"].shape == (200, 128, 128, 3) and arrays["image"].max() <= 1
    with np.load(inputs) as arrays:
        assert arrays["image"].shape == (3, 128, 128, 3) and arrays["image"].dtype == np.uint8
    document = json.loads(faces.read_text())
    assert document["size"] == 128 and len(document["images"]) == 3
    with pytest.raises(BadInputError, match="0 test images"):
        face_data.write(tmp_path, count=0)


def test_fewer_images_than_a_step_takes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="15 training images, but a step of the training takes 16"):
        zoo.function(zoo.find("featherface-v1"), "train")(tmp_path / "x.weights.h5", images=15)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["featherface-v1", "featherface-v2-ultra"])
def test_a_short_training_lowers_the_loss_and_writes_weights_that_load(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "DetectorRecipe", partial(training.DetectorRecipe, cycles=1, last_epochs=3))
    file = tmp_path / "x.weights.h5"
    lines: list[str] = []
    steps: list[tuple[int, int]] = []
    model = zoo.function(zoo.find(name), "train")(
        file,
        epochs=1,
        images=64,
        seed=3,
        log=lines.append,
        advance=lambda done, total: steps.append((done, total)),
    )
    losses = [float(line.partition("classes ")[2].partition(",")[0]) for line in lines]
    assert len(losses) == 1 + 3 and losses[-1] < losses[0]
    assert steps[0] == (0, 16) and steps[-1] == (16, 16)
    loaded = zoo.build(name, ["size=96"], weights=file)
    for trained, read in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(trained, read)
