"""What fits where a model does not: found by compiling, bisected, bounded in time."""

import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from deploy.compiling import fitting
from deploy.compiling.compile_options import CompileOptions, compile_options
from deploy.compiling.compiler import VELA, Compiled, Compiler
from deploy.compiling.fitting import largest_size, other_ways, try_ways
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.processes import supervisor
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


def test_the_ways_keep_the_limit_and_the_strategy_that_the_user_set() -> None:
    for npu, mode in (("U55-128", "Shared_Sram"), ("U55-128", "Sram_Only"), ("U65-256", "Sram_Only")):
        ways = other_ways(options_of(npu, memory_mode=mode, sram_limit=4096, optimise="Size"))
        assert ways
        assert {(way.sram_limit, way.optimise) for _, way in ways} == {(4096, "Size")}


def test_a_way_is_tried_with_the_system_that_the_user_named_or_not_named_at_all() -> None:
    high = options_of("U65-256", system_config="Ethos_U65_Mid_End", memory_mode="Shared_Sram")
    assert other_ways(high)[-1][1].system_config == "Ethos_U65_Mid_End"
    without_dram = options_of("U65-256", system_config="Ethos_U65_Embedded", memory_mode="Shared_Sram")
    assert "--memory-mode Dedicated_Sram_384KB" not in words(without_dram)


def sram_of(model: Model, options: CompileOptions) -> int:
    return int(VELA.compile(model, options).figure("sram_peak"))


def test_each_way_is_compiled_and_told_with_what_it_takes(mlperf_tiny: dict[str, Path]) -> None:
    model = tflite_model.read(mlperf_tiny["image_classification"])
    fast, small = options_of("U55-128"), options_of("U55-128", optimise="Size")
    taken = sram_of(model, small)
    assert taken < sram_of(model, fast)
    assert taken == sram_of(model, options_of("U55-128", optimise="Size", sram_limit=taken))
    said: list[str] = []
    tight = options_of("U55-128", sram_limit=taken)
    attempts = try_ways(model, tight, "m", deadline=time.monotonic() + 100, say=said.append)
    assert [str(attempt) for attempt in attempts] == [f"--optimise Size: fits, {taken:,} bytes of SRAM"]
    assert said == ["trying --optimise Size"]
    tighter = options_of("U55-128", sram_limit=taken - 1)
    first = try_ways(model, tighter, "m", deadline=time.monotonic() + 100, say=said.append)[0]
    assert not first.fits and "does not fit either" in str(first)


def test_a_way_that_vela_refuses_is_left_out_and_said_and_the_next_is_tried(mlperf_tiny: dict[str, Path]) -> None:
    model = tflite_model.read(mlperf_tiny["image_classification"])

    def run(command: Sequence[str], folder: Path, *, timeout_s: float) -> supervisor.Ended:
        if "Size" in command:
            return supervisor.Ended(1, False, "KeyError: no")
        return supervisor.run(command, folder, timeout_s=timeout_s)

    said: list[str] = []
    tight = options_of("U55-128", sram_limit=20_000)
    attempts = try_ways(model, tight, "m", Compiler(run), deadline=time.monotonic() + 100, say=said.append)
    assert [attempt.words.partition(" (")[0] for attempt in attempts] == [
        "--npu U65-256 --memory-mode Dedicated_Sram_384KB"
    ]
    assert said[:2] == ["trying --optimise Size", "Vela refuses --optimise Size"]


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

    class Squares(Compiler):
        def compile(self, *args: object, **kwargs: object) -> Compiled:
            return cast("Compiled", SimpleNamespace(figure=lambda name: (sizes[-1] // 32) ** 2))

    monkeypatch.setattr(fitting, "sram_limit", lambda options: limit)
    asked, deadline = options_of("U55-128"), time.monotonic() + 10
    best, complete = largest_size(build, 640, asked, 400, "m", Squares(), deadline=deadline, say=lambda text: None)
    assert (best and best.words) == (expected and f"--set size={expected}")
    assert complete and len(sizes) == len(set(sizes)) <= 12
