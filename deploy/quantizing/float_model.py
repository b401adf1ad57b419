"""A float model frozen to one TensorFlow function of batch size 1 whose inputs and outputs keep their names.

The variables become constants (the converter cannot calibrate a Keras 3 model that still reads variables;
measured with TensorFlow 2.21) and the SavedModel signature carries the names that users chose, among them the
heads of a model with dictionary outputs: the only way to tell heads of equal size apart after conversion.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.specs import InputSpec
from deploy.errors import BadInputError, DeployError, NotInstalledError
from deploy.intake.signatures import choice_notes, chosen
from deploy.quantizing.first_layers import prepared_range
from deploy.quantizing.generated_code import remove_bytecode_at_exit
from deploy.quantizing.own_range import TrainedSpread

SIGNATURE = "serving_default"

MOST_STEPS = 128
"""Steps up to which a recurrent layer is unrolled: each becomes a dozen operators, which take time to compile."""

INSTALL_TENSORFLOW = "pip install tensorflow==2.21.0 keras==3.15.1"
"""What the extra ``tensorflow`` of this package installs, in words that work wherever the package came from."""


@dataclass(frozen=True)
class FloatModel:
    """A frozen float model.

    Attributes:
        source: what the user typed, for messages.
        inputs: names, shapes (batch of 1 included) and dtypes.
        outputs: names, in no particular order.
        function: takes one tensor per input in order, returns a dictionary of tensors by output name.
        definition: gives the graph with all weights as bytes: the same for the same network (TensorFlow's
            deterministic serialization; two processes agreed for every network tried).
        spread: what its first batch normalization knows of the training data; None where it has none.
        notes: what was chosen where there was a choice, one sentence each.
    """

    source: str
    name: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[str, ...]
    function: Callable[..., Mapping[str, Any]] = field(repr=False)
    definition: Callable[[], bytes] = field(repr=False, default=bytes)
    spread: TrainedSpread | None = field(repr=False, default=None)
    notes: tuple[str, ...] = ()

    def run(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run one inference: per input an array of its shape and dtype.

        Returns:
            Per output an array.
        """
        import tensorflow as tf

        results = self.function(*(tf.constant(sample[spec.name]) for spec in self.inputs))
        return {name: np.asarray(results[name]) for name in self.outputs}

    def save(self, folder: Path) -> None:
        """Write it as a SavedModel whose signature has the names of ``inputs`` and ``outputs``."""
        import tensorflow as tf

        module = tf.Module()
        module.serve = tf.function(
            lambda *tensors: dict(self.function(*tensors)), input_signature=_specs(self.inputs), autograph=False
        )
        # Without gradients: nobody trains it again, and swish has one of its own that a frozen graph cannot save.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(folder), signatures={SIGNATURE: module.serve}, options=options)


