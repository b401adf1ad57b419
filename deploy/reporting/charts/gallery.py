"""The charts of the pages that show builds: what is listed here is drawn, in this order.

What is listed are functions: each yields charts, with the section where they stand, or nothing where there is no
data for them. So a new chart is its function in a module of this folder, and its place in these lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from deploy.reporting.charts import cycles, figures, graph, memory, outputs, roofline, sizes
from deploy.reporting.charts.vega import Chart
from deploy.reporting.data.report import Report
from deploy.reporting.data.side_by_side import SideBySide

BUILD: tuple[Callable[[Report], Iterator[Chart]], ...] = (
    cycles.limits,
    cycles.cycles,
    memory.memory_maps,
    sizes.flash,
    sizes.compression,
    roofline.rooflines,
    sizes.traffic,
    graph.graph,
    outputs.differences,
    outputs.confusions,
)
"""Of the page of a build."""

COMPARISON: tuple[Callable[[SideBySide], Iterator[Chart]], ...] = (
    figures.ratios,
    cycles.changes,
    cycles.limits_compared,
    cycles.cycles_compared,
    memory.memory_over_time,
    memory.memory_maps_compared,
    sizes.flash_compared,
    sizes.traffic_compared,
)
"""Of the page of a comparison."""
