"""Mobile multi-query attention in the form that is cheapest on an Ethos-U55 or U65.

These NPUs multiply two feature maps element by element only: a matrix product becomes one multiplication and one
reduction per column of the second operand, about one cycle per multiply-accumulate on U55-128 instead of 1/128. So
attention is dear however it is written, and what can be saved is around it (cycles by Vela 5.2.0 for U55-128, 784
query rows, 49 keys of 64):

- all heads in one product, because they share keys and values: no product per head, no transpose;
- the query rows as four rows of an image, [1, 4, rows / 4, d], not one: 2.03 M cycles instead of 2.46 M, because
  the blocks of the element-wise multiplication fit better (2, 7, 8 and 14 rows give 2.17, 2.05, 2.05 and 2.09 M);
  the softmax of 1024 x 64 scores takes 0.95 M instead of 1.21 M;
- the factor 1/sqrt(d) on the queries, where the converter folds it into their convolution, not on the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.models.mobilenetv4.blocks import MQA

ROWS = 4
"""Rows that the queries are laid out in; a factor of the number of heads in every published network."""


def mobile_mqa(keras: Any, x: Any, name: str, block: MQA, norm: Mapping[str, float]) -> Any:
    """Attention of every position to every (downsampled) position.

    Returns:
        float [N, H, W, C].
    """
    layers = keras.layers
    _, height, width, channels = x.shape
    dimension = block.dimension

    def shared(what: str) -> Any:
        y = x
        if block.kv_stride > 1:
            y = layers.DepthwiseConv2D(3, block.kv_stride, "same", use_bias=False, name=f"{name}_{what}_down")(y)
            y = layers.BatchNormalization(**norm, name=f"{name}_{what}_norm")(y)
        y = layers.Conv2D(dimension, 1, use_bias=False, name=f"{name}_{what}")(y)
        return layers.Reshape((1, y.shape[1] * y.shape[2], dimension), name=f"{name}_{what}_tokens")(y)

    rows = height * width * block.heads
    lines = ROWS if rows % ROWS == 0 else 1
    queries = layers.Conv2D(block.heads * dimension, 1, use_bias=False, name=f"{name}_query")(x)
    queries = layers.Rescaling(dimension**-0.5, name=f"{name}_query_scale")(queries)
    queries = layers.Reshape((lines, rows // lines, dimension), name=f"{name}_query_tokens")(queries)
    keys = layers.Permute((1, 3, 2), name=f"{name}_key_columns")(shared("key"))
    weights = layers.Softmax(name=f"{name}_softmax")(keras.ops.matmul(queries, keys))
    heads = keras.ops.matmul(weights, shared("value"))
    heads = layers.Reshape((height, width, block.heads * dimension), name=f"{name}_heads")(heads)
    return layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_output")(heads)
