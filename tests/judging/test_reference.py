"""The reference kernels run real networks by name, refuse what does not fit, and survive damaged files."""

import struct
from pathlib import Path

import numpy as np
import pytest
from npu.written_networks import written_networks

from deploy import tflite
from deploy.errors import BadInputError
from deploy.judging.reference import ReferenceKernels


def test_outputs_come_by_name_with_the_models_own_shapes_and_types(mlperf_tiny: dict[str, Path]) -> None:
    for name, path in mlperf_tiny.items():
        model = tflite.read(path)
        kernels = ReferenceKernels(model)
        inputs = {
            label: np.zeros(model.tensors[index].shape, model.tensors[index].dtype)
            for index, label in model.input_names().items()
        }
        outputs = kernels.run(inputs)
        assert set(outputs) == set(model.output_names().values()), name
        for index, label in model.output_names().items():
            assert outputs[label].shape == model.tensors[index].shape
            assert outputs[label].dtype == model.tensors[index].dtype
    assert kernels.name == "LiteRT BUILTIN_REF"
    assert kernels.version


def test_a_second_run_does_not_see_the_first_and_leaves_its_results_alone(mlperf_tiny: dict[str, Path]) -> None:
    kernels = ReferenceKernels(tflite.read(mlperf_tiny["image_classification"]))
    generator = np.random.default_rng(0)
    images = [{"input_1_int8": generator.integers(-128, 128, (1, 32, 32, 3), dtype=np.int8)} for _ in range(2)]
    first = kernels.run(images[0])["Identity_int8"]
    kept = first.copy()
    kernels.run(images[1])
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(kernels.run(images[0])["Identity_int8"], kept)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "no data for the model's input input_1_int8"),
        ({"input_1_int8": np.zeros((1, 32, 32, 3), np.int8), "x": np.zeros(1)}, "the model has no input x"),
        (
            {"input_1_int8": np.zeros((32, 32, 3), np.int8)},
            r"int8\[32, 32, 3\], the model takes int8\[1, 32, 32, 3\]",
        ),
        ({"input_1_int8": np.zeros((1, 32, 32, 3), np.uint8)}, r"uint8\[1, 32, 32, 3\], the model takes int8"),
    ],
)
def test_inputs_of_the_wrong_name_shape_or_type_are_refused(
    mlperf_tiny: dict[str, Path], inputs: dict[str, np.ndarray], message: str
) -> None:
    kernels = ReferenceKernels(tflite.read(mlperf_tiny["image_classification"]))
    with pytest.raises(BadInputError, match=message):
        kernels.run(inputs)


def test_a_damaged_model_never_raises_anything_but_a_clear_error(mlperf_tiny: dict[str, Path]) -> None:
    content = mlperf_tiny["keyword_spotting"].read_bytes()
    chance = np.random.default_rng(5)
    refused = 0
    for _ in range(60):
        mutant = bytearray(content)
        for _ in range(4):
            # Where the tables are: the weights in between are only numbers.
            position = int(chance.integers(-8000, 2000))
            mutant[position] = int(chance.integers(256))
        try:
            model = tflite.load(bytes(mutant))
            kernels = ReferenceKernels(model)
            kernels.run(
                {
                    label: np.zeros(model.tensors[index].shape, model.tensors[index].dtype)
                    for index, label in model.input_names().items()
                }
            )
        except BadInputError:
            refused += 1
    assert 0 < refused < 60


def test_a_model_on_which_litert_aborts_is_refused_and_the_process_lives(mlperf_tiny: dict[str, Path]) -> None:
    # The only 1.0 in the file is the beta of its SOFTMAX.
    content = mlperf_tiny["image_classification"].read_bytes()
    beta = struct.pack("<f", 1.0)
    assert content.count(beta) == 1
    mutant = tflite.load(content.replace(beta, struct.pack("<f", 1e-9)))
    with pytest.raises(BadInputError, match=r"abort on the model \(SIGABRT\)"):
        ReferenceKernels(mutant)


def test_an_operator_without_a_reference_kernel_runs_on_the_optimised_ones_and_the_name_says_so(
    tmp_path: Path,
) -> None:
    networks = {network.name: network for network in written_networks()}
    for name, kind in (("tile", "TILE"), ("elu", "ELU")):
        file = tmp_path / f"{name}.tflite"
        file.write_bytes(networks[name].convert())
        kernels = ReferenceKernels(tflite.read(file))
        assert kernels.name == f"LiteRT's optimised kernels (BUILTIN_REF has none for {kind})"
    assert ReferenceKernels.name == "LiteRT BUILTIN_REF"
    x = np.arange(120, dtype=np.int8).reshape(1, 4, 5, 6)
    repeated = ReferenceKernels(tflite.read(tmp_path / "tile.tflite")).run({"x": x})["y"]
    assert (repeated == np.tile(x, (1, 2, 3, 2))).all()
