"""Finds layer, RMS and L2 normalization in a float network and writes it so that integers can compute it.

All of them are ``c * rsqrt(m + e)``, with ``c`` the vector (its mean taken away or not) and ``m`` the mean or the
sum of its squares. Three things stand in the way of eight bits:

- Keras writes the mean behind the root, ``x * r + (beta - mean * r)``: the difference of two large numbers, each
  rounded to one of 255 steps. Here the vector is centred first.
- L2 normalization bounds ``1 / |x|`` by 1e6 for the sake of vectors of zeros: the bound would set the step of all.
  Here the bound stands before the root, where it is small. The sum of squares becomes their mean: LiteRT's
  reference kernel of a quantized SUM is wrong where scales differ.
- Where some vectors are much shorter than others (the empty rows of a picture), their roots are 30 times those of
  the others, which get the last steps of 255: 5 % of error and more. Here the root is taken twice:
  ``n = c * rsqrt(m + d)`` brings lengths near each other, and the squares of *those integers* say what is still
  missing::

      c * rsqrt(m + e)  =  n * rsqrt(m' * (1 - e / d) + e / d)      with m' of n as m of c

  an identity for every ``d``. With ``d`` between the least and the largest ``m``, both roots spread over the
  fourth root of their ratio only, and the second one mends what the first one rounded.

The reductions are over the last axis, which the NPU can do where the height is 1: maps become rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph, Node

WIDE = 64.0
"""From which ratio of the mean squares on the root is taken twice: that of the roots is 8, and the largest vectors
have a step of 3 % of theirs."""

SHORTEST = 1 / 256**2
"""Mean squares that 8 bits cannot tell from zero, as a share of the largest ones."""


@dataclass(frozen=True)
class Normalization:
    """One place.

    Attributes:
        nodes: the operators, in execution order.
        x: what is normalized, [..., C].
        mean: whether its mean is taken away.
        reduction: ``MEAN`` or ``SUM``, of the squares over the last axis.
        squares: the tensor of that mean or sum.
        epsilon: is added to it.
        gamma: constant factor, or None.
        beta: constant summand, or None.
        activation: fused into the last operator.
        out: the tensor to compute.
    """

    nodes: tuple[Node, ...]
    x: int
    mean: bool
    reduction: str
    squares: int
    epsilon: float
    gamma: int | None
    beta: int | None
    activation: int
    out: int

    def write(self, emit: Emitter, spread: tuple[float, float] | None) -> None:
        """Write it.

        Args:
            emit: into this.
            spread: least and largest value of ``squares``; None where nothing is known of it.
        """
        shape = emit.tensor(self.x).shape
        rows = (1, math.prod(shape[:-1]), shape[-1])
        flat = len(shape) > 3
        c = emit.reshape(self.x, rows) if flat else self.x
        if self.mean:
            c = emit.binary("SUB", c, emit.mean_of_last(c))
        # Of a sum of n squares the root is that of their mean times the root of n.
        count = shape[-1] if self.reduction == "SUM" else 1
        epsilon, factor = self.epsilon / count, 1.0 / math.sqrt(count)
        if spread is not None and (most := spread[1] / count + epsilon) > WIDE * (spread[0] / count + epsilon):
            # In steps of the longest, a vector of that length is nothing: it needs no step of its own.
            epsilon = max(epsilon, most * SHORTEST)
            between = math.sqrt(max(spread[0] / count, epsilon) * most)
            c = emit.binary("MUL", c, self._root(emit, c, between))
            kept = epsilon / between
            epsilon, factor = kept / (1.0 - kept), factor / math.sqrt(1.0 - kept)
        gamma = self._scaled(emit, factor)
        steps = [("MUL", self._root(emit, c, epsilon))]
        steps += [("MUL", gamma)] if gamma is not None else []
        steps += [("ADD", self.beta)] if self.beta is not None else []
        for number, (code, operand) in enumerate(steps, start=1):
            last = number == len(steps)
            activation = self.activation if last else 0
            c = emit.binary(code, c, operand, activation=activation, out=self.out if last and not flat else None)
        if flat:
            emit.reshape(c, shape, out=self.out)

    def _root(self, emit: Emitter, c: int, epsilon: float) -> int:
        squares = emit.mean_of_last(emit.binary("MUL", c, c))
        return emit.unary("RSQRT", emit.binary("ADD", squares, emit.constant(np.asarray(epsilon, np.float32))))

    def _scaled(self, emit: Emitter, factor: float) -> int | None:
        if math.isclose(factor, 1.0, abs_tol=1e-3):
            return self.gamma  # A quarter of an 8-bit step at most.
        values = np.float32(1.0) if self.gamma is None else emit.graph.constant(self.gamma)
        return emit.constant(np.asarray(values * np.float32(factor), np.float32))


def find(graph: Graph) -> Iterator[Normalization]:
    """The places of a float graph; no operator belongs to two."""
    taken: set[Node] = set()
    for root in graph.nodes:
        if root.code == "RSQRT" and graph.tensors[root.outputs[0]].dtype == "float32":
            found = _at(graph, root)
            if found is not None and taken.isdisjoint(found.nodes) and _closed(graph, found):
                taken.update(found.nodes)
                yield found


def _closed(graph: Graph, found: Normalization) -> bool:
    """Whether nothing else reads what lies inside."""
    inner = {index for node in found.nodes for index in node.outputs} - {found.out}
    nodes = set(found.nodes)
    return all(index not in graph.outputs and set(graph.consumers(index)) <= nodes for index in inner)


def _at(graph: Graph, root: Node) -> Normalization | None:
    """Look around a RSQRT."""
    nodes, inner, epsilon = [root], root.inputs[0], 0.0
    for code in ("ADD", "MAXIMUM"):
        if (guard := made_by(graph, inner, code)) is not None:
            constant, inner = constant_and_other(graph, guard)
            if constant is None or graph.tensors[constant].shape not in ((), (1,)):
                return None
            epsilon = float(graph.constant(constant).reshape(-1)[0])
            nodes.append(guard)
            break
    reduced = graph.producer(inner)
    if reduced is None or reduced.code not in ("MEAN", "SUM") or not _over_last(graph, reduced):
        return None
    squared = graph.producer(reduced.inputs[0])
    if squared is None:
        return None
    nodes += [reduced, squared]
    x, mean = _squared(graph, squared)
    if x is None:
        return None
    r = root.outputs[0]
    if (bound := _read_with_constant(graph, r, "MINIMUM")) is not None:
        node, constant = bound
        epsilon += 1.0 / float(graph.constant(constant).reshape(-1)[0]) ** 2
        nodes.append(node)
        r = node.outputs[0]
    gamma = None
    if (factor := _read_with_constant(graph, r, "MUL")) is not None:
        nodes.append(factor[0])
        r, gamma = factor[0].outputs[0], factor[1]
    ends = _ends(graph, x, mean, r)
    if ends is None:
        return None
    more, beta = ends
    nodes += more if mean is None else [mean, *more]
    last = more[-1]
    if gamma is None and (factor := _read_with_constant(graph, last.outputs[0], "MUL")) is not None:
        gamma, last = factor[1], factor[0]
        nodes.append(last)
    if beta is None and (summand := _read_with_constant(graph, last.outputs[0], "ADD")) is not None:
        beta, last = summand[1], summand[0]
        nodes.append(last)
    order = {node: place for place, node in enumerate(graph.nodes)}
    activation = int(last.options.fusedActivationFunction)
    plain = all(not getattr(node.options, "fusedActivationFunction", 0) for node in nodes if node is not last)
    narrow = all(_last_axis_only(graph, index) for index in (gamma, beta) if index is not None)
    if not plain or not narrow or graph.tensors[last.outputs[0]].shape != graph.tensors[x].shape:
        return None
    return Normalization(
        nodes=tuple(sorted(dict.fromkeys(nodes), key=order.__getitem__)),
        x=x,
        mean=mean is not None,
        reduction=reduced.code,
        squares=inner,
        epsilon=epsilon,
        gamma=gamma,
        beta=beta,
        activation=activation,
        out=last.outputs[0],
    )


def _squared(graph: Graph, node: Node) -> tuple[int | None, Node | None]:
    """What was squared, and the operator of the mean that was taken away from it."""
    if node.code == "SQUARE" or (node.code == "MUL" and node.inputs[0] == node.inputs[1]):
        return node.inputs[0], None
    if node.code == "SQUARED_DIFFERENCE":
        for x, other in (node.inputs, node.inputs[::-1]):
            mean = made_by(graph, other, "MEAN")
            if mean is not None and mean.inputs[0] == x and _over_last(graph, mean):
                return x, mean
    return None, None


def _ends(graph: Graph, x: int, mean: Node | None, r: int) -> tuple[list[Node], int | None] | None:
    """The operators that multiply by the root, up to the last one, and the beta among them."""
    readers = graph.consumers(r)
    scaled = [node for node in readers if node.code == "MUL" and x in node.inputs]
    if len(scaled) != 1 or len(readers) != (1 if mean is None else 2):
        return None
    if mean is None:
        return scaled, None
    shift = next(node for node in readers if node is not scaled[0])
    if shift.code != "MUL":
        return None
    factor = next((index for index in shift.inputs if index != r), r)
    nodes, negative = [scaled[0], shift], False
    if (negated := made_by(graph, factor, "NEG")) is not None:
        nodes.insert(0, negated)
        factor, negative = negated.inputs[0], True
    if factor != mean.outputs[0]:
        return None
    tail, beta = shift.outputs[0], None
    # beta - mean * r, or beta + (-mean) * r; without a beta the product itself.
    found = _read_with_constant(graph, tail, "ADD" if negative else "SUB")
    if found is not None and (negative or found[0].inputs[1] == tail):
        nodes.append(found[0])
        tail, beta, negative = found[0].outputs[0], found[1], True
    readers = graph.consumers(tail)
    if len(readers) != 1 or readers[0].code != ("ADD" if negative else "SUB"):
        return None
    wanted = (scaled[0].outputs[0], tail)
    if readers[0].inputs != wanted and not (negative and readers[0].inputs == wanted[::-1]):
        return None
    return [*nodes, readers[0]], beta


def _over_last(graph: Graph, node: Node) -> bool:
    """Whether it reduces over the last axis alone and keeps it."""
    rank = len(graph.tensors[node.inputs[0]].shape)
    axes = graph.tensors[node.inputs[1]]
    if axes.data is None or not node.options.keepDims:
        return False
    return [int(axis) % rank for axis in graph.constant(node.inputs[1]).reshape(-1)] == [rank - 1]


def _last_axis_only(graph: Graph, constant: int) -> bool:
    """Whether a constant varies along the channels alone, so that it fits rows as well as maps."""
    return all(size == 1 for size in graph.tensors[constant].shape[:-1])


def made_by(graph: Graph, tensor: int, code: str) -> Node | None:
    """The operator that writes a tensor, where it is one of these."""
    node = graph.producer(tensor)
    return node if node is not None and node.code == code else None


def constant_and_other(graph: Graph, node: Node) -> tuple[int | None, int]:
    """The operand of a binary operator that is a constant (None where none is), and the other one."""
    first, second = node.inputs
    if graph.tensors[first].data is not None:
        return first, second
    return (second if graph.tensors[second].data is not None else None), first


def _read_with_constant(graph: Graph, tensor: int, code: str) -> tuple[Node, int] | None:
    """The one reader of a tensor, where it is this operator with a constant; and that constant."""
    readers = graph.consumers(tensor)
    if len(readers) != 1 or readers[0].code != code or tensor in graph.outputs:
        return None
    constant, _ = constant_and_other(graph, readers[0])
    return None if constant is None else (readers[0], constant)
