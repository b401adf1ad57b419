"""Every known miscompilation of Vela: what it compiles wrongly is named, and its way around is compiled right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stateful_networks
from tflite_writer import GraphWriter, schema

import deploy
from deploy import tflite
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA, Compiled
from deploy.hardware.npus import Npu, npu_named
from deploy.judging.inputs import random_inputs
from deploy.judging.operator_result import OperatorResult
from deploy.judging.oracles import tflm_installed
from deploy.judging.samples import stacked
from deploy.tflite.records import packed, unpacked
from deploy.tflite.unwritten import unwritten
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.layer_walk import walk
from deploy.verifying.miscompilations import KNOWN, operations_of, unread_elements, with_miscompilations
from deploy.verifying.npu_inference import NpuInference, decoded_programs

NPU = npu_named("U55-128")
U85 = npu_named("U85-256")
MAP = (1, 16, 16, 8)


def compared(content: bytes, npu: Npu = NPU) -> tuple[OperatorResult, ...]:
    """What a network amounts to on the NPU model, operator by operator."""
    model = tflite.load(content, source="network")
    compiled = VELA.compile(model, compile_options(npu))
    assert all(operator.on_npu for operator in compiled.model.operators)
    inference, capture = NpuInference(compiled.model, npu), LayerCapture(model, compiled.debug)
    inputs = stacked(random_inputs(model, 2).samples)
    results = walk(model, capture, inputs, inference.run_batch(inputs, capture)).results
    return with_miscompilations(results, model, operations_of(inference.programs(), compiled.debug))


def named(results: Sequence[OperatorResult]) -> list[str]:
    return [result.miscompiled.name for result in results if result.miscompiled]


class Network(GraphWriter):
    """Operators one behind the other on a map of 16 x 16 x 8, int8."""

    def __init__(self, shape: Sequence[int] = MAP, scale: float = 0.05, zero_point: int = 0) -> None:
        super().__init__()
        self._shape = list(shape)
        self._last = self._input = self.tensor("x", shape, "int8", scale, zero_point)

    def _follow(self, code: str, shape: Sequence[int], inputs: Sequence[int], options: Any, scale: float) -> None:
        output = self.tensor(f"t{len(self._graph.tensors)}", shape, "int8", scale)
        self.operator(code, [self._last, *inputs], [output], options)
        self._last, self._shape = output, list(shape)

    def reduce(self, code: str, axes: Sequence[int], *, keep: bool, scale: float = 0.05) -> Network:
        constant = self.tensor(f"axes{len(self._graph.tensors)}", [len(axes)], "int32", data=np.int32(axes))
        options = schema.ReducerOptionsT()
        options.keepDims = keep
        kept = [1 if axis in axes else size for axis, size in enumerate(self._shape)]
        shape = kept if keep else [size for axis, size in enumerate(self._shape) if axis not in axes]
        self._follow(code, shape, [constant], options, scale)
        return self

    def reshape(self, *shape: int) -> Network:
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        constant = self.tensor(f"shape{len(self._graph.tensors)}", [len(shape)], "int32", data=np.int32(shape))
        self._follow("RESHAPE", shape, [constant], options, 0.05)
        return self

    def transpose(self, *axes: int) -> Network:
        constant = self.tensor(f"order{len(self._graph.tensors)}", [len(axes)], "int32", data=np.int32(axes))
        shape = [self._shape[axis] for axis in axes]
        self._follow("TRANSPOSE", shape, [constant], schema.TransposeOptionsT(), 0.05)
        return self

    def done(self) -> bytes:
        return self.finish({"x": self._input}, {"y": self._last})


WRONG = {
    "sum over height and width": (Network().reduce("SUM", (1, 2), keep=False, scale=5.0), "sum-over-several-axes"),
    "sum of what has a zero point": (
        Network(zero_point=-128).reduce("SUM", (1, 2), keep=False, scale=5.0),
        "sum-over-several-axes",
    ),
    "sum over all": (Network().reduce("SUM", (1, 2, 3), keep=True, scale=9.0), "sum-over-several-axes"),
    "maximum over the width": (Network().reduce("REDUCE_MAX", (2,), keep=False), "extreme-over-width"),
    "maximum over the depth": (Network().reduce("REDUCE_MAX", (3,), keep=False), "extreme-over-width"),
    "maximum over both": (Network().reduce("REDUCE_MAX", (2, 3), keep=False), "extreme-over-width"),
    "minimum over the width": (Network().reduce("REDUCE_MIN", (2,), keep=False), "extreme-over-width"),
    "minimum, reshaped": (Network().reduce("REDUCE_MIN", (2,), keep=True).reshape(1, 16, 8), "reshaped-minimum"),
}
RIGHT = {
    "sum over one axis": Network().reduce("SUM", (1,), keep=False, scale=1.0),
    "sum over one axis after another": Network()
    .reduce("SUM", (1,), keep=True, scale=1.25)
    .reduce("SUM", (2,), keep=True, scale=5.0),
    "sums of what has a zero point": Network(zero_point=-128)
    .reduce("SUM", (1,), keep=True, scale=1.25)
    .reduce("SUM", (2,), keep=True, scale=5.0),
    "maximum over the height": Network().reduce("REDUCE_MAX", (1,), keep=False),
    "maximum over height and width": Network().reduce("REDUCE_MAX", (1, 2), keep=False),
    "maximum, reshaped": Network().reduce("REDUCE_MAX", (2,), keep=True).reshape(1, 16, 8),
    "maximum of the transposed": Network().transpose(0, 2, 1, 3).reduce("REDUCE_MAX", (1,), keep=False),
    "minimum with keepdims": Network().reduce("REDUCE_MIN", (2,), keep=True),
    "minimum of the transposed": Network().transpose(0, 2, 1, 3).reduce("REDUCE_MIN", (1,), keep=False),
    "mean over height and width": Network().reduce("MEAN", (1, 2), keep=False),
}


@pytest.mark.parametrize("network", WRONG)
def test_a_reduction_that_vela_compiles_wrongly_is_named_and_fails(network: str) -> None:
    writer, name = WRONG[network]
    results = compared(writer.done())
    assert named(results) == [name]
    assert not results[0].explained
    assert results[0].mismatches > 0


@pytest.mark.parametrize("network", RIGHT)
def test_its_way_around_and_its_like_are_not_named_and_equal_an_oracle(network: str) -> None:
    results = compared(RIGHT[network].done())
    assert named(results) == []
    assert all(result.explained for result in results)


@pytest.mark.parametrize("network", WRONG)
def test_a_reduction_is_compiled_as_wrongly_for_u85_but_for_one(network: str) -> None:
    writer, name = WRONG[network]
    results = compared(writer.done(), U85)
    # U85 has a minimum of its own, so nothing has to be negated twice.
    assert named(results) == ([] if name == "reshaped-minimum" else [name])
    assert all(result.explained for result in results) == (name == "reshaped-minimum")


@pytest.mark.parametrize("network", RIGHT)
def test_ways_around_are_compiled_right_for_u85(network: str) -> None:
    results = compared(RIGHT[network].done(), U85)
    assert named(results) == []
    assert all(result.explained for result in results)


def resized(size: tuple[int, int], *, centred: bool) -> bytes:
    writer = GraphWriter()
    image = writer.tensor("image", (1, 9, 7, 8), "int8", 0.02, 0)
    extents = writer.tensor("size", (2,), "int32", data=np.int32(size))
    result = writer.tensor("result", (1, *size, 8), "int8", 0.02, 0)
    options = schema.ResizeNearestNeighborOptionsT()
    options.halfPixelCenters = centred
    writer.operator("RESIZE_NEAREST_NEIGHBOR", [image, extents], [result], options, version=3)
    return writer.finish({"image": image}, {"result": result})


def test_neighbours_of_half_pixel_centres_that_nobody_asked_for_are_named() -> None:
    [result] = compared(resized((13, 11), centred=False), U85)
    assert named([result]) == ["nearest-of-half-pixel-centres"]
    assert "from half-pixel centres" in str(result.miscompiled)
    assert result.mismatches > 0


@pytest.mark.parametrize(("size", "centred"), [((13, 11), True), ((18, 14), False), ((18, 14), True)])
def test_neighbours_of_whole_factors_and_of_centres_are_right(size: tuple[int, int], centred: bool) -> None:
    results = compared(resized(size, centred=centred), U85)
    assert named(results) == []
    assert all(result.explained for result in results)


def cast(source: str, target: str, *scale: float) -> bytes:
    writer = GraphWriter()
    image = writer.tensor("image", (1, 9, 7, 8), source, *scale)
    result = writer.tensor("result", (1, 9, 7, 8), target)
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = (
        getattr(schema.TensorType, each.upper()) for each in (source, target)
    )
    writer.operator("CAST", [image], [result], options)
    return writer.finish({"image": image}, {"result": result})


def test_a_cast_that_widens_halves_of_integers_is_named() -> None:
    [result] = compared(cast("int32", "int64"), U85)
    assert named([result]) == ["cast-of-halves"]
    assert result.mismatches > 0


def test_a_cast_of_fewer_bits_to_64_is_compiled_right() -> None:
    [result] = compared(cast("int16", "int64", 0.001), U85)
    assert (named([result]), result.mismatches) == ([], 0)


def comparison(scale: float) -> bytes:
    writer = GraphWriter()
    shape = (1, 16, 16, 16)
    rng = np.random.default_rng(2)
    image = writer.tensor("image", shape, "int16", scale)
    values = rng.integers(-32768, 32768, shape).astype(np.int16)
    other = writer.tensor("other", shape, "int16", scale, data=values)
    result = writer.tensor("result", shape, "bool")
    writer.operator("GREATER", [image, other], [result], version=2)
    return writer.finish({"image": image}, {"result": result})


@pytest.mark.skipif(not tflm_installed(), reason="tflite-micro is not installed")
@pytest.mark.parametrize(("scale", "expected"), [(0.0001, ["comparison-in-256ths"]), (0.02, [])])
def test_numbers_of_16_bits_that_are_compared_in_256ths_are_named(scale: float, expected: list[str]) -> None:
    [result] = compared(comparison(scale), U85)
    assert named([result]) == expected
    assert bool(result.mismatches) == bool(expected)


def convolution(zero_point: int, output: str) -> bytes:
    """A convolution of 4 channels with symmetric weights, and a QUANTIZE to uint8 behind it where asked for."""
    writer = GraphWriter()
    image = writer.tensor("image", [1, 8, 8, 4], "int8", 0.02, 0)
    weights = np.random.default_rng(1).integers(-127, 128, (4, 3, 3, 4)).astype(np.int8)
    kernel = writer.tensor("kernel", [4, 3, 3, 4], "int8", 0.01, 0, weights)
    bias = writer.tensor("bias", [4], "int32", 0.0002, 0, np.zeros(4, np.int32))
    signed = writer.tensor("signed", [1, 6, 6, 4], "int8", 0.1, zero_point)
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = schema.Padding.VALID, 1, 1
    options.dilationHFactor = options.dilationWFactor = 1
    writer.operator("CONV_2D", [image, kernel, bias], [signed], options)
    if output == "int8":
        return writer.finish({"image": image}, {"map": signed})
    unsigned = writer.tensor("unsigned", [1, 6, 6, 4], "uint8", 0.1, zero_point + 128)
    writer.operator("QUANTIZE", [signed], [unsigned], schema.QuantizeOptionsT())
    return writer.finish({"image": image}, {"map": unsigned})


def test_a_quantize_that_is_folded_with_a_clamp_of_half_the_range_is_named() -> None:
    results = compared(convolution(0, "uint8"))
    assert named(results) == ["quantize-with-half-the-range"]
    [wrong] = [result for result in results if result.miscompiled]
    assert (wrong.type, wrong.absorbs) == ("QUANTIZE", ("0 CONV_2D",))
    assert wrong.mismatches > 0
    assert "clamp to 0..127, where 0..255 can occur" in str(wrong.miscompiled)
    assert "--io int8" in str(wrong.miscompiled)


def quantized_behind(code: str, to: str, zero_point: int) -> bytes:
    """A convolution to int8 with zero point 0, what only moves its elements, and a QUANTIZE of the same scale."""
    writer = GraphWriter()
    image = writer.tensor("image", [1, 8, 8, 4], "int8", 0.02, 0)
    weights = np.random.default_rng(1).integers(-127, 128, (4, 1, 1, 4)).astype(np.int8)
    kernel = writer.tensor("kernel", [4, 1, 1, 4], "int8", 0.02, 0, weights)
    bias = writer.tensor("bias", [4], "int32", 0.0004, 0, np.zeros(4, np.int32))
    last = writer.tensor("signed", [1, 8, 8, 4], "int8", 0.05, 0)
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    writer.operator("CONV_2D", [image, kernel, bias], [last], options)
    shape = [1, 8, 8, 4]
    if code == "RESHAPE":
        shape = [1, 256]
        moved = writer.tensor("moved", shape, "int8", 0.05, 0)
        wanted = writer.tensor("shape", [2], "int32", data=np.int32(shape))
        writer.operator(code, [last, wanted], [moved], schema.ReshapeOptionsT())
        last = moved
    elif code == "RESIZE_NEAREST_NEIGHBOR":
        shape = [1, 16, 16, 4]
        moved = writer.tensor("moved", shape, "int8", 0.05, 0)
        size = writer.tensor("size", [2], "int32", data=np.int32([16, 16]))
        centred = schema.ResizeNearestNeighborOptionsT()
        centred.halfPixelCenters = True
        writer.operator(code, [last, size], [moved], centred)
        last = moved
    result = writer.tensor("result", shape, to, 0.05, zero_point)
    writer.operator("QUANTIZE", [last], [result], schema.QuantizeOptionsT())
    return writer.finish({"image": image}, {"map": result})


@pytest.mark.parametrize(
    ("code", "to", "zero_point", "npu", "name"),
    [
        ("RESHAPE", "uint8", 128, NPU, "quantize-with-half-the-range"),
        ("RESHAPE", "uint8", 128, U85, "quantize-with-half-the-range"),
        ("RESIZE_NEAREST_NEIGHBOR", "uint8", 128, NPU, "quantize-left-out"),
        ("RESIZE_NEAREST_NEIGHBOR", "uint8", 128, U85, "quantize-with-half-the-range"),
        ("CONV_2D", "int8", -128, NPU, "quantize-beyond-its-input"),
        ("CONV_2D", "int8", -128, U85, "quantize-beyond-its-input"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_quantize_that_is_folded_wrongly_is_named_behind_other_operators(
    code: str, to: str, zero_point: int, npu: Npu, name: str
) -> None:
    results = compared(quantized_behind(code, to, zero_point), npu)
    assert named(results) == [name]
    [wrong] = [result for result in results if result.miscompiled]
    assert wrong.type == "QUANTIZE"
    assert wrong.mismatches > 0


@pytest.mark.parametrize(("zero_point", "output"), [(0, "int8"), (-20, "uint8"), (-128, "uint8")])
def test_int8_outputs_and_other_zero_points_are_compiled_right(zero_point: int, output: str) -> None:
    results = compared(convolution(zero_point, output))
    assert named(results) == []
    assert all(result.explained for result in results)


def product(dtype: str, scale: float) -> bytes:
    """A product whose scale is next to nothing, as a state has that was zero in all of the calibration."""
    writer = GraphWriter()
    x, z = (writer.tensor(name, [1, 8, 8, 16], dtype, own) for name, own in (("x", 0.0235), ("z", 0.0039)))
    y = writer.tensor("y", [1, 8, 8, 16], dtype, scale)
    writer.operator("MUL", [x, z], [y], schema.MulOptionsT())
    return writer.finish({"x": x, "z": z}, {"y": y})


@pytest.mark.parametrize("scale", [1e-16, 3e-35], ids=["the shift wraps around", "it becomes 1"])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_product_whose_multiplier_no_register_holds_is_named(dtype: str, scale: float) -> None:
    [wrong] = compared(product(dtype, scale))
    assert named([wrong]) == ["multiplier-beyond-the-register"]
    assert wrong.mismatches > 0
    assert "calibrate with data" in str(wrong.miscompiled)


@pytest.mark.parametrize("scale", [4.2e-14, 1e-7, 0.01])
def test_a_multiplier_that_fits_is_compiled_right_whatever_the_kernels_make_of_it(scale: float) -> None:
    [right] = compared(product("uint8", scale))
    assert named([right]) == []
    assert right.explained


def compiled_stream(npu: Npu, *, initialised: bool) -> Compiled:
    """A network with a variable, with or without a CALL_ONCE that initialises it."""
    record = unpacked(stateful_networks.stream())
    if not initialised:
        record.subgraphs[0].operators = record.subgraphs[0].operators[1:]
        record.subgraphs = record.subgraphs[:1]
    return VELA.compile(tflite.load(packed(record), source="stream"), compile_options(npu))


@pytest.mark.parametrize(("npu", "expected"), [(NPU, []), (U85, ["variable-in-the-arena"])], ids=["u55", "u85"])
def test_a_variable_that_the_npu_reads_in_the_arena_is_named(npu: Npu, expected: list[str]) -> None:
    compiled = compiled_stream(npu, initialised=False)
    operations = operations_of(decoded_programs(compiled.model, npu), compiled.debug)
    results = with_miscompilations((), compiled.source, operations)
    assert named(results) == expected
    assert [result.type for result in results] == ["READ_VARIABLE"] * len(expected)


@pytest.mark.parametrize(("npu", "expected"), [(NPU, 0), (U85, 1)], ids=["u55", "u85"])
def test_variables_that_are_initialised_in_another_arena_are_named(npu: Npu, expected: int) -> None:
    found = unwritten(compiled_stream(npu, initialised=True).model)
    assert len(found) == expected
    assert all("nothing in the compiled model initialises them" in sentence for sentence in found)


def test_an_operator_that_was_not_compared_is_named_all_the_same() -> None:
    writer, name = WRONG["maximum over the width"]
    model = tflite.load(writer.done(), source="network")
    compiled = VELA.compile(model, compile_options(NPU))
    operations = operations_of(NpuInference(compiled.model, NPU).programs(), compiled.debug)
    [result] = with_miscompilations((), model, operations)
    assert (result.elements, result.explained, named([result])) == (0, False, [name])
    assert "never reads 1920 of 2048 elements" in str(result.miscompiled)
    assert unread_elements(model.operators[0], model, operations[0]) == (1920, 2048)


def test_what_reads_too_little_is_a_defect_only_where_its_output_differs() -> None:
    [last] = [known for known in KNOWN if known.name == "unread-input"]
    assert not last.certain
    model = tflite.load(Network().reduce("MEAN", (1, 2), keep=False).done(), source="network")
    [part] = operations_of_reduction("REDUCE_MAX", (2,))
    found = last.found(model.operators[0], model, {0: [part]})
    assert found == "its command stream never reads 1920 of the input's 2048 elements"


def operations_of_reduction(code: str, axes: Sequence[int]) -> Sequence[Any]:
    model = tflite.load(Network().reduce(code, axes, keep=False).done(), source="network")
    compiled = VELA.compile(model, compile_options(NPU))
    return operations_of(NpuInference(compiled.model, NPU).programs(), compiled.debug)[0]


def test_the_page_about_them_has_every_one() -> None:
    page = (Path(deploy.__file__).parent.parent / "docs" / "how-to" / "miscompiled.md").read_text(encoding="utf-8")
    for known in KNOWN:
        assert f"| `{known.name}` |" in page
