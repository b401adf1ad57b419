"""Transformers quantize in int8 throughout, and the NPU computes what the reference does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import garments
import numpy as np
import pytest
from quantized_runs import real_outputs

from deploy import api
from deploy.tflite.arithmetic import float_operators

pytestmark = garments.NEEDED

TRAINED_ON, COMPARED_OVER = 12_000, 1_000


def normalized(x: Any) -> Any:
    """Rows of an image as a sequence, each of which LayerNormalization takes first."""
    from keras import layers

    x = layers.Dense(32, activation="gelu")(layers.LayerNormalization()(x))
    return layers.Dense(10)(layers.GlobalAveragePooling1D()(layers.Dense(32, activation="gelu")(x)))


def transformer(x: Any) -> Any:
    """An encoder block: attention and a feed-forward part, each with its sum and its normalization."""
    from keras import layers

    x = layers.Dense(32)(x)
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=16)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    wide = layers.Dense(32)(layers.Dense(64, activation="gelu")(x))
    x = layers.LayerNormalization()(layers.Add()([x, wide]))
    return layers.Dense(10)(layers.GlobalAveragePooling1D()(x))


@pytest.mark.parametrize("body", [normalized, transformer])
def test_every_operator_is_integer_and_the_answers_stay_those_of_the_float_model(
    body: Any, tmp_path: Path
) -> None:
    import keras

    keras.utils.set_random_seed(3)
    x = keras.Input((28, 28), name="rows")
    model = keras.Model(x, body(x))
    (images, classes), (unseen, _) = garments.training(TRAINED_ON), garments.unseen(COMPARED_OVER)
    rows, compared = images.astype(np.float32) / 255, unseen.astype(np.float32) / 255
    garments.train_classifier(model, rows, classes)
    model.save(tmp_path / "net.keras")
    quantized = api.quantize(tmp_path / "net.keras", {"rows": rows[:200]})
    assert float_operators(quantized.model) == ()
    true = model.predict(compared, verbose=0)
    same = 100 * (real_outputs(quantized.model, compared).argmax(-1) == true.argmax(-1)).mean()
    print(body.__name__, same)
    assert same >= 98
    build = api.compile(quantized, "U55-128", output=tmp_path / "build", name="net")
    assert api.verify(build, {"rows": compared[:8]}).verdict == "pass"
