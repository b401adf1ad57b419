"""Random networks of what Ethos-U85 computes, as plain descriptions, written with the schema: no converter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np
from npu.u85_networks import WEIGHTS
from tflite_writer import GraphWriter, schema

Extents = tuple[int, int, int]


@dataclass(frozen=True)
class Step:
    """One operator, or two that belong together.

    Attributes:
        kind: one of :data:`KINDS`.
        a: what the kind makes of it, as of the other two: kernels, strides, axes, numbers of channels.
    """

    kind: str
    a: int = 0
    b: int = 0
    c: int = 0


@dataclass(frozen=True)
class U85Network:
    """A chain of steps.

    Attributes:
        dtype: ``int8`` or ``int16``.
        extents: height, width and channels of the input.
        zero_point: of the input; none in int16.
        seed: of weights and constants.
    """

    dtype: str
    extents: Extents
    steps: tuple[Step, ...]
    zero_point: int = 0
    seed: int = 0

    def convert(self) -> bytes:
        """The quantized ``.tflite`` file."""
        graph = GraphWriter("random")
        zero = self.zero_point if self.dtype == "int8" else 0
        scale = 0.02 if self.dtype == "int8" else 0.0001
        x = graph.tensor("x", (1, *self.extents), self.dtype, scale, zero)
        chain = _Chain(graph, np.random.default_rng(self.seed), self.dtype, x, self.extents, scale, zero, {"x": x})
        for step in self.steps:
            KINDS[step.kind](chain, step)
        return graph.finish(chain.inputs, {"y": chain.last})


@dataclass
class _Chain:
    """The graph, and what its last tensor is like."""

    graph: GraphWriter
    rng: np.random.Generator
    dtype: str
    last: int
    extents: Extents
    scale: float
    zero: int
    inputs: dict[str, int] = field(default_factory=dict)
    count: int = 0

    @property
    def factor_scale(self) -> float:
        """Of numbers around one, which make no product much larger: scales beyond 2**31 are no network's."""
        return 0.01 if self.dtype == "int8" else 0.01 / 256

    def name(self) -> str:
        """A new one."""
        self.count += 1
        return f"t{self.count}"

    def integers(self, values: Any) -> int:
        """A constant of 32-bit integers."""
        array = np.array(values, np.int32)
        return self.graph.tensor(self.name(), array.shape, "int32", data=array)

    def constant(self, extents: Extents, scale: float, zero: int) -> int:
        """A constant of the network's type."""
        limits = np.iinfo(self.dtype)
        values = self.rng.integers(limits.min, limits.max + 1, (1, *extents)).astype(self.dtype)
        return self.graph.tensor(self.name(), values.shape, self.dtype, scale, zero, values)

    def then(
        self,
        code: str,
        others: list[int],
        options: Any = None,
        extents: Extents | None = None,
        scale: float | None = None,
        zero: int | None = None,
        version: int = 3,
    ) -> None:
        """Put an operator at the end; its result is like what it starts from where nothing else is said."""
        extents = self.extents if extents is None else extents
        scale = self.scale if scale is None else scale
        zero = self.zero if zero is None or self.dtype == "int16" else zero
        y = self.graph.tensor(self.name(), (1, *extents), self.dtype, scale, zero)
        self.graph.operator(code, [self.last, *others], [y], options, version=version)
        self.last, self.extents, self.scale, self.zero = y, extents, scale, zero


def _options(kind: str, **values: Any) -> Any:
    options = getattr(schema, f"{kind}OptionsT")()
    for name, value in values.items():
        setattr(options, name, value)
    return options


