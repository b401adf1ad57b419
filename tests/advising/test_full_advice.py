"""Hints from whole networks: figures are those of separate compilations, and what does not hold is taken back."""

import dataclasses

import pytest
from advising.small_networks import SmallNetwork

from deploy.advising import borders
from deploy.advising.documents import Costs, Hint, Kind
from deploy.advising.full import Deadline, full_hints, network_costs, reconciled
from deploy.advising.input_size import largest_input
from deploy.advising.quick import candidates
from deploy.compiling.compile_options import CompileOptions, compile_options
from deploy.hardware.npus import npu_named
from deploy.optimizing.network_trials import NetworkTrials
from deploy.processes.supervisor import run
from deploy.tflite import Model
from deploy.tflite.graph import Graph


@pytest.fixture(scope="module")
def options() -> CompileOptions:
    return compile_options(npu_named("U55-128"))


@pytest.fixture(scope="module")
def model() -> Model:
    """uint8 inputs, a costly global average, a softmax: something for every kind of variant."""
    net = SmallNetwork((1, 32, 32, 3), "uint8")
    x = net.convolution(net.convolution(net.x, 16), 16)
    return net.model(net.softmax(net.mean(x)))


def costs(model: Model, options: CompileOptions) -> Costs:
    return network_costs(NetworkTrials(model, "it", options).compiled(model).figures)


@pytest.fixture(scope="module")
def found(model: Model, options: CompileOptions) -> tuple[dict[str, Hint], list[str], list[str]]:
    said: list[str] = []
    hints, notes = full_hints(
        model,
        candidates(Graph(model)),
        options,
        optimize="deploy optimize it",
        limit=Deadline(run, 300),
        say=said.append,
    )
    return {hint.title: hint for hint in hints}, notes, said


def test_every_way_is_tried_and_said(found: tuple[dict[str, Hint], list[str], list[str]]) -> None:
    _, notes, said = found
    assert notes == []
    for words in ("the network as it is", "int8 inputs and outputs", "logits as outputs", "memory mode Sram_Only"):
        assert words in said
    assert any(words.startswith("an arena of ") for words in said)


def test_figures_are_those_of_separate_compilations(
    found: tuple[dict[str, Hint], list[str], list[str]], model: Model, options: CompileOptions
) -> None:
    hints, _, _ = found
    as_it_is = costs(model, options)
    assert {hint.present for hint in hints.values()} == {as_it_is}
    without = borders.without(model, borders.conversions)
    assert hints["int8 inputs and outputs"].changed == costs(without, options)
    mode = hints["memory mode Sram_Only"]
    assert mode.changed == costs(model, dataclasses.replace(options, memory_mode="Sram_Only"))
    assert mode.action == "--memory-mode Sram_Only"
    rewritten = hints["the one rewrite that pays"]
    assert rewritten.saved("cycles") > 0
    assert rewritten.outputs == "within rounding"


def test_an_arena_is_a_hint_only_where_vela_keeps_to_it(
    found: tuple[dict[str, Hint], list[str], list[str]],
) -> None:
    arenas = [hint for title, hint in found[0].items() if title.startswith("an arena of ")]
    for hint in arenas:
        limit = int(hint.action.removeprefix("--sram-limit ").removesuffix("K")) * 1024
        assert hint.changed.sram_bytes is not None and hint.changed.sram_bytes <= limit


def test_what_the_time_did_not_allow_is_said(model: Model, options: CompileOptions) -> None:
    class Counted(Deadline):
        """Time for one compilation."""

        left = property(lambda self: 0.0 if self.runs else 60.0)  # type: ignore[assignment]
        runs = 0

        def run(self, *arguments: object, **named: object) -> object:  # type: ignore[override]
            ended = super().run(*arguments, **named)  # type: ignore[arg-type]
            self.runs += 1
            return ended

    limit = Counted(run, 60)
    hints, notes = full_hints(
        model, candidates(Graph(model)), options, optimize="it", limit=limit, say=lambda words: None
    )
    assert [hint for hint in hints if hint.worthwhile] == []
    assert "not tried, the time was over: int8 inputs and outputs" in notes


def hint(kind: Kind, title: str, before: int, after: int) -> Hint:
    return Hint(
        kind=kind,
        title=title,
        present=Costs(cpu_operators=0, cycles=before),
        changed=Costs(cpu_operators=0, cycles=after),
        source="by hand",
        action="do",
        outputs="exact",
    )


def test_hints_that_do_not_hold_in_the_network_are_taken_back() -> None:
    quick = [
        hint("rewrite", "alone", 10, 5),
        hint("channels", "kept", 10, 5),
        hint("on the host", "softmax", 9, 0),
    ]
    network = [
        hint("whole network", "rewrites", 100, 100),
        hint("on the host", "logits", 100, 90),
        hint("memory", "mode", 100, 120),
    ]
    hints, notes = reconciled(quick, network)
    assert sorted(each.title for each in hints) == ["kept", "logits", "softmax"]
    assert notes == ["alone: saves cycles alone, but not in the network"]


def network_of(size: int) -> Model:
    net = SmallNetwork((1, size, size, 3))
    return net.model(net.mean(net.convolution(net.convolution(net.x, 8), 8)))


def test_the_largest_input_that_fits_is_found_and_the_next_does_not_fit() -> None:
    options = compile_options(npu_named("U55-128"), sram_limit="128K")
    taken = costs(network_of(32), options).sram_bytes or 0
    built: list[int] = []

    def build(size: int) -> Model:
        built.append(size)
        return network_of(size)

    found = largest_input(build, 32, taken, options, "it", seconds=300, say=lambda words: None)
    assert found is not None and found.value is not None and found.worthwhile
    largest = found.value[1]
    assert found.changed.sram_bytes == costs(network_of(largest), options).sram_bytes
    assert (costs(network_of(largest), options).sram_bytes or 0) <= 128 * 1024
    assert (costs(network_of(largest + 32), options).sram_bytes or 0) > 128 * 1024
    assert max(built) >= largest + 32
    assert found.title.endswith("the largest multiple of 32 that fits")
