"""Writes new operators into a graph: one method an operator, each returning the tensor that it computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite.generated import schema
from deploy.tflite.graph import Graph, Node
from deploy.tflite.model import Quantization, Tensor

SAME, VALID = 0, 1
"""``Padding`` of the schema."""


class Emitter:
    """Collects the operators of one form; they enter the graph when the caller puts them there.

    Every method takes tensor indices and, as ``out``, the tensor to write; None for a new one, which is quantized
    as the (first) input where nothing else is said.
    """

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self._name = name
        self._schema = schema()

    def tensor(self, index: int) -> Tensor:
        """A tensor of the graph."""
        return self.graph.tensors[index]

    def activation(self, shape: Sequence[int], like: int, quantization: Quantization | None = None) -> int:
        """A new tensor of the dtype of ``like``, quantized like it or as given."""
        model = self.tensor(like)
        return self.graph.add_tensor(self._unique(), shape, model.dtype, quantization or model.quantization)

    def constant(self, data: NDArray[Any], quantization: Quantization | None = None) -> int:
        """A new constant."""
        return self.graph.add_tensor(self._unique(), data.shape, data.dtype.name, quantization, data)

    def reshape(self, x: int, shape: Sequence[int], out: int | None = None) -> int:
        """RESHAPE; nothing where the shape is that already."""
        if out is None and self.tensor(x).shape == tuple(shape):
            return x
        options = self._schema.ReshapeOptionsT()
        options.newShape = list(shape)
        return self._add("RESHAPE", (x, self._ints(shape)), shape, options, out)

    def transpose(self, x: int, permutation: Sequence[int], out: int | None = None) -> int:
        """TRANSPOSE."""
        shape = [self.tensor(x).shape[axis] for axis in permutation]
        options = self._schema.TransposeOptionsT()
        return self._add("TRANSPOSE", (x, self._ints(permutation)), shape, options, out)

    def slice(self, x: int, axis: int, begin: int, size: int, out: int | None = None) -> int:
        """SLICE along one axis."""
        shape = list(self.tensor(x).shape)
        begins, sizes = [0] * len(shape), list(shape)
        begins[axis], sizes[axis] = begin, size
        inputs = (x, self._ints(begins), self._ints(sizes))
        return self._add("SLICE", inputs, sizes, self._schema.SliceOptionsT(), out)

    def maximum(self, x: int, y: int, out: int | None = None) -> int:
        """MAXIMUM of two tensors of one shape and quantization."""
        return self._add("MAXIMUM", (x, y), self.tensor(x).shape, self._schema.MaximumMinimumOptionsT(), out)

    def unary(self, code: str, x: int, out: int | None = None) -> int:
        """An operator of one operand and no options, element by element."""
        return self._add(code, (x,), self.tensor(x).shape, None, out)

    def binary(self, code: str, x: int, y: int, *, activation: int = 0, out: int | None = None) -> int:
        """``ADD``, ``SUB`` or ``MUL``, element by element; either operand may be broadcast."""
        options = getattr(self._schema, f"{code.capitalize()}OptionsT")()
        options.fusedActivationFunction = activation
        shape = np.broadcast_shapes(self.tensor(x).shape, self.tensor(y).shape)
        return self._add(code, (x, y), shape, options, out)

    def mean_of_last(self, x: int) -> int:
        """MEAN over the last axis, which stays as a dimension of 1."""
        options = self._schema.ReducerOptionsT()
        options.keepDims = True
        shape = self.tensor(x).shape
        return self._add("MEAN", (x, self._ints([len(shape) - 1])), (*shape[:-1], 1), options, out=None)

    def concatenation(self, parts: Sequence[int], axis: int, out: int | None = None) -> int:
        """CONCATENATION of tensors of one quantization."""
        shape = list(self.tensor(parts[0]).shape)
        shape[axis] = sum(self.tensor(part).shape[axis] for part in parts)
        options = self._schema.ConcatenationOptionsT()
        options.axis = axis
        return self._add("CONCATENATION", tuple(parts), shape, options, out)

    def pool(self, code: str, x: int, window: tuple[int, int], out: int | None = None) -> int:
        """``MAX_POOL_2D`` or ``AVERAGE_POOL_2D`` with stride 1 and no padding."""
        batch, height, width, channels = self.tensor(x).shape
        options = self._schema.Pool2DOptionsT()
        options.filterHeight, options.filterWidth = window
        options.strideH = options.strideW = 1
        options.padding = VALID
        shape = (batch, height - window[0] + 1, width - window[1] + 1, channels)
        return self._add(code, (x,), shape, options, out)

    def convolution(
        self,
        x: int,
        kernel: NDArray[np.int8],
        scales: Sequence[float],
        *,
        bias: NDArray[np.int32] | None = None,
        stride_rows: int = 1,
        activation: int = 0,
        shape: Sequence[int] | None = None,
        out: int | None = None,
    ) -> int:
        """CONV_2D, padded to the same size, with a stride of 1 along the rows.

        Args:
            x: [N, H, W, C].
            kernel: [channels out, rows, columns, channels in].
            scales: of the kernel, one a channel out.
            bias: int32, one a channel out; None for zeros.
            stride_rows: from row to row of the output.
            activation: ``ActivationFunctionType`` of the schema.
            shape: of the output; None for [N, H, W, channels out].
            out: as everywhere here.
        """
        options = self._schema.Conv2DOptionsT()
        options.padding, options.fusedActivationFunction = SAME, activation
        options.strideH, options.strideW = stride_rows, 1
        options.dilationHFactor = options.dilationWFactor = 1
        inputs = (x, *self._weights(x, kernel, scales, bias, axis=0))
        return self._add("CONV_2D", inputs, shape or (*self.tensor(x).shape[:3], kernel.shape[0]), options, out)

    def pointwise(self, x: int, kernel: int, bias: int, *, activation: int = 0) -> int:
        """CONV_2D of 1x1 with constants of the graph.

        Args:
            x: [N, H, W, channels in].
            kernel: [channels out, 1, 1, channels in].
            bias: [channels out].
            activation: ``ActivationFunctionType`` of the schema.
        """
        options = self._schema.Conv2DOptionsT()
        options.padding, options.fusedActivationFunction = VALID, activation
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
        shape = (*self.tensor(x).shape[:3], self.tensor(kernel).shape[0])
        return self._add("CONV_2D", (x, kernel, bias), shape, options, out=None)

    def sum_of_window(
        self,
        x: int,
        weights: NDArray[np.int8],
        scale: float,
        *,
        bias: int = 0,
        quantization: Quantization | None = None,
        out: int | None = None,
    ) -> int:
        """DEPTHWISE_CONV_2D of stride 1 without padding, the same kernel for all channels.

        Args:
            x: [N, H, W, C].
            weights: [rows, columns].
            scale: of the kernel.
            bias: added to every sum, in units of the scales of input and kernel multiplied.
            quantization: of a new output; None for that of ``x``.
            out: as everywhere here.
        """
        batch, height, width, channels = self.tensor(x).shape
        options = self._schema.DepthwiseConv2DOptionsT()
        options.padding, options.depthMultiplier = VALID, 1
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
        kernel = np.repeat(weights[None, :, :, None], channels, axis=3)
        biases = np.full(channels, bias, np.int32)
        inputs = (x, *self._weights(x, kernel, [scale] * channels, biases, axis=3))
        rows, columns = weights.shape
        shape = (batch, height - rows + 1, width - columns + 1, channels)
        if out is None:
            out = self.activation(shape, x, quantization)
        return self._add("DEPTHWISE_CONV_2D", inputs, shape, options, out)

    def resize_nearest(self, x: int, height: int, width: int, out: int | None = None) -> int:
        """RESIZE_NEAREST_NEIGHBOR to a size."""
        batch, _, _, channels = self.tensor(x).shape
        options = self._schema.ResizeNearestNeighborOptionsT()
        options.alignCorners = options.halfPixelCenters = False
        inputs = (x, self._ints((height, width)))
        return self._add("RESIZE_NEAREST_NEIGHBOR", inputs, (batch, height, width, channels), options, out)

    def _weights(
        self, x: int, kernel: NDArray[np.int8], scales: Sequence[float], bias: NDArray[np.int32] | None, axis: int
    ) -> tuple[int, int]:
        zeros = (0,) * len(scales)
        source = self.tensor(x).quantization
        assert source is not None  # noqa: S101 - forms are of int8 tensors
        # As TFLite wants it: the scale of a bias is that of input and kernel multiplied, in float32.
        products = np.float32(source.scales[0]) * np.asarray(scales, np.float32)
        quantized = Quantization(tuple(float(scale) for scale in np.asarray(scales, np.float32)), zeros, axis)
        biases = np.zeros(len(scales), np.int32) if bias is None else bias
        return self.constant(kernel, quantized), self.constant(
            biases, Quantization(tuple(float(product) for product in products), zeros, 0)
        )

    def _ints(self, values: Sequence[int]) -> int:
        return self.constant(np.asarray(values, np.int32))

    def _unique(self) -> str:
        return f"{self._name}_{len(self.graph.tensors)}"

    def _add(self, code: str, inputs: tuple[int, ...], shape: Sequence[int], options: Any, out: int | None) -> int:
        if out is None:
            out = self.activation(shape, inputs[0])
        assert self.tensor(out).shape == tuple(shape), (code, self.tensor(out).shape, shape)  # noqa: S101
        self.nodes.append(Node(code, inputs, (out,), options))
        return out
