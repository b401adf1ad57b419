"""A comparison in plain words: time, memory and what moved to the CPU, more, less or as much."""

from __future__ import annotations

from reporting.compile_documents import build_figures, figure

from deploy.build_folder import Figure
from deploy.reporting.data.comparing import compare
from deploy.reporting.data.difference_words import plain_words, rows_shown


def figures(time: float, sram: float, flash: float, on_cpu: float) -> list[Figure]:
    return [
        figure("inference_time", time, "ms"),
        figure("sram_peak", sram, "bytes"),
        figure("flash", flash, "bytes"),
        figure("cpu_operators", on_cpu, "operators"),
    ]


def test_more_less_and_as_much() -> None:
    builds = [build_figures("a", *figures(2, 1000, 70, 0)), build_figures("b", *figures(3, 900, 70, 1))]
    told = plain_words(rows_shown(compare(builds)), 1)
    assert told == "50.0 % more time, 10.0 % less SRAM, as much flash, 1 operator more on the CPU"
    back = plain_words(rows_shown(compare(builds[::-1])), 1)
    assert back.startswith("33.3 % less time, 11.1 % more SRAM") and back.endswith("1 operator fewer on the CPU")


def test_what_starts_from_nothing_is_told_by_its_amount_and_what_is_unknown_not_at_all() -> None:
    builds = [
        build_figures("a", figure("dram_peak", 0, "bytes")),
        build_figures("b", figure("dram_peak", 2048, "bytes"), figure("flash", 5, "bytes")),
    ]
    assert plain_words(rows_shown(compare(builds)), 1) == "2.0 KiB more DRAM"
