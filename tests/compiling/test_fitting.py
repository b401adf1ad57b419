"""What fits where a model does not: found by compiling, bisected, bounded in time."""

import time
from pathlib import Path

import pytest

from deploy.compiling import fitting
from deploy.compiling.compile_options import CompileOptions, compile_options
from deploy.compiling.fitting import largest_size, other_ways, sram_of, try_ways
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.tflite import model as tflite_model
from deploy.tflite.model import Model


def options_of(npu: str, **kwargs: str | int) -> CompileOptions:
    return compile_options(npu_named(npu), **kwargs)  # type: ignore[arg-type]


def words(options: CompileOptions) -> list[str]:
    return [text.partition(" (")[0] for text, _ in other_ways(options)]


def test_the_ways_out_are_those_that_the_npu_has() -> None:
    other_npu = "--npu U65-256 --memory-mode Dedicated_Sram_384KB"
    aim = "--sram-limit 2M, which Vela then aims for"
    assert words(options_of("U55-128")) == [aim, "--optimise Size", other_npu]
    assert words(options_of("U55-128", optimise="Size", sram_limit="1M")) == [other_npu]
    assert words(options_of("U65-256", memory_mode="Shared_Sram")) == [
        aim,
        "--optimise Size",
        "--memory-mode Dedicated_Sram_384KB",
    ]
    assert words(options_of("U65-256", memory_mode="Sram_Only"))[0] == "--memory-mode Shared_Sram"


def test_the_ways_keep_the_limit_that_the_user_set() -> None:
    assert all(way.sram_limit == 4096 for _, way in other_ways(options_of("U55-128", sram_limit=4096)))


def test_each_way_is_compiled_and_told_with_what_it_takes(mlperf_tiny: dict[str, Path]) -> None:
    model = tflite_model.read(mlperf_tiny["image_classification"])
    fast, small = options_of("U55-128"), options_of("U55-128", optimise="Size")
    taken = sram_of(model, small, "m")
    assert taken < sram_of(model, fast, "m")
    assert taken == sram_of(model, options_of("U55-128", optimise="Size", sram_limit=taken), "m")
    said: list[str] = []
    tight = options_of("U55-128", sram_limit=taken)
    attempts = try_ways(model, tight, "m", deadline=time.monotonic() + 100, say=said.append)
    assert [str(attempt) for attempt in attempts] == [f"--optimise Size: fits, {taken:,} bytes of SRAM"]
    assert said == ["trying --optimise Size"]
    tighter = options_of("U55-128", sram_limit=taken - 1)
    first = try_ways(model, tighter, "m", deadline=time.monotonic() + 100, say=said.append)[0]
    assert not first.fits and "does not fit either" in str(first)


def test_nothing_is_begun_after_the_deadline(mlperf_tiny: dict[str, Path]) -> None:
    model = tflite_model.read(mlperf_tiny["image_classification"])
    assert try_ways(model, options_of("U55-128"), "m", deadline=time.monotonic() - 1, say=print) == []
    found = largest_size(lambda size: model, 320, options_of("U55-128"), 1, "m", deadline=0, say=print)
    assert found == (None, False)


@pytest.mark.parametrize(
    ("limit", "smallest", "expected"),
    [(100, 32, 320), (99, 32, 288), (1, 32, 32), (0.5, 32, None), (100, 352, None), (1e9, 32, 608)],
)
def test_the_largest_multiple_of_32_that_fits_is_found_in_few_compilations(
    limit: float,
    smallest: int,
    expected: int | None,
    monkeypatch: pytest.MonkeyPatch,
    mlperf_tiny: dict[str, Path],
) -> None:
    # Memory as it grows in networks, with the area: one byte at 32x32.
    sizes: list[int] = []
    model = tflite_model.read(mlperf_tiny["anomaly_detection"])

    def build(size: int) -> Model:
        sizes.append(size)
        if size < smallest:
            raise BadInputError("too small")
        return model

    monkeypatch.setattr(fitting, "sram_of", lambda model, options, source: (sizes[-1] // 32) ** 2)
    monkeypatch.setattr(fitting, "sram_limit", lambda options: limit)
    best, complete = largest_size(
        build, 640, options_of("U55-128"), 400, "m", deadline=time.monotonic() + 10, say=lambda text: None
    )
    assert (best and best.words) == (expected and f"--set size={expected}")
    assert complete and len(sizes) == len(set(sizes)) <= 12
