"""Sizes and defaults of deploy compile."""

import pytest

from deploy.compiling.compile_options import compile_options, parse_size
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named


@pytest.mark.parametrize(
    ("text", "size"),
    [("524288", 524288), ("512K", 524288), ("2M", 2097152), ("2MiB", 2097152), ("1 kB", 1024), (7, 7), ("9B", 9)],
)
def test_sizes_take_suffixes_of_1024(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "2G", "1.5M", "M", "0x100", "lots", -4])
def test_anything_else_is_no_size(text: str | int) -> None:
    with pytest.raises(BadInputError, match="--sram-limit"):
        parse_size(text)


def test_the_npu_gives_the_defaults() -> None:
    options = compile_options(npu_named("u65-256"))
    assert (options.system_config, options.memory_mode) == ("Ethos_U65_High_End", "Dedicated_Sram_384KB")
    assert (options.optimise, options.sram_limit) == ("Performance", None)


def test_a_system_without_dram_gets_a_memory_mode_that_fits() -> None:
    assert compile_options(npu_named("U65-256"), system_config="Ethos_U65_Embedded").memory_mode == "Shared_Sram"


def test_a_memory_mode_that_was_asked_for_is_never_replaced() -> None:
    with pytest.raises(BadInputError, match="cannot be written"):
        compile_options(
            npu_named("U65-256"), system_config="Ethos_U65_Embedded", memory_mode="Dedicated_Sram_384KB"
        )


def test_the_strategy_is_checked() -> None:
    assert compile_options(npu_named("U55-32"), optimise="size").optimise == "Size"
    with pytest.raises(BadInputError, match="choose Performance or Size"):
        compile_options(npu_named("U55-32"), optimise="Speed")