def import_tensorflow() -> Any:
    """Import TensorFlow with Keras on top of it, without its greeting.

    Raises:
        NotInstalledError: TensorFlow or Keras 3 is missing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        import keras
        import tensorflow
    except ImportError as error:
        raise NotInstalledError(
            f"float models need TensorFlow and Keras 3 ({error})",
            hints=[INSTALL_TENSORFLOW, "or pass a .tflite that is quantized already"],
        ) from error
    if not keras.__version__.startswith("3") or keras.backend.backend() != "tensorflow":
        raise NotInstalledError(
            f"float models need Keras 3 on TensorFlow, found Keras {keras.__version__} "
            f"on {keras.backend.backend()}",
            hints=[INSTALL_TENSORFLOW],
        )
    remove_bytecode_at_exit()
    return tensorflow


def import_keras() -> Any:
    """The keras package, on TensorFlow.

    Raises:
        NotInstalledError: TensorFlow or Keras 3 is missing.
    """
    import_tensorflow()
    import keras

    return keras


def freeze_keras(model: Any, source: str, name: str) -> FloatModel:
    """Freeze a Keras model.

    Raises:
        BadInputError: its inputs are not defined or not of fixed shape.
    """
    import tensorflow as tf

    structure = _keras_inputs(model, source)
    specs = _input_specs(
        source, [(tensor.name, tuple(tensor.shape), str(tensor.dtype)) for tensor in tf.nest.flatten(structure)]
    )
    names = list(getattr(model, "output_names", None) or [])

    def call(*arguments: Any) -> dict[str, Any]:
        with _unrolled(model):
            return _by_name(model(tf.nest.pack_sequence_as(structure, arguments), training=False), names)

    return replace(_freeze(source, name, specs, call), spread=_trained_spread(model))


@contextlib.contextmanager
def _unrolled(model: Any) -> Iterator[None]:
    """Recurrent layers are traced step by step instead of as a loop, which the converter cannot calibrate."""
    import keras

    layers = [
        layer
        for layer in model._flatten_layers(include_self=False, recursive=True)
        if isinstance(layer, keras.layers.RNN) and not layer.unroll and _steps(layer) <= MOST_STEPS
    ]
    for layer in layers:
        layer.unroll = True
    try:
        yield
    finally:
        for layer in layers:
            layer.unroll = False


def _steps(layer: Any) -> float:
    """How many steps a recurrent layer makes; infinite where that is open or unknown."""
    built = layer.get_build_config() or {}
    shape = list(built.get("shapes_dict", {}).get("sequences_shape") or built.get("input_shape") or [])
    return float(shape[1]) if shape[1:2] and shape[1] is not None else math.inf


def _trained_spread(model: Any) -> TrainedSpread | None:
    """The first batch normalization, where the model's layers can be taken apart."""
    import keras

    for layer in getattr(model, "layers", ()):
        if isinstance(layer, keras.layers.BatchNormalization):
            return _spread_before(model, layer)
    return None


def _spread_before(model: Any, layer: Any) -> TrainedSpread | None:
    import keras

    try:
        before = keras.Model(model.inputs, layer.input)
    except (AttributeError, ValueError):  # called twice, or part of another model
        return None

    def function(arrays: list[NDArray[Any]]) -> NDArray[Any]:
        return np.asarray(before(arrays, training=False))

    return TrainedSpread(layer.name, function, np.asarray(layer.moving_variance, np.float64))


def freeze_saved_model(folder: Path, name: str, wanted: str | None = None) -> FloatModel:
    """Freeze a signature of a SavedModel.

    Args:
        folder: the SavedModel.
        name: short name.
        wanted: signature; None for ``serving_default``, or the only one.

    Raises:
        BadInputError: it cannot be loaded, has no such signature, or its inputs are not of fixed shape.
    """
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # TensorFlow raises its own errors, OSError, ValueError, DecodeError ...
        raise BadInputError(f"{folder}: TensorFlow cannot load the SavedModel: {_first_line(error)}") from error
    keys = list(loaded.signatures)
    number = chosen(keys, wanted, str(folder))
    if number is None:
        raise BadInputError(
            f"{folder}: the SavedModel has no signature", hints=["save it with model.export(folder)"]
        )
    signature = loaded.signatures[keys[number]]
    keywords = signature.structured_input_signature[1]
    specs = _input_specs(
        str(folder), [(word, tuple(spec.shape), spec.dtype.name) for word, spec in sorted(keywords.items())]
    )
    words = sorted(keywords)

    def call(*arguments: Any) -> dict[str, Any]:
        results = signature(**dict(zip(words, arguments, strict=True)))
        # Kept alive: the variables belong to the loaded object, not to the signature.
        assert loaded is not None  # noqa: S101
        return {_clean(word): tensor for word, tensor in results.items()}

    return replace(_freeze(str(folder), name, specs, call), notes=choice_notes(keys, number))


