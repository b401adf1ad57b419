"""Curves whose table the stream brings along: with the knots of U55's curves they are U55's curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from deploy.npu import Architecture, StreamError
from deploy.npu.execution import activation as curves
from deploy.npu.execution.activation import finish
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import Function
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u85_operations import U85PoolingOperation

from ..builders import activation, feature_map
from ..u85_builders import pooling

U85 = Architecture("U85", 256)


def memory_with_table() -> Memory:
    """512 pairs of base and slope: U55's 256 knots, which are those of positive values, and their mirror image."""
    knots = np.append(curves.KNOTS, curves.KNOTS[-1]) - (1 << 15)
    bases = np.concatenate([-knots[256:0:-1], knots[:256]])
    slopes = np.diff(np.append(bases, knots[256]))
    memory = Memory({}, U85.design)
    memory.bytes(None, 0, 2048, write=True)[0] = (
        np.stack([bases, slopes], axis=1).astype("<i2").view(np.uint8).ravel()
    )
    return memory


def operation_with(function: Function, slot: int = 0) -> U85PoolingOperation:
    ofm = feature_map((1, 1, 1), "i2")
    table = replace(activation("i2"), function=function, slot=slot)
    return pooling(PoolingMode.SUM, ofm, ofm, activation=table)


@pytest.mark.parametrize(
    ("function", "curve"),
    [(Function.SIGMOID_BY_TABLE, curves.sigmoid), (Function.TANH_BY_TABLE, curves.tanh)],
)
def test_they_equal_the_curves_of_u55_beyond_16_bits_too(
    function: Function, curve: Callable[[np.ndarray], np.ndarray]
) -> None:
    values = np.arange(-200_000, 200_000, 7, dtype=np.int64)
    found = finish(values, operation_with(function), memory_with_table())
    assert found.dtype == np.int16
    expected = curve(values)
    inside = np.abs(values) < 255 << (9 if function is Function.SIGMOID_BY_TABLE else 8)
    assert (found[inside] == expected[inside]).all()
    # Beyond its last knot U55 gives a limit of its own.
    assert np.abs(found[~inside] - expected[~inside]).max() <= 1


def test_a_table_that_reaches_beyond_the_memory_of_tables_is_refused() -> None:
    with pytest.raises(StreamError, match="does not fit behind its slot"):
        finish(np.zeros(1, np.int64), operation_with(Function.TANH_BY_TABLE, slot=1), memory_with_table())
