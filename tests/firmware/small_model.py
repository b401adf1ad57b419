"""A quantized two-output network written with the schema alone: no TensorFlow, a few milliseconds, any names."""

from __future__ import annotations

import numpy as np

INPUT, FIRST, SECOND = "image", "garment", "kind"


def small_model(
    names: tuple[str, str, str] = (INPUT, FIRST, SECOND), *, log_softmax_on_cpu: bool = False, channels: int = 8
) -> bytes:
    """Two CONV_2D, both of them outputs: int8 ``[1, 8, 8, 4]`` -> ``[1, 4, 4, channels]`` -> ``[1, 4, 4, 3]``.

    Args:
        names: of the input and the two outputs in the SignatureDef.
        log_softmax_on_cpu: appends a LOG_SOFTMAX to the second output, which Vela leaves on the CPU.
        channels: of the first output.
    """
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    rng = np.random.default_rng(1)
    model = schema.ModelT()
    model.version, model.description = 3, "small"
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [], []

    def tensor(
        name: str, shape: tuple[int, ...], dtype: int, scales: object, zero: int = 0, data: object = None
    ) -> int:
        item = schema.TensorT()
        item.name, item.shape, item.type = name, list(shape), dtype
        item.quantization = schema.QuantizationParametersT()
        item.quantization.scale = np.atleast_1d(np.asarray(scales, np.float32))
        item.quantization.zeroPoint = np.full(item.quantization.scale.shape, zero, np.int64)
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            model.buffers.append(buffer)
            item.buffer = len(model.buffers) - 1
        graph.tensors.append(item)
        return len(graph.tensors) - 1

    codes: list[int] = []

    def operator(
        code: int, version: int, inputs: list[int], outputs: list[int], kind: int, options: object
    ) -> None:
        if code not in codes:
            codes.append(code)
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), version
            model.operatorCodes = [*(model.operatorCodes or []), entry]
        item = schema.OperatorT()
        item.opcodeIndex, item.inputs, item.outputs = codes.index(code), inputs, outputs
        item.builtinOptionsType, item.builtinOptions = kind, options
        graph.operators.append(item)

    def convolution(source: int, result: int, kernel: int, depth: int, width: int, stride: int) -> None:
        scales = rng.uniform(0.002, 0.004, width).astype(np.float32)
        weights = rng.integers(-127, 128, (width, kernel, kernel, depth), dtype=np.int8)
        bias = rng.integers(-2000, 2000, width, dtype=np.int32)
        source_scale = float(graph.tensors[source].quantization.scale[0])
        filters = tensor("filters", weights.shape, schema.TensorType.INT8, scales, 0, weights)
        biases = tensor("bias", bias.shape, schema.TensorType.INT32, scales * source_scale, 0, bias)
        options = schema.Conv2DOptionsT()
        options.strideW = options.strideH = stride
        options.dilationWFactor = options.dilationHFactor = 1
        options.padding = schema.Padding.SAME
        operator(
            schema.BuiltinOperator.CONV_2D,
            3,
            [source, filters, biases],
            [result],
            schema.BuiltinOptions.Conv2DOptions,
            options,
        )

    int8 = schema.TensorType.INT8
    image = tensor("in", (1, 8, 8, 4), int8, 0.02, -3)
    first = tensor("first", (1, 4, 4, channels), int8, 0.05, 4)
    second = tensor("second", (1, 4, 4, 3), int8, 0.11, -7)
    convolution(image, first, 3, 4, channels, 2)
    convolution(first, second, 1, channels, 3, 1)
    if log_softmax_on_cpu:
        logits = second
        second = tensor("log_softmax", (1, 4, 4, 3), int8, 16 / 256, 127)
        operator(
            schema.BuiltinOperator.LOG_SOFTMAX,
            1,
            [logits],
            [second],
            schema.BuiltinOptions.LogSoftmaxOptions,
            schema.LogSoftmaxOptionsT(),
        )
    graph.inputs, graph.outputs = [image], [first, second]
    model.subgraphs = [graph]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0

    def named(name: str, index: int) -> object:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        return entry

    signature.inputs = [named(names[0], image)]
    signature.outputs = [named(names[1], first), named(names[2], second)]
    model.signatureDefs = [signature]
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
