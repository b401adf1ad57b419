"""The second oracle, and what happens where it cannot run a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tflite_writer import GraphWriter

from deploy.errors import BadInputError
from deploy.judging.inputs import random_inputs
from deploy.judging.oracles import OptimisedKernels, TflmKernels, tflm_installed
from deploy.judging.reference import ReferenceKernels
from deploy.tflite import load, read

needs_tflm = pytest.mark.skipif(not tflm_installed(), reason="tflite-micro is not installed")


@needs_tflm
@pytest.mark.parametrize("name", ["image_classification", "visual_wake_words"])
def test_tflm_and_litert_agree_on_networks_without_fully_connected_roundings(
    name: str, mlperf_tiny: dict[str, Path]
) -> None:
    model = read(mlperf_tiny[name])
    tflm, litert = TflmKernels(model), ReferenceKernels(model)
    for sample in random_inputs(model, 2, seed=9).samples:
        expected, found = litert.run(sample), tflm.run(sample)
        assert expected.keys() == found.keys()
        for output, array in expected.items():
            assert np.abs(array.astype(int) - found[output].astype(int)).max() <= 1


@needs_tflm
def test_tflm_answers_the_same_to_the_same_input_after_another_one(mlperf_tiny: dict[str, Path]) -> None:
    model = read(mlperf_tiny["anomaly_detection"])
    kernels = TflmKernels(model)
    one, two = random_inputs(model, 2, seed=1).samples
    first = kernels.run(one)
    kernels.run(two)
    again = kernels.run(one)
    for output, array in first.items():
        np.testing.assert_array_equal(array, again[output])


@needs_tflm
def test_tflm_refuses_an_input_of_another_shape(mlperf_tiny: dict[str, Path]) -> None:
    model = read(mlperf_tiny["anomaly_detection"])
    [name] = model.input_names().values()
    with pytest.raises(BadInputError, match="the model takes"):
        TflmKernels(model).run({name: np.zeros((1, 3), np.float32)})


@needs_tflm
def test_a_damaged_model_is_refused_without_taking_the_process_along(mlperf_tiny: dict[str, Path]) -> None:
    content = bytearray(mlperf_tiny["image_classification"].read_bytes())
    model = load(bytes(content))
    scale = np.float32(model.tensors[model.operators[1].outputs[0]].quantization.scales[0]).tobytes()  # type: ignore[union-attr]
    place = content.index(scale)
    while place >= 0:  # an output scale that no multiplier can reach
        content[place : place + 4] = np.float32(1e-30).tobytes()
        place = content.find(scale, place)
    damaged = load(bytes(content))
    try:
        TflmKernels(damaged)
    except BadInputError as error:
        assert "TFLM" in str(error)


def test_the_optimised_kernels_are_other_kernels(mlperf_tiny: dict[str, Path]) -> None:
    model = read(mlperf_tiny["anomaly_detection"])
    differ = 0
    reference, optimised = ReferenceKernels(model), OptimisedKernels(model)
    for sample in random_inputs(model, 4).samples:
        [expected], [found] = reference.run(sample).values(), optimised.run(sample).values()
        differ += int((expected != found).sum())
    assert differ > 0


@needs_tflm
def test_operators_that_only_tflm_has_run_on_it_and_litert_says_that_it_lacks_them() -> None:
    writer = GraphWriter()
    x, y = (writer.tensor(name, [1, 4], "int16") for name in "xy")
    writer.custom("SignalDelay", [x], [y], {"delay_length": 2})
    model = load(writer.finish({"x": x}, {"y": y}))
    samples = [{"x": np.array([[1, 2, 3, 4]], np.int16)}] * 2
    kernels = TflmKernels(model)
    assert kernels.run(samples[0])["y"].tolist() == [[0, 0, 1, 2]]
    with pytest.raises(BadInputError, match=r"LiteRT cannot load the model: .*SignalDelay"):
        ReferenceKernels(model)


@needs_tflm
def test_post_processing_of_detections_runs_on_both() -> None:
    writer = GraphWriter()
    boxes = writer.tensor("boxes", [1, 6, 4], "float32")
    scores = writer.tensor("scores", [1, 6, 3], "float32")
    anchors = writer.tensor("anchors", [6, 4], "float32", data=np.linspace(0.1, 0.9, 24, dtype=np.float32))
    shapes = {"places": [1, 4, 4], "classes": [1, 4], "found": [1, 4], "count": [1]}
    outputs = {name: writer.tensor(name, shape, "float32") for name, shape in shapes.items()}
    options = {
        "max_detections": 4,
        "max_classes_per_detection": 1,
        "detections_per_class": 4,
        "use_regular_nms": False,
        "nms_score_threshold": 0.1,
        "nms_iou_threshold": 0.5,
        "num_classes": 2,
        "y_scale": 10.0,
        "x_scale": 10.0,
        "h_scale": 5.0,
        "w_scale": 5.0,
    }
    writer.custom("TFLite_Detection_PostProcess", [boxes, scores, anchors], list(outputs.values()), options)
    model = load(writer.finish({"boxes": boxes, "scores": scores}, outputs))
    chance = np.random.default_rng(3)
    sample = {name: chance.random((1, 6, n), np.float32) for name, n in (("boxes", 4), ("scores", 3))}
    tflm, litert = TflmKernels(model).run(sample), ReferenceKernels(model).run(sample)
    assert tflm["count"] == litert["count"] > 0
    for name, array in litert.items():
        np.testing.assert_allclose(array, tflm[name], rtol=1e-6)
