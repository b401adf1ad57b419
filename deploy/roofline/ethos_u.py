"""The roofline of an Ethos-U: one term for each unit that a layer keeps busy.

A layer takes as long as the busiest of

- the MAC units, with what the units of work (ublocks) waste on narrow feature maps and few channels;
- the output unit, which finishes so many elements a cycle, fewer for additions than for a copy;
- each memory: SRAM, DRAM and flash are separate roofs.

It is an ESTIMATE of Vela's estimate: no schedule, no block sizes. :mod:`deploy.roofline.terms` says where the
constants come from, ``docs/roofline.md`` how far off it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.compiling.vela_config import memory_system
from deploy.errors import BadInputError
from deploy.hardware.designs import MemorySystem, MemoryTiming, U55Design, U85Design, design_of
from deploy.hardware.npus import Npu, npu_named
from deploy.roofline.layer import Layer
from deploy.roofline.terms import ELEMENTWISE, FREE, REDUCING, Surroundings, Terms, riding
from deploy.roofline.u85_terms import U85Terms


@dataclass(frozen=True)
class LayerEstimate:
    """One layer.

    Attributes:
        cycles: of the NPU.
        limited_by: ``MAC units``, ``output unit``, ``SRAM``, ``DRAM`` or ``flash``; ``nothing`` for a layer that
            costs nothing.
        roofs: cycles that each of these would take alone.
    """

    layer: Layer
    cycles: int
    limited_by: str
    roofs: dict[str, int]


@dataclass(frozen=True)
class NetworkEstimate:
    """A network on an NPU."""

    npu: Npu
    system_config: str
    memory_mode: str
    layers: tuple[LayerEstimate, ...]

    @property
    def cycles(self) -> int:
        """Of the whole network."""
        return sum(layer.cycles for layer in self.layers)


def estimate(
    layers: Sequence[Layer], npu: Npu | str, system_config: str | None = None, memory_mode: str | None = None
) -> NetworkEstimate:
    """Estimate the cycles of a network.

    Args:
        layers: from :func:`deploy.roofline.layer.layers`.
        npu: the NPU, or its name (``U55-128``).
        system_config: section of ``Arm/vela.ini``; None for the NPU's default.
        memory_mode: section of ``Arm/vela.ini``; None for the NPU's default.

    Raises:
        BadInputError: an unknown NPU or configuration, or an NPU that it does not cover.
        NotInstalledError: Vela, whose configuration file is read, is missing.
    """
    config = npu_named(npu) if isinstance(npu, str) else npu
    design = design_of(config)
    if not isinstance(design, U55Design | U85Design):
        raise BadInputError(f"{config.name}: the roofline does not cover it", hints=["compile for it"])
    system, mode = system_config or config.system_config, memory_mode or config.memory_mode
    places = memory_system(config, system, mode)
    terms = U85Terms(design) if isinstance(design, U85Design) else Terms(design)
    ridden = riding(layers, chains=isinstance(design, U85Design))
    renaming = [layer for layer in layers if layer.operator in FREE]
    renamed = {layer.index for layer in renaming}
    whole = {
        i: layer.output_bytes for layer in renaming if layer.operator == "CONCATENATION" for i in layer.producers
    }
    at_input = {-1}
    # On U85 what does not fit into the dedicated SRAM stays in DRAM where several layers read it: no stripes.
    kept = {
        layer.index
        for layer in layers
        if isinstance(design, U85Design) and layer.consumers > 1 and 0 < places.fast_bytes < layer.output_bytes
    }
    found: list[LayerEstimate] = []
    spare = 0.0
    for layer in layers:
        if layer.operator in FREE or layer.index in ridden.riders:
            found.append(LayerEstimate(layer, 0, "nothing", {}))
            continue
        around = Surroundings(
            table=layer.index in ridden.carriers,
            linear=not renamed.isdisjoint(layer.producers),
            chained=ridden.chained.get(layer.index, 0),
        )
        joined = around.linear and layer.operator in ELEMENTWISE
        size = layer.activation_bytes + (whole.get(layer.index, 0) if joined else 0)
        source = _source(layer, around, size, at_input, places)
        if layer.operator not in ELEMENTWISE and not kept.isdisjoint(layer.producers):
            source = places.arena
        roofs = terms.roofs(layer, around, places, source, spare)
        limit = max(roofs, key=lambda name: roofs[name])
        rounded = {name: round(cycles) for name, cycles in roofs.items()}
        one = LayerEstimate(layer, rounded[limit], limit, rounded)
        if layer.operator == "QUANTIZE" and source is places.arena:
            at_input.add(layer.index)
        # While a layer computes, the weights of the next one are fetched, if all of them can be.
        busy = one.roofs.get(places.constants.name, 0)
        spare = 0.0 if layer.operator in REDUCING else max(0.0, one.cycles - busy)
        found.append(one)
    return NetworkEstimate(config, system, mode, tuple(found))


def _source(
    layer: Layer, around: Surroundings, size: int, at_input: set[int], places: MemorySystem
) -> MemoryTiming:
    """The memory that a layer reads; ``size`` counts the feature map that it writes a part of.

    Vela keeps feature maps in a dedicated SRAM, where it cuts layers into stripes if they are too large. It cannot
    where a reshape or concatenation stands between layers. The input of the network stays where the application
    puts it; what QUANTIZE makes of it does so too if it does not fit.
    """
    if around.linear and size > places.fast_bytes // 2:
        return places.arena
    if not at_input.intersection(layer.producers):
        return places.fast
    if -1 not in layer.producers and layer.activation_bytes <= places.fast_bytes:
        return places.fast
    return places.arena
