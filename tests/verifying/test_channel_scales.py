"""Biases and scales that Vela wrote are those of the source model, and every bit of them that is not is named."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.build_folder import COMPILE_DOCUMENT, BuildFolder, sha256_of_bytes
from deploy.cli.main import run
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA
from deploy.debug_database import DebugDatabase
from deploy.hardware.npus import npu_named
from deploy.judging.operator_result import ChannelDifference, OperatorResult
from deploy.npu.program import Program
from deploy.tflite import Model, Operator
from deploy.verifying import build_check
from deploy.verifying.build_check import check_build
from deploy.verifying.channel_scales import ComparedScales, compare_scales, with_scale_differences
from deploy.verifying.meant_scales import meant_scales
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.verification import Verification, VerifyOptions

NPUS = ("U55-128", "U65-512", "U85-256")
OPTIONS = {
    "CONV_2D": schema.Conv2DOptionsT,
    "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptionsT,
    "FULLY_CONNECTED": schema.FullyConnectedOptionsT,
    "TRANSPOSE_CONV": schema.TransposeConvOptionsT,
}


@dataclass(frozen=True)
class Compiled:
    """What Vela made of a model."""

    source: Model
    compiled: Model
    programs: tuple[Program, ...]
    debug: DebugDatabase

    def scales(self) -> ComparedScales:
        return compare_scales(self.source, self.compiled, self.programs, self.debug)

    def flipped(self, place: int, bit: int) -> Compiled:
        content = bytearray(self.compiled.content)
        content[place] ^= 1 << bit
        return Compiled(self.source, tflite.load(bytes(content), source="flipped"), self.programs, self.debug)


def compiled(source: Model, npu: str) -> Compiled:
    target = npu_named(npu)
    found = VELA.compile(source, compile_options(target))
    return Compiled(source, found.model, NpuInference(found.model, target).programs(), found.debug)


def network(
    code: str = "CONV_2D",
    dtype: str = "int8",
    *,
    channels: int = 24,
    depth: int = 24,
    kernel: int = 1,
    size: int = 4,
    per_channel: bool = True,
    bias: str = "int32",
) -> Model:
    """One operator with weights, biases and scales by chance."""
    rng, writer = np.random.default_rng(channels), GraphWriter()
    zero = 0 if dtype == "int16" else 5
    x = writer.tensor("x", [1, size, size, depth], dtype, 0.05, zero)
    depthwise, wtype = code == "DEPTHWISE_CONV_2D", "uint8" if dtype == "uint8" else "int8"
    shape = [1, kernel, kernel, channels] if depthwise else [channels, kernel, kernel, depth]
    result = [1, size, size, channels]
    if code == "FULLY_CONNECTED":
        shape, result = [channels, size * size * depth], [1, channels]
    scales = rng.uniform(0.001, 0.02, channels if per_channel else 1)
    weights = rng.integers(1, 127, shape).astype(wtype)
    w = writer.tensor("w", shape, wtype, scales, data=weights, axis=3 if depthwise and per_channel else 0)
    b = writer.tensor("b", [channels], bias, 0.05 * scales, data=rng.integers(-9999, 9999, channels).astype(bias))
    y = writer.tensor("y", result, dtype, 0.7, zero)
    options = OPTIONS[code]()
    if code != "FULLY_CONNECTED":
        options.strideH = options.strideW = 1
    if depthwise:
        options.depthMultiplier = channels // depth
    tensors = [x, w, b]
    if code == "TRANSPOSE_CONV":
        tensors = [writer.tensor("shape", [4], "int32", data=np.int32(result)), w, x, b]
    writer.operator(code, tensors, [y], options, version=3)
    return tflite.load(writer.finish({"x": x}, {"y": y}), source="written")


def record(bias: int, multiplier: int, shift: int, bits: int, factor_bytes: int) -> bytes:
    """A scale record: the bias, the multiplier, the shift, and what is missing of ten bytes."""
    parts = (
        bias.to_bytes(bits // 8, "little", signed=True),
        multiplier.to_bytes(factor_bytes, "little"),
        bytes([shift]),
    )
    return b"".join(parts).ljust(10, b"\0")


def place_of(
    source: Model, content: bytes, index: int, channel: int, bits: int = 40, factor_bytes: int = 4
) -> int:
    """Where the only record of a channel begins in a compiled file."""
    meant = meant_scales(source.operators[index], source)
    assert meant is not None
    numbers = (
        int(each[channel]) for each in (meant.channels.bias, meant.channels.multiplier, meant.channels.shift)
    )
    wanted = record(*numbers, bits, factor_bytes)
    assert content.count(wanted) == 1
    return content.index(wanted)


@pytest.fixture(scope="module")
def large() -> Callable[[str], Compiled]:
    """A convolution whose channels come in slices, brought by DMA on most NPUs; compiled once for each NPU."""
    source, made = network(channels=400, depth=64, kernel=3, size=16), dict[str, Compiled]()

    def compile_(npu: str) -> Compiled:
        if npu not in made:
            made[npu] = compiled(source, npu)
        return made[npu]

    return compile_


@pytest.mark.parametrize("npu", NPUS)
@pytest.mark.parametrize("code", sorted(OPTIONS))
@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8"])
def test_what_vela_writes_is_what_the_model_means(npu: str, code: str, dtype: str) -> None:
    bias = "int64" if dtype == "int16" else "int32"
    for per_channel in (False, True) if dtype != "uint8" else (False,):
        found = compiled(network(code, dtype, bias=bias, per_channel=per_channel), npu).scales()
        assert (found.compared, found.left_out, found.differing) == ({0}, frozenset(), {})


@pytest.mark.parametrize("npu", NPUS)
def test_slices_of_channels_are_compared_in_their_order(npu: str, large: Callable[[str], Compiled]) -> None:
    found = large(npu).scales()
    assert (found.compared, found.left_out, found.differing) == ({0}, frozenset(), {})


@pytest.mark.parametrize("npu", NPUS)
@pytest.mark.parametrize("channel", [0, 17, 399])
@pytest.mark.parametrize(
    ("what", "bit"),
    [
        ("bias", 0),
        ("bias", 31),
        ("multiplier", 0),
        ("multiplier", 17),
        ("multiplier", 30),
        ("shift", 0),
        ("shift", 5),
    ],
)
def test_a_flipped_bit_is_found_in_its_channel(
    npu: str, channel: int, what: str, bit: int, large: Callable[[str], Compiled]
) -> None:
    made, bits = large(npu), 32 if npu.startswith("U85") else 40
    start = place_of(made.source, made.compiled.content, 0, channel, bits)
    place = start + {"bias": 0, "multiplier": bits // 8, "shift": bits // 8 + 4}[what] + bit // 8
    [(index, found)] = made.flipped(place, bit % 8).scales().differing.items()
    assert (index, found.channel, found.what, found.channels) == (0, channel, what, 1)
    assert (found.written ^ found.meant) & 0xFFFFFFFF == 1 << bit


@pytest.mark.parametrize("npu", NPUS)
def test_bits_of_16_bit_layers_are_found(npu: str) -> None:
    made = compiled(network(dtype="int16", bias="int64"), npu)
    bits, size = (48, 2) if npu.startswith("U85") else (40, 4)
    start = place_of(made.source, made.compiled.content, 0, 5, bits, size)
    for place, what in ((start, "bias"), (start + bits // 8, "multiplier"), (start + bits // 8 + size, "shift")):
        found = made.flipped(place, 0).scales().differing[0]
        assert (found.channel, found.what, found.written ^ found.meant) == (5, what, 1)


def test_one_scale_of_all_weights_is_compared_in_every_channel() -> None:
    made = compiled(network(per_channel=False), "U55-128")
    place = place_of(made.source, made.compiled.content, 0, 23)
    found = made.flipped(place + 5, 0).scales().differing[0]
    assert (found.channel, found.what) == (23, "multiplier")


def test_vela_cuts_multipliers_on_u85_where_16_bits_meet_a_bias_of_32() -> None:
    made = compiled(network(dtype="int16", bias="int32"), "U85-256")
    found = made.scales().differing[0]
    assert (found.what, found.channels) == ("multiplier", 24)
    assert found.written == found.meant & 0x7FFF
    assert compiled(network(dtype="int16", bias="int32"), "U55-128").scales().differing == {}


@pytest.mark.parametrize("npu", NPUS)
def test_channels_that_vela_computes_in_another_order_are_counted_and_not_judged(npu: str) -> None:
    found = compiled(network("DEPTHWISE_CONV_2D", depth=8), npu).scales()
    assert (found.compared, found.left_out, found.differing) == (frozenset(), {0}, {})


def test_without_a_debug_database_nothing_is_said(large: Callable[[str], Compiled]) -> None:
    made = large("U55-128")
    found = compare_scales(made.source, made.compiled, made.programs, DebugDatabase(""))
    assert found == ComparedScales({}, frozenset(), frozenset())


def test_scales_that_are_not_in_the_constants_are_not_judged(large: Callable[[str], Compiled]) -> None:
    made = large("U55-128")
    [program] = made.programs
    unmoved = Program(
        program.architecture, tuple(each for each in program.operations if each.label != "DMA"), True, 0
    )
    found = compare_scales(made.source, made.compiled, (unmoved,), made.debug)
    assert (found.compared, found.left_out, found.differing) == (frozenset(), {0}, {})


def test_of_a_model_with_branches_nothing_is_said(large: Callable[[str], Compiled]) -> None:
    made = large("U55-128")
    branch = Operator(1, "IF", (), ())
    branching = replace(made.source, operators=(*made.source.operators, branch))
    found = compare_scales(branching, made.compiled, made.programs, made.debug)
    assert found == ComparedScales({}, frozenset(), frozenset())


def result(index: int) -> OperatorResult:
    return OperatorResult(
        index=index, type="CONV_2D", name="y", dtype="int8", absorbs=(), elements=8, mismatches=0, max_lsb=0
    )


def test_an_operator_without_a_result_gets_one_and_others_stay_as_they_are() -> None:
    difference = ChannelDifference(channel=1, what="bias", written=3, meant=2, channels=1)
    source, nobody = network(), frozenset[int]()
    kept = result(0), result(2)
    assert with_scale_differences(kept, source, ComparedScales({}, frozenset({0}), nobody)) == kept
    scaled = with_scale_differences(kept, source, ComparedScales({0: difference}, frozenset({0}), nobody))
    assert [each.scale_difference for each in scaled] == [difference, None]
    [missing, other] = with_scale_differences(
        kept[1:], source, ComparedScales({0: difference}, frozenset(), nobody)
    )
    assert (missing.index, missing.elements, missing.scale_difference) == (0, 0, difference)
    assert other == kept[1]


@pytest.fixture
def slightly_off(built: Path, tmp_path: Path) -> tuple[BuildFolder, int]:
    """A build in which a multiplier's lowest bit is another one, and the operator that has it."""
    build = BuildFolder.open(shutil.copytree(built, tmp_path / "build"))
    source, content = build.source_model, bytearray(build.compiled_model.content)
    index = next(operator.index for operator in source.operators if operator.code == "CONV_2D")
    content[place_of(source, bytes(content), index, 2) + 5] ^= 1
    build.compiled.write_bytes(content)
    document = json.loads((build.path / COMPILE_DOCUMENT).read_text())
    document["compiled_sha256"] = sha256_of_bytes(bytes(content))
    (build.path / COMPILE_DOCUMENT).write_text(json.dumps(document))
    return BuildFolder.open(build.path), index


