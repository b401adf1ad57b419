from typing import Any
from deploy.models.mobilenetv4.blocks import MQA


def mobile_mqa(keras: Any, x: Any, name: str, block: MQA, norm) -> Any:
    L = keras.layers
    _, h, w, c = x.shape
    d, heads = block.dimension, block.heads
    q = L.Conv2D(heads * d, 1, use_bias=False, name=f"{name}_query")(x)

    def kv(what):
        y = x
        if block.kv_stride > 1:
            y = L.DepthwiseConv2D(3, block.kv_stride, "same", use_bias=False, name=f"{name}_{what}_down")(y)
            y = L.BatchNormalization(**norm, name=f"{name}_{what}_norm")(y)
        y = L.Conv2D(d, 1, use_bias=False, name=f"{name}_{what}")(y)
        return L.Reshape((-1, d), name=f"{name}_{what}_tokens")(y)

    k, v = kv("key"), kv("value")
    q = L.Reshape((h * w * heads, d), name=f"{name}_query_tokens")(q)
    s = keras.ops.matmul(q, keras.ops.transpose(k, (0, 2, 1)))
    s = keras.ops.multiply(s, d**-0.5)
    s = L.Softmax(name=f"{name}_softmax")(s)
    o = keras.ops.matmul(s, v)
    o = L.Reshape((h, w, heads * d), name=f"{name}_heads")(o)
    return L.Conv2D(c, 1, use_bias=False, name=f"{name}_output")(o)