def _weighted(chain: _Chain, step: Step, *, depthwise: bool) -> None:
    height, width, depth = chain.extents
    kernel = (1 + step.a % 4, 1 + step.b % 4)
    stride = 1 + step.a // 4 % 3
    channels = depth if depthwise else 1 + 3 * step.c
    shape = (1, *kernel, depth) if depthwise else (channels, *kernel, depth)
    values = WEIGHTS[step.b // 4 % len(WEIGHTS)](chain.rng, shape)
    scales = chain.rng.uniform(0.002, 0.004, channels).astype(np.float32)
    filters = chain.graph.tensor(chain.name(), shape, "int8", scales, 0, values, axis=3 if depthwise else 0)
    wide = "int32" if chain.dtype == "int8" else "int64"
    offsets = chain.rng.integers(-2000, 2000, channels).astype(wide)
    bias = chain.graph.tensor(chain.name(), (channels,), wide, scales * chain.graph.scale(chain.last), 0, offsets)
    way = {"strideW": stride, "strideH": stride, "dilationWFactor": 1, "dilationHFactor": 1}
    options = _options("DepthwiseConv2D", depthMultiplier=1, **way) if depthwise else _options("Conv2D", **way)
    chain.then(
        "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
        [filters, bias],
        options,
        (-(-height // stride), -(-width // stride), channels),
        # About as wide as sums of so many products are.
        chain.scale * 0.15 * math.sqrt(math.prod(shape[1:3]) * (1 if depthwise else depth)),
        step.c - 20,
    )


def _pool(code: str) -> Callable[[_Chain, Step], None]:
    def pool(chain: _Chain, step: Step) -> None:
        height, width, depth = chain.extents
        stride = 1 + step.c % 3
        options = _options("Pool2D", filterHeight=1 + step.a % 4, filterWidth=1 + step.b % 4)
        options.strideH = options.strideW = stride
        chain.then(code, [], options, (-(-height // stride), -(-width // stride), depth))

    return pool


def _binary(code: str, kind: str, *, alike: bool = False) -> Callable[[_Chain, Step], None]:
    def binary(chain: _Chain, step: Step) -> None:
        height, width, depth = (extent if step.a >> axis & 1 else 1 for axis, extent in enumerate(chain.extents))
        factor = 1.0 if alike else 0.5 + step.b / 10
        zero = chain.zero if alike or chain.dtype == "int16" else step.c - 20
        scale = chain.factor_scale if code == "MUL" else chain.scale
        other = chain.constant((height, width, depth), scale * factor, zero)
        growth = 1.0 if alike or code == "MUL" else 2.0
        chain.then(code, [other], _options(kind), scale=chain.scale * growth * factor, zero=zero)

    return binary


def _select(chain: _Chain, step: Step) -> None:
    """The number for which a comparison holds, or another one: which the NPU tells by bits.

    In int16 it is the greater one: LiteRT compares none of 16 bits, and Vela's comparison is not exact.
    """
    if chain.dtype == "int16":
        KINDS["maximum"](chain, step)
        return
    kind = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")[step.a % 6]
    other = chain.constant(chain.extents if step.b % 2 else (1, 1, chain.extents[2]), chain.scale, chain.zero)
    condition = chain.graph.tensor(chain.name(), (1, *chain.extents), "bool")
    chain.graph.operator(kind, [chain.last, other], [condition], version=2)
    before, chain.last = chain.last, condition
    chain.then("SELECT_V2", [before, other], schema.SelectV2OptionsT())


def _transpose(chain: _Chain, step: Step) -> None:
    order = list(permutations(range(3)))[step.a % 6]
    extents = (chain.extents[order[0]], chain.extents[order[1]], chain.extents[order[2]])
    axes = chain.integers([0, *(1 + axis for axis in order)])
    chain.then("TRANSPOSE", [axes], schema.TransposeOptionsT(), extents, version=4)


def _reverse(chain: _Chain, step: Step) -> None:
    chain.then("REVERSE_V2", [chain.integers([1 + step.a % 3])], schema.ReverseV2OptionsT())


def _gather(chain: _Chain, step: Step) -> None:
    height, width, depth = chain.extents
    rows = chain.integers(chain.rng.integers(0, height, (1, 1 + step.a % 9)))
    chain.then(
        "GATHER", [rows], _options("Gather", axis=1, batchDims=1), (1 + step.a % 9, width, depth), version=4
    )


def _resize(chain: _Chain, step: Step) -> None:
    height, width, depth = chain.extents
    rows, columns = height * (1 + step.a % 2), width * (1 + step.b % 2)
    size = chain.integers([rows, columns])
    kind = "RESIZE_BILINEAR" if step.c % 2 else "RESIZE_NEAREST_NEIGHBOR"
    options = _options("ResizeBilinear" if step.c % 2 else "ResizeNearestNeighbor", halfPixelCenters=True)
    chain.then(kind, [size], options, (rows, columns, depth))


def _pad(chain: _Chain, step: Step) -> None:
    height, width, depth = chain.extents
    around = [[0, 0], [step.a % 3, step.b % 3], [step.c % 3, step.a % 2], [0, step.b % 4]]
    extents = (height + sum(around[1]), width + sum(around[2]), depth + sum(around[3]))
    chain.then("PAD", [chain.integers(around)], schema.PadOptionsT(), extents)


def _concatenate(chain: _Chain, step: Step) -> None:
    axis, more = step.a % 3, 1 + step.b
    size = [more if number == axis else extent for number, extent in enumerate(chain.extents)]
    other = chain.constant((size[0], size[1], size[2]), chain.scale, chain.zero)
    size[axis] += chain.extents[axis]
    options = _options("Concatenation", axis=1 + axis)
    chain.then("CONCATENATION", [other], options, (size[0], size[1], size[2]))


def _slice(chain: _Chain, step: Step) -> None:
    begins = [number % extent for number, extent in zip((step.a, step.b, step.c), chain.extents, strict=True)]
    sizes = [1 + (extent - begin) // 2 for begin, extent in zip(begins, chain.extents, strict=True)]
    sizes = [min(size, extent - begin) for size, begin, extent in zip(sizes, begins, chain.extents, strict=True)]
    others = [chain.integers([0, *begins]), chain.integers([1, *sizes])]
    chain.then("SLICE", others, schema.SliceOptionsT(), (sizes[0], sizes[1], sizes[2]))


def _matrices(chain: _Chain, step: Step) -> None:
    """With a second input of the network, a matrix for each row."""
    height, width, depth = chain.extents
    columns, name = 1 + step.a, chain.name()
    zero = 0 if chain.dtype == "int16" else step.b - 20
    scale = chain.factor_scale
    chain.inputs[name] = chain.graph.tensor(name, (1, height, depth, columns), chain.dtype, scale, zero)
    chain.then(
        "BATCH_MATMUL",
        [chain.inputs[name]],
        schema.BatchMatMulOptionsT(),
        (height, width, columns),
        chain.scale * 0.4 * math.sqrt(depth),
        step.c - 20,
    )


def _reduce(code: str, *, kept: bool) -> Callable[[_Chain, Step], None]:
    def reduce(chain: _Chain, step: Step) -> None:
        _, width, depth = chain.extents
        change = {} if kept else {"scale": chain.scale * (0.5 + step.b / 40), "zero": step.c - 20}
        chain.then(code, [chain.integers([1])], _options("Reducer", keepDims=True), (1, width, depth), **change)

    return reduce


def _table(chain: _Chain, step: Step) -> None:
    code = ("LOGISTIC", "TANH")[step.a % 2]
    if chain.dtype == "int16":
        chain.then(code, [], scale=1 / 32768)
    else:
        chain.then(code, [], scale=1 / (256, 128)[step.a % 2], zero=(-128, 0)[step.a % 2])


def _requantize(chain: _Chain, step: Step) -> None:
    options = schema.QuantizeOptionsT()
    chain.then("QUANTIZE", [], options, scale=chain.scale * (0.5 + step.a / 20), zero=step.b - 20)


KINDS: dict[str, Callable[[_Chain, Step], None]] = {
    "conv": lambda chain, step: _weighted(chain, step, depthwise=False),
    "depthwise": lambda chain, step: _weighted(chain, step, depthwise=True),
    "max_pool": _pool("MAX_POOL_2D"),
    "avg_pool": _pool("AVERAGE_POOL_2D"),
    "add": _binary("ADD", "Add"),
    "sub": _binary("SUB", "Sub"),
    "mul": _binary("MUL", "Mul"),
    "minimum": _binary("MINIMUM", "MaximumMinimum", alike=True),
    "maximum": _binary("MAXIMUM", "MaximumMinimum", alike=True),
    "select": _select,
    "transpose": _transpose,
    "reverse": _reverse,
    "gather": _gather,
    "resize": _resize,
    "pad": _pad,
    "concatenate": _concatenate,
    "slice": _slice,
    "matrices": _matrices,
    "mean": _reduce("MEAN", kept=False),
    "reduce_max": _reduce("REDUCE_MAX", kept=True),
    "reduce_min": _reduce("REDUCE_MIN", kept=True),
    "table": _table,
    "requantize": _requantize,
}
