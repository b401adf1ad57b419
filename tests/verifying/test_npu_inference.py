"""Host inference of compiled models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy import tflite
from deploy.errors import BadInputError, TargetError
from deploy.hardware.npus import npu_named
from deploy.judging.reference import ReferenceKernels
from deploy.verifying.npu_inference import NpuInference

pytestmark = pytest.mark.tensorflow

U55 = npu_named("U55-128")


@pytest.fixture(scope="module")
def model(built: Path) -> tflite.Model:
    (path,) = built.rglob("*_vela.tflite")
    return tflite.read(path)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 1, 16, 16, 1)).astype(np.uint8)


def with_stream(model: tflite.Model, change: object) -> tflite.Model:
    """The model with another command stream tensor."""
    index = model.operators[0].inputs[0]
    data = model.tensors[index].data.copy()
    change(data.view("<u4"))
    tensors = tuple(replace(t, data=data) if t.index == index else t for t in model.tensors)
    return replace(model, tensors=tensors)


def test_a_batch_gives_what_single_runs_and_the_reference_give(model: tflite.Model, tiny_tflite: Path) -> None:
    inference = NpuInference(model, U55)
    reference = ReferenceKernels(tflite.read(tiny_tflite))
    samples = images(5)
    batch = inference.run_batch({"image": samples})
    assert set(batch) == {"kind", "garment"}
    for number, sample in enumerate(samples):
        single = inference.run({"image": sample})
        expected = reference.run({"image": sample})
        for name in batch:
            assert (batch[name][number] == single[name]).all()
            # Fully connected layers: LiteRT rounds once, the NPU twice.
            assert np.abs(single[name].astype(int) - expected[name]).max() <= 1


def test_a_run_begins_with_empty_memory_and_leaves_what_earlier_ones_returned(model: tflite.Model) -> None:
    inference, seen = NpuInference(model, U55), []
    one, other = ({"image": image} for image in images(2))
    first = inference.run(one)
    kept = {name: array.copy() for name, array in first.items()}
    inference.run(other)
    assert all((first[name] == kept[name]).all() for name in kept)
    inference.run_batch(
        {"image": one["image"][np.newaxis]},
        lambda _operator, _operation, memory: seen.append(memory.arrays[1]),
    )
    looked_at = seen[0].copy()
    inference.run(other)
    assert (seen[0] == looked_at).all(), "memory that was looked at stays as it was"
    arenas = []
    for each in (inference, NpuInference(model, U55)):
        each.run(one)
        each.run_batch(
            {"image": one["image"][np.newaxis]},
            lambda _operator, _operation, memory: arenas.append(memory.arrays[1].copy()),
        )
    half = len(arenas) // 2
    assert all((a == b).all() for a, b in zip(arenas[:half], arenas[half:], strict=True))


def test_the_statistics_are_those_of_the_last_run(model: tflite.Model) -> None:
    inference = NpuInference(model, U55)
    inference.run({"image": images(1)[0]})
    first = inference.statistics
    inference.run({"image": images(1)[0]})
    assert first.stopped
    assert first.operations == inference.statistics.operations > 0
    assert first.macs == inference.statistics.macs > 0


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "image"),
        ({"picture": np.zeros((1, 16, 16, 1), np.uint8)}, "picture"),
        ({"image": np.zeros((1, 16, 15, 1), np.uint8)}, "16, 15"),
        ({"image": np.zeros((1, 16, 16, 1), np.int8)}, "int8"),
    ],
)
def test_inputs_that_do_not_match_are_refused(
    model: tflite.Model, inputs: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        NpuInference(model, U55).run(inputs)


def test_another_npu_is_refused_naming_both(model: tflite.Model) -> None:
    with pytest.raises(BadInputError, match="compiled for Ethos-U55-128, not for Ethos-U65-512"):
        NpuInference(model, npu_named("U65-512"))
    with pytest.raises(BadInputError, match="compiled for Ethos-U55-128, not for Ethos-U85-256"):
        NpuInference(model, npu_named("U85-256"))


def test_a_model_that_vela_did_not_write_is_refused(tiny_tflite: Path) -> None:
    with pytest.raises(BadInputError, match="OfflineMemoryAllocation"):
        NpuInference(tflite.read(tiny_tflite), U55)


def test_a_damaged_payload_is_refused(model: tflite.Model) -> None:
    def spoil(words: np.ndarray) -> None:
        words[0] = 0

    with pytest.raises(BadInputError, match="command stream is damaged"):
        NpuInference(with_stream(model, spoil), U55)


def test_a_damaged_command_stream_ends_the_run_with_its_place(model: tflite.Model) -> None:
    def spoil(words: np.ndarray) -> None:
        words[-2] = 0x3FF

    damaged = NpuInference(with_stream(model, spoil), U55)
    with pytest.raises(TargetError, match=r"command 0x03ff at stream offset 0x[0-9a-f]+: unknown command"):
        damaged.run({"image": images(1)[0]})


def test_separate_regions_for_inputs_and_outputs_are_refused(model: tflite.Model) -> None:
    index = model.operators[0].inputs[0]
    stream = model.tensors[index].data.view("<u4")[8:]
    size = 4 * stream.size
    header = [1, 48 + size, 0, 1, 40 + size, 36, 0x4D554556, 1, 20, 0x1807, 0, 2, 0, 0, 0xFFFFFFFF]
    data = np.concatenate([np.frombuffer(b"COP2", "<u4"), np.array(header, "<u4"), stream]).view(np.uint8)
    tensors = tuple(replace(t, data=data) if t.index == index else t for t in model.tensors)
    with pytest.raises(BadInputError, match="separate"):
        NpuInference(replace(model, tensors=tensors), U55)
