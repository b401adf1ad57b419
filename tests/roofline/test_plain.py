"""The plain roofline: its formula by hand, the sweep over ridge points."""

from __future__ import annotations

import math

import pytest

from deploy.errors import BadInputError
from deploy.roofline.layer import Layer
from deploy.roofline.plain import RIDGE_POINTS, layer_time, model_time, sweep
from deploy.tflite.options import Window


def layer(macs: int, weight_bytes: int, activation_bytes: int) -> Layer:
    return Layer(
        index=0,
        operator="CONV_2D",
        name="x",
        inputs=((1, 1, 1),),
        output=(1, 1, 1),
        window=Window(1, 1, 1, 1),
        macs=macs,
        weight_bytes=weight_bytes,
        packed_bytes=weight_bytes,
        input_bytes=activation_bytes,
        output_bytes=0,
        element_bytes=1,
        producers=(-1,),
        consumers=1,
    )


COMPUTE, MEMORY = layer(10_000, 50, 50), layer(100, 400, 600)


def test_a_layer_takes_the_longer_of_computing_and_moving() -> None:
    assert layer_time(COMPUTE, peak_macs=100, bandwidth=10) == 100
    assert layer_time(MEMORY, peak_macs=100, bandwidth=10) == 100
    assert layer_time(COMPUTE, peak_macs=100, bandwidth=0.5) == 200
    assert model_time([COMPUTE, MEMORY], 100, 10) == 200


def test_without_a_limit_of_bandwidth_the_sweep_counts_multiply_accumulates() -> None:
    assert sweep([COMPUTE, MEMORY], [0])[0] == 10_100


def test_at_a_high_ridge_point_bytes_decide() -> None:
    assert sweep([COMPUTE, MEMORY], [500])[500] == (100 + 1000) * 500


def test_a_layer_turns_from_one_limit_to_the_other_at_its_own_intensity() -> None:
    assert COMPUTE.intensity == 100
    times = sweep([COMPUTE], [99, 100, 101])
    assert times[99] == times[100] == 10_000
    assert times[101] == 10_100


def test_the_sweep_covers_0_to_500_and_never_falls() -> None:
    times = sweep([COMPUTE, MEMORY])
    assert (min(times), max(times)) == (0, 500)
    assert list(times) == list(RIDGE_POINTS)
    assert list(times.values()) == sorted(times.values())


def test_the_sweep_is_the_model_time_of_a_machine_with_that_ridge_point() -> None:
    peak, bandwidth = 128.0, 4.0
    assert sweep([COMPUTE, MEMORY], [peak / bandwidth])[32.0] / peak == pytest.approx(
        model_time([COMPUTE, MEMORY], peak, bandwidth)
    )


@pytest.mark.parametrize("rates", [(0, 1), (1, 0), (-1, 1), (math.nan, 1)])
def test_a_machine_without_a_rate_is_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(BadInputError, match="must be positive"):
        layer_time(COMPUTE, *rates)


@pytest.mark.parametrize("ridge", [-1, math.nan])
def test_a_negative_ridge_point_is_refused(ridge: float) -> None:
    with pytest.raises(BadInputError, match="must be 0 or more"):
        sweep([COMPUTE], [ridge])