def test_a_multiplier_that_changes_no_output_fails_the_verdict_by_name(
    slightly_off: tuple[BuildFolder, int],
) -> None:
    build, index = slightly_off
    verdict = Verification(build, VerifyOptions()).run()
    [wrong] = [each for each in verdict.operators if not each.explained]
    assert (wrong.index, wrong.mismatches) == (index, 0)
    assert verdict.verdict == "fail"
    assert verdict.reason.startswith(f"operator {index} CONV_2D (")
    assert "is scaled otherwise than the model says: the multiplier of channel 2 is " in verdict.reason
    assert verdict.operator_check is not None
    assert (verdict.operator_check.differing, verdict.operator_check.unexplained) == (0, 1)
    assert (verdict.operator_check.exact, verdict.operator_check.inexact) == (3, 0)


def test_the_table_of_operators_says_it(
    slightly_off: tuple[BuildFolder, int], capsys: pytest.CaptureFixture[str]
) -> None:
    build, _ = slightly_off
    assert run(["verify", str(build.path), "--layers"]) == 1
    assert capsys.readouterr().out.count("OTHER SCALE") == 1


def test_compile_tells_it_in_no_time_and_where_nothing_can_be_computed(
    slightly_off: tuple[BuildFolder, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    build, index = slightly_off
    assert [each.index for each in check_build(build, time.monotonic()).operators] == [index]
    monkeypatch.setattr(build_check, "check_operators", _refuse)
    record = check_build(build, time.monotonic() + 60)
    assert record.check.source == "none"
    [fault] = record.faults
    assert "the multiplier of channel 2" in fault


def _refuse(*_arguments: object, **_options: object) -> None:
    from deploy.errors import NotInstalledError

    raise NotInstalledError("LiteRT is missing")
