"""The layers that the face networks share: parameter counts of the documents, and what they compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from parameter_counts import trainable_parameters

pytestmark = pytest.mark.tensorflow

Floats = NDArray[np.float32]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def parameters(layer: Any, *shape: int) -> int:
    """Trainable parameters after one call with zeros."""
    layer(np.zeros(shape, np.float32))
    return trainable_parameters(layer)


def levels(random: np.random.Generator, *channels: int, size: int = 8) -> Any:
    from deploy.models.face_blocks.backbone import Features

    sides = (size, size // 2, size // 4)
    maps = (random.normal(size=(1, side, side, c)) for side, c in zip(sides, channels, strict=True))
    return Features(*(map_.astype(np.float32) for map_ in maps))


def test_the_backbone_has_213_072_parameters_and_features_of_three_strides(keras: Any) -> None:
    from deploy.models.face_blocks.backbone import BACKBONE_CHANNELS, mobilenet_v1_quarter

    image = keras.Input((64, 64, 3))
    features = mobilenet_v1_quarter(image)
    assert [tuple(x.shape[1:]) for x in features] == [
        (64 // stride, 64 // stride, channels)
        for stride, channels in zip((8, 16, 32), BACKBONE_CHANNELS, strict=True)
    ]
    assert trainable_parameters(keras.Model(image, list(features))) == 213_072


def test_the_original_attention_has_680_and_the_light_one_612_parameters(keras: Any) -> None:
    from deploy.models.face_blocks.attention import CBAM, CBAM_Plus

    assert parameters(CBAM(64, 16), 1, 4, 4, 64) == 680
    assert parameters(CBAM_Plus(channels=64, reduction_ratio=32), 1, 4, 4, 64) == 612


def test_the_six_original_attention_modules_are_the_documented_bytes_in_float(keras: Any) -> None:
    from deploy.models.face_blocks.attention import CBAM

    counts = [parameters(CBAM(c), 1, 4, 4, c) for c in (64, 128, 256, 64, 64, 64)]
    assert 4 * sum(counts) == 54_272


def test_attention_with_shared_weights_has_none_of_its_own(keras: Any, random: np.random.Generator) -> None:
    from deploy.models.face_blocks.attention import CBAM_Plus, SpatialGate, light_channel_gate

    x = random.normal(size=(1, 4, 4, 64)).astype(np.float32)
    own = CBAM_Plus(channels=64)
    channel, spatial = light_channel_gate(64, 32, name="channel"), SpatialGate(name="spatial")
    own.channel_gate, own.spatial_gate = channel, spatial
    shared = CBAM_Plus(channels=64, share_weights=True)
    assert shared.trainable_weights == []
    attended = shared(x, shared_channel_gate=channel, shared_spatial_gate=spatial)
    assert np.allclose(attended, own(x), atol=1e-6)
    with pytest.raises(ValueError, match="pass shared_channel_gate and shared_spatial_gate"):
        shared(x)


def test_attention_is_a_gate_for_channels_then_one_for_positions(keras: Any, random: np.random.Generator) -> None:
    from deploy.models.face_blocks.attention import CBAM

    module = CBAM(8, 4)
    x = random.normal(size=(1, 5, 5, 8)).astype(np.float32)
    got = np.asarray(module(x))
    squeeze, squeeze_bias = (np.asarray(w) for w in module.channel_gate.squeeze.weights)
    excite, excite_bias = (np.asarray(w) for w in module.channel_gate.excite.weights)
    pooled = [x.mean((1, 2)), x.max((1, 2))]
    hidden = sum(np.maximum(p @ squeeze[0, 0] + squeeze_bias, 0) for p in pooled)
    y = x / (1 + np.exp(-(hidden @ excite[0, 0] + excite_bias)))[:, None, None, :]
    both = np.pad(np.stack([y.mean(-1), y.max(-1)], -1), ((0, 0), (3, 3), (3, 3), (0, 0)))
    kernel = np.asarray(module.spatial_gate.mix.kernel)[..., 0]
    mixed = np.array([[(both[0, i : i + 7, j : j + 7] * kernel).sum() for j in range(5)] for i in range(5)])
    mixed = mixed / np.sqrt(1 + module.spatial_gate.norm.epsilon)
    assert np.allclose(got, y / (1 + np.exp(-mixed))[None, :, :, None], atol=1e-5)


def test_the_manager_shares_one_spatial_gate_and_channel_gates_of_equal_width(keras: Any) -> None:
    from deploy.models.face_blocks.attention import SharedCBAMManager

    widths = {"backbone_0": 32, "backbone_1": 64, "backbone_2": 128, "bifpn": 64}
    manager = SharedCBAMManager(widths, reduction_ratio=32)
    for name, width in widths.items():
        assert manager(np.zeros((1, 4, 4, width), np.float32), gate_name=name).shape == (1, 4, 4, width)
    # Hidden layers of 4 channels: 2 * 4 weights a channel for widths 32, 64 and 128, and one 7x7 gate.
    assert trainable_parameters(manager) == 8 * (32 + 64 + 128) + 100
    with pytest.raises(ValueError, match="no gate is called 'head'"):
        manager(np.zeros((1, 4, 4, 64), np.float32), gate_name="head")


def test_the_manager_can_keep_a_channel_gate_for_each_module(keras: Any) -> None:
    from deploy.models.face_blocks.attention import SharedCBAMManager

    manager = SharedCBAMManager(dict.fromkeys(("p3", "p4", "p5"), 20), 128, share_channel_gates=False)
    for level in ("p3", "p4", "p5"):
        manager(np.zeros((1, 4, 4, 20), np.float32), gate_name=level)
    assert trainable_parameters(manager) == 580


@pytest.mark.parametrize(("bias", "count"), [(True, 3_120), (False, 3_072)])
def test_the_shared_head_returns_class_box_and_landmark_numbers(keras: Any, bias: bool, count: int) -> None:
    from deploy.models.face_blocks.heads import SharedMultiHead

    head = SharedMultiHead(in_channels=64, num_anchors=3, use_bias=bias)
    classes, boxes, landmarks = head(np.zeros((2, 4, 5, 64), np.float32))
    assert (classes.shape, boxes.shape, landmarks.shape) == ((2, 60, 2), (2, 60, 4), (2, 60, 10))
    assert trainable_parameters(head) == count


def test_head_outputs_stand_by_level_row_column_and_anchor(keras: Any, random: np.random.Generator) -> None:
    from deploy.models.face_blocks.heads import SharedMultiHead, gather

    fine, coarse = (random.normal(size=(1, side, side, 4)).astype(np.float32) for side in (4, 2))
    heads = [SharedMultiHead(4, 2, name=name) for name in ("fine", "coarse")]
    joined = gather([head(x) for head, x in zip(heads, (fine, coarse), strict=True)])
    anchor = 2 * 4 * 4 + 2 * (1 * 2 + 0) + 1  # the coarse level's row 1, column 0, second anchor
    kernel = np.asarray(heads[1].convs["boxes"].kernel)[0, 0]
    assert joined["boxes"].shape == (1, 40, 4)
    assert np.allclose(joined["boxes"][0, anchor], coarse[0, 1, 0] @ kernel[:, 4:], atol=1e-5)


@pytest.mark.parametrize(("channels", "layers", "count"), [(74, 2, 113_610), (64, 3, 112_606)])
def test_the_full_pyramid_has_the_documented_parameters(
    keras: Any, random: np.random.Generator, channels: int, layers: int, count: int
) -> None:
    from deploy.models.face_blocks.pyramid import BiFPN

    pyramid = BiFPN(channels, layers)
    fused = pyramid(levels(random, 64, 128, 256))
    assert [tuple(x.shape) for x in fused] == [(1, side, side, channels) for side in (8, 4, 2)]
    assert trainable_parameters(pyramid) == count


@pytest.mark.parametrize(("channels", "count"), [(20, 10_326), (32, 17_286)])
def test_the_light_pyramid_shares_a_convolution_in_each_layer(
    keras: Any, random: np.random.Generator, channels: int, count: int
) -> None:
    from deploy.models.face_blocks.pyramid import BiFPNLight

    pyramid = BiFPNLight(channels, 2)
    pyramid(levels(random, 64, 128, 256))
    assert trainable_parameters(pyramid) == count


def test_everything_but_the_context_of_the_baseline_network_adds_up(keras: Any) -> None:
    # Document 002: 592,371 in total, of which the context modules take 246,885.
    backbone, attention, pyramid, heads = 213_072, 54_272 // 4, 112_606, 3 * 2 * 16 * 65
    assert backbone + attention + pyramid + heads + 246_885 == 592_371


@pytest.mark.parametrize(("channels", "groups", "count"), [(20, 1, 3_435), (32, 4, 2_256)])
def test_ssh_has_the_documented_parameters(keras: Any, channels: int, groups: int, count: int) -> None:
    from deploy.models.face_blocks.context import SSH

    assert parameters(SSH(channels, groups, name="ssh"), 1, 4, 4, channels) == count


def test_contexts_have_the_documented_parameters(keras: Any) -> None:
    from deploy.models.face_blocks.context import ConvContext, DeformableContext

    assert 3 * parameters(ConvContext(74, name="conv"), 1, 4, 4, 74) == 148_296
    assert 3 * parameters(DeformableContext(74, name="dcn"), 1, 4, 4, 74) == 202_323


def deformed(x: Floats, offsets: Floats, masks: Floats, kernel: Floats) -> Floats:
    """The true operator: every tap read by bilinear interpolation where its offset points, zeros outside."""
    height, width, channels = x.shape

    def pixel(row: int, column: int) -> Floats:
        inside = 0 <= row < height and 0 <= column < width
        return x[row, column] if inside else np.zeros(channels, np.float32)

    result = np.zeros((height, width, kernel.shape[-1]), np.float64)
    for row, column, tap in np.ndindex(height, width, 9):
        y = row + tap // 3 - 1 + offsets[row, column, tap]
        z = column + tap % 3 - 1 + offsets[row, column, 9 + tap]
        top, left = int(np.floor(y)), int(np.floor(z))
        sample = sum(
            (1 - abs(y - i)) * (1 - abs(z - j)) * pixel(i, j) for i in (top, top + 1) for j in (left, left + 1)
        )
        result[row, column] += masks[row, column, tap] * sample @ kernel[tap]
    return result.astype(np.float32)


def test_the_bounded_deformable_convolution_is_the_true_one(keras: Any, random: np.random.Generator) -> None:
    from deploy.models.face_blocks.context import DeformableContext

    context = DeformableContext(6, name="dcn")
    x = random.normal(size=(1, 7, 5, 6)).astype(np.float32)
    offsets = random.uniform(-1, 1, (1, 7, 5, 18)).astype(np.float32)
    offsets[0, 0, 0, :6] = (-1, 1, 0, -1, 1, 0)  # whole positions too
    masks = random.uniform(0, 1, (1, 7, 5, 9)).astype(np.float32)
    got = np.asarray(context.convolve(x, offsets, masks))
    kernel = np.asarray(context.conv.kernel)[:, 0]
    want = deformed(x[0], offsets[0], masks[0], kernel)
    assert np.abs(got[0] - want).max() < 4e-6 * max(1, np.abs(want).max())


def test_without_offsets_the_deformable_convolution_is_a_plain_one(
    keras: Any, random: np.random.Generator
) -> None:
    from deploy.models.face_blocks.context import DeformableContext

    context = DeformableContext(4, name="dcn")
    x = random.normal(size=(1, 6, 6, 4)).astype(np.float32)
    got = context.convolve(x, np.zeros((1, 6, 6, 18), np.float32), np.ones((1, 6, 6, 9), np.float32))
    plain = keras.ops.conv(x, np.asarray(context.conv.kernel).reshape(3, 3, 4, 4), padding="same")
    assert np.allclose(got, plain, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "numpy"),
    [
        ("channel_mean", lambda x: x.mean(3, keepdims=True)),
        ("channel_max", lambda x: x.max(3, keepdims=True)),
        ("global_average", lambda x: x.mean((1, 2), keepdims=True)),
        ("global_max", lambda x: x.max((1, 2), keepdims=True)),
    ],
)
@pytest.mark.parametrize("shape", [(2, 8, 6, 20), (1, 1, 5, 7), (1, 3, 3, 1)])
def test_reductions_are_those_of_numpy(
    keras: Any, random: np.random.Generator, function: str, numpy: Callable[[Floats], Floats], shape: Any
) -> None:
    from deploy.models.face_blocks import reductions

    x = random.normal(size=shape).astype(np.float32)
    got = getattr(reductions, function)(x)
    assert got.shape == numpy(x).shape
    assert np.allclose(got, numpy(x), atol=1e-6)


def test_channel_shuffle_transposes_groups(keras: Any, random: np.random.Generator) -> None:
    from deploy.models.face_blocks.shuffle import channel_shuffle

    x = random.normal(size=(1, 3, 3, 12)).astype(np.float32)
    want = x.reshape(1, 3, 3, 4, 3).swapaxes(3, 4).reshape(1, 3, 3, 12)
    assert np.array_equal(channel_shuffle(x, 4), want)


def test_fusion_weights_are_shares_and_never_negative(keras: Any) -> None:
    from deploy.models.face_blocks.pyramid import FusionWeights, weigh

    weights = FusionWeights(3)
    weights.importance.assign([3.0, 1.0, -5.0])
    ones = np.ones((1, 2, 2, 1), np.float32)
    assert [float(x[0, 0, 0, 0]) for x in weigh(weights, ones, ones)] == pytest.approx([0.75, 0.25], abs=1e-4)
    assert float(weigh(weights, ones, ones, ones)[2][0, 0, 0, 0]) == 0


def test_a_saved_network_loads_with_its_fusion_weights(keras: Any, tmp_path: Path) -> None:
    from deploy.models.face_blocks.pyramid import FusionWeights

    image = keras.Input((2, 2, 3))
    model = keras.Model(image, FusionWeights(2, name="weights")(image, index=1))
    model.get_layer("weights").importance.assign([1.0, 4.0])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    ones = np.ones((1, 2, 2, 3), np.float32)
    assert np.allclose(again(ones), 0.8, atol=1e-4)