def _freeze(source: str, name: str, specs: Sequence[InputSpec], call: Callable[..., dict[str, Any]]) -> FloatModel:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def named(*arguments: Any) -> dict[str, Any]:
        # Identity: an output that is also an input, or two outputs that are one tensor, stay apart.
        return {key: tf.identity(value) for key, value in call(*arguments).items()}

    try:
        concrete = tf.function(named, input_signature=_specs(specs), autograph=False).get_concrete_function()
        # As the TFLite converter does it: control flow stays whole, functions are inlined.
        frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False, aggressive_inlining=True)
    except DeployError:
        raise
    except Exception as error:  # whatever the layers raise while they are traced
        raise BadInputError(f"{source}: cannot be traced with a batch of 1: {_first_line(error)}") from error
    outputs = tuple(sorted(concrete.structured_outputs))  # flattened in key order, as tf.nest does
    positions = {tensor.name.split(":")[0]: i for i, tensor in enumerate(frozen.inputs)}

    def function(*tensors: Any) -> Mapping[str, Any]:
        ordered = sorted(
            (
                (positions[spec.name], tensor)
                for spec, tensor in zip(specs, tensors, strict=True)
                if spec.name in positions
            ),
            key=lambda pair: pair[0],
        )
        return dict(zip(outputs, frozen(*(tensor for _, tensor in ordered)), strict=True))

    def definition() -> bytes:
        content: bytes = frozen.graph.as_graph_def().SerializeToString(deterministic=True)
        return content

    seen = tuple(
        replace(spec, prepares=prepared_range(frozen, positions[spec.name])) if spec.name in positions else spec
        for spec in specs
    )
    return FloatModel(source, name, seen, outputs, function, definition)


def _specs(inputs: Sequence[InputSpec]) -> list[Any]:
    import tensorflow as tf

    return [tf.TensorSpec(spec.shape, spec.dtype, name=spec.name) for spec in inputs]


def _input_specs(source: str, found: Sequence[tuple[str, tuple[int | None, ...], str]]) -> tuple[InputSpec, ...]:
    """Check that only the batch is open, and set it to 1."""
    specs = []
    for raw, shape, dtype in found:
        if not shape or any(dimension is None for dimension in shape[1:]) or shape[0] not in (None, 1):
            raise BadInputError(
                f"{source}: input {raw} has shape {list(shape)}; a microcontroller needs [batch, fixed sizes ...]",
                hints=["build the model with fixed input sizes and an open batch (or a batch of 1)"],
            )
        specs.append(InputSpec(_clean(raw), (1, *(int(size or 0) for size in shape[1:])), dtype))
    if len({spec.name for spec in specs}) != len(specs):
        raise BadInputError(f"{source}: two inputs have the same name: {', '.join(s.name for s in specs)}")
    return tuple(specs)


def _keras_inputs(model: Any, source: str) -> Any:
    """What the model was built with: one symbolic tensor, a list, or a dictionary of them."""
    import keras

    inputs = getattr(model, "inputs", None)
    # A Sequential's `input` is that of its first call, which may be inside another model.
    sequential = isinstance(model, keras.Sequential)
    structure = (inputs[0] if sequential else model.input) if inputs else None
    if structure is None:
        raise BadInputError(
            f"{source}: the Keras model has no defined inputs",
            hints=["build it with keras.Input(shape), or give a Sequential model a keras.Input first"],
        )
    return structure


def _by_name(results: Any, names: Sequence[str]) -> dict[str, Any]:
    """Name a model's results: a dictionary by its keys, others by the layers they come from."""
    import tensorflow as tf

    if isinstance(results, Mapping):
        flat = [(str(key), value) for key, value in results.items()]
    else:
        values = tf.nest.flatten(results)
        fallback = [f"output_{i}" for i in range(len(values))]
        flat = list(zip(names if len(names) == len(values) else fallback, values, strict=True))
    named: dict[str, Any] = {}
    for key, value in flat:
        clean = _clean(key)
        while clean in named:
            clean += "_"
        named[clean] = value
    return named


def _clean(name: str) -> str:
    """A name that TensorFlow accepts for an operation."""
    clean = re.sub(r"[^A-Za-z0-9_.]", "_", name.split(":", maxsplit=1)[0])
    return clean if re.match(r"[A-Za-z0-9.]", clean) else f"t{clean}"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
