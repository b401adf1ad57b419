"""What the NPU-friendly forms of the face blocks save: cycles of each as usually written and as used here.

Each form is a network of its own with int8 inputs and outputs, quantized and compiled by Vela for U55-128.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA
from deploy.hardware.npus import npu_named
from deploy.models.featherface_v1.results import NPU, FormFigures


@dataclass(frozen=True)
class DetectorForm:
    """Two ways to write the same function of maps [H, W, C]; none where nothing is left to compute."""

    what: str
    shapes: tuple[tuple[int, int, int], ...]
    usual: tuple[str, Callable[..., Any]]
    used: tuple[str, Callable[..., Any] | None]


def forms() -> Iterator[DetectorForm]:
    """All that are compared; TensorFlow has to be imported already."""
    import keras

    from deploy.models.face_blocks import context, heads, pyramid, reductions, shuffle

    def sum_of_slices(x: Any) -> Any:
        total = x[:, :1]
        for index in range(1, x.shape[1]):
            total = keras.ops.add(total, x[:, index : index + 1])
        return total

    def joined(*levels: Any) -> Any:
        anchors = [keras.layers.Reshape((x.shape[1] * x.shape[2] * x.shape[3] // 10, 10))(x) for x in levels]
        return keras.layers.Concatenate(axis=1)(anchors)

    def joined_in_rows(*levels: Any) -> Any:
        anchors = [keras.layers.Reshape((x.shape[1] * x.shape[2] * x.shape[3] // 10, 10))(x) for x in levels]
        return heads.join(anchors, "joined")

    yield DetectorForm(
        "mean over channels, 40x40x64",
        ((40, 40, 64),),
        ("MEAN", lambda x: keras.ops.mean(x, axis=-1, keepdims=True)),
        ("1x1 convolution with a fixed kernel", reductions.channel_mean),
    )
    yield DetectorForm(
        "maximum over channels, 40x40x64",
        ((40, 40, 64),),
        ("REDUCE_MAX", lambda x: keras.ops.max(x, axis=-1, keepdims=True)),
        ("tree of MAXIMUM", reductions.channel_max),
    )
    yield DetectorForm(
        "global average, 80x80x74",
        ((80, 80, 74),),
        ("MEAN", keras.layers.GlobalAveragePooling2D(keepdims=True)),
        ("columns, then rows", reductions.global_average),
    )
    yield DetectorForm(
        "global maximum, 80x80x74",
        ((80, 80, 74),),
        ("one MAX_POOL_2D", keras.layers.MaxPooling2D(80)),
        ("columns, then rows", reductions.global_max),
    )
    yield DetectorForm(
        "nearest neighbour x2, 40x40x74",
        ((40, 40, 74),),
        ("UpSampling2D", keras.layers.UpSampling2D(2)),
        ("RESIZE_NEAREST_NEIGHBOR", pyramid.upsample),
    )
    yield DetectorForm(
        "landmarks of two levels behind each other, 80x80x20 and 40x40x20",
        ((80, 80, 20), (40, 40, 20)),
        ("concatenation of [A, 10]", joined),
        ("concatenation in rows of 16", joined_in_rows),
    )
    yield DetectorForm(
        "channel shuffle, 80x80x74",
        ((80, 80, 74),),
        ("transpose of rank 3", lambda x: shuffle.channel_shuffle(x, 2)),
        ("none: the heads' kernels are in that order", None),
    )
    yield DetectorForm(
        "sum of a deformable tap's nine products, 40x40x32",
        ((9, 1600, 32),),
        ("eight ADD", sum_of_slices),
        ("fixed depthwise convolution", context.add_up),
    )


def measure() -> tuple[FormFigures, ...]:
    """Compile every form.

    Raises:
        BadInputError: a form cannot be quantized or compiled.
        NotInstalledError: TensorFlow or Vela is missing.
    """
    from deploy.quantizing.float_model import import_tensorflow

    import_tensorflow()
    results = []
    for form in forms():
        usual, used = (_estimate(form, function) for _, function in (form.usual, form.used))
        results.append(
            FormFigures(
                what=form.what,
                usual=form.usual[0],
                used=form.used[0],
                usual_cycles=usual[0],
                usual_cpu_operators=usual[1],
                used_cycles=used[0],
                used_cpu_operators=used[1],
            )
        )
    return tuple(results)


def _estimate(form: DetectorForm, function: Callable[..., Any] | None) -> tuple[int, int]:
    """Cycles on the NPU, and operators on the CPU."""
    if function is None:
        return 0, 0
    import keras

    from deploy.chatter import silenced
    from deploy.quantizing import dataset
    from deploy.quantizing.float_model import freeze_keras
    from deploy.quantizing.quantization import quantize

    with silenced():
        inputs = [keras.Input(shape, name=f"map{index}") for index, shape in enumerate(form.shapes)]
        model = keras.Model(inputs, {"result": function(*inputs)})
        frozen = freeze_keras(model, form.what, "form")
    quantized = quantize(frozen, dataset.random_images(frozen.inputs, 2), io="int8", compare=1)
    layers = VELA.compile(quantized.model, compile_options(npu_named(NPU)), source=form.what).layers
    on_cpu = sum(layer.on_cpu for layer in layers)
    return sum(layer.number("Op Cycles") for layer in layers if not layer.on_cpu), on_cpu
