"""Hints from one trial: their figures are Vela's, and only what wins something becomes one."""

import dataclasses

import pytest
from advising.small_networks import SmallNetwork

from deploy.advising import quick
from deploy.advising.documents import Costs, Hint, ordered
from deploy.advising.full import Deadline
from deploy.advising.quick import candidates, quick_hints, telling
from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions, compile_options
from deploy.compiling.compiler import VELA, Compiler
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.processes.supervisor import Ended, run
from deploy.tflite import Model
from deploy.tflite.graph import Graph


def options_of(npu: str = "U55-128") -> CompileOptions:
    return compile_options(npu_named(npu))


def hints_of(model: Model, npu: str = "U55-128") -> dict[str, Hint]:
    found = quick_hints(candidates(Graph(model)), options_of(npu), optimize="deploy optimize it")
    return {hint.title: hint for hint in found}


def cycles_of(model: Model, *operators: int) -> int:
    """What Vela estimates of some operators of a small network that is compiled by itself."""
    layers = VELA.compile(model, options_of()).layers
    return sum(layer.number("Op Cycles") for layer in layers if layer.source_operator in operators)


def test_channels_cost_what_networks_with_these_channels_cost() -> None:
    """The figures of a hint are those of separate compilations of the one operator behind another one."""
    net = SmallNetwork((1, 24, 24, 8))
    x = net.convolution(net.convolution(net.x, 17), 33)
    hint = hints_of(net.model(net.mean(net.convolution(x, 16))))[
        "17 channels where 16 would do and 33 channels where 32 would do"
    ]
    separate = []
    for taken, given in ((17, 33), (16, 32)):
        one = SmallNetwork((1, 24, 24, taken))
        separate.append(cycles_of(one.model(one.convolution(one.unary("LOGISTIC", one.x), given)), 1))
    assert [hint.present.cycles, hint.changed.cycles] == pytest.approx(separate, rel=0.01)
    assert hint.saved("cycles") > 0.1 * separate[0]
    assert (hint.places, hint.outputs, hint.label) == (1, "needs retraining", "estimate")
    assert hint.source == f"Vela {vela.version()}, these operators alone in Shared_Sram"


def test_swish_is_held_against_hard_swish_and_places_of_one_kind_are_one_hint() -> None:
    net = SmallNetwork((1, 16, 16, 3))
    x = net.x
    for _ in range(2):
        x = net.convolution(x, 8)
        x = net.multiplied(x, net.unary("LOGISTIC", x))
    hint = hints_of(net.model(net.convolution(x, 8)))["swish, which is LOGISTIC and MUL"]
    cycles = []
    for channels in (3, 8):
        one, other = SmallNetwork((1, 16, 16, channels)), SmallNetwork((1, 16, 16, channels))
        x, y = (each.convolution(each.unary("TANH", each.x), 8) for each in (one, other))
        before = cycles_of(one.model(one.multiplied(x, one.unary("LOGISTIC", x))), 1, 2, 3)
        after = cycles_of(other.model(other.unary("HARD_SWISH", y, scale=0.05, zero=3)), 1, 2)
        cycles.append((before, after))
    # What stands before an operator hides more or less of the time in which its weights are fetched.
    expected = [sum(column) for column in zip(*cycles, strict=True)]
    assert [hint.present.cycles, hint.changed.cycles] == pytest.approx(expected, rel=0.15)
    assert (hint.places, hint.operators) == (2, ("CONV_2D", "LOGISTIC", "MUL"))


def test_a_softmax_at_an_output_is_worth_what_it_costs_behind_the_operator_before_it() -> None:
    net = SmallNetwork((1, 64, 64, 2))
    model = net.model(net.softmax(net.convolution(net.x, 2)))
    hint = hints_of(model)["softmax as the last operator"]
    assert hint.saved("cycles") == pytest.approx(cycles_of(model, 1), rel=0.01)
    assert hint.saved("cycles") > 10_000
    assert "host" in hint.action


def test_a_sigmoid_is_worth_what_the_operator_before_it_takes_longer_for_it() -> None:
    net, bare = SmallNetwork((1, 32, 32, 8)), SmallNetwork((1, 32, 32, 8))
    model = net.model(net.unary("LOGISTIC", net.convolution(net.x, 16)))
    hint = hints_of(model)["sigmoid as the last operator"]
    without = bare.model(bare.convolution(bare.x, 16))
    assert (hint.present.cycles, hint.changed.cycles) == (cycles_of(model, 0, 1), cycles_of(without, 0))


def test_float_inputs_are_an_operator_on_the_cpu_and_come_first() -> None:
    net = SmallNetwork((1, 16, 16, 3), "float32")
    found = list(hints_of(net.model(net.mean(net.convolution(net.x, 17)))).values())
    assert found[0].title == "float32 input, int8 inside"
    assert (found[0].present.cpu_operators, found[0].changed.cpu_operators) == (1, 0)
    assert found == sorted(found, key=lambda hint: hint.rank)


def test_bilinear_by_four_leaves_the_cpu_in_two_steps() -> None:
    net = SmallNetwork((1, 8, 8, 16))
    hint = hints_of(net.model(net.convolution(net.resized(net.convolution(net.x, 16), 32, 32), 8)))[
        "bilinear resizing by 4"
    ]
    assert (hint.present.cpu_operators, hint.changed.cpu_operators) == (1, 0)


def test_no_hint_is_made_of_what_wins_nothing() -> None:
    """Conversions that read faster than what reads without them, channels that cost no more: no hints."""
    net = SmallNetwork((1, 32, 32, 3), "uint8")
    x = net.convolution(net.convolution(net.x, 8), 25, kernel=1)
    model = net.model(net.mean(net.convolution(x, 8)))
    found = candidates(Graph(model))
    assert found.sites and found.suggestions
    for npu in ("U55-32", "U55-256", "U65-256"):
        for hint in quick_hints(found, options_of(npu), optimize="it"):
            assert hint.worthwhile
            assert hint.saved("cpu_operators") > 0 or hint.saved("cycles") > 0


def hint_of(present: Costs, changed: Costs, value: tuple[int, int] | None = None) -> Hint:
    return Hint(
        kind="memory",
        title="it",
        present=present,
        changed=changed,
        source="by hand",
        action="do",
        outputs="exact",
        value=value,
    )


def test_hints_that_win_nothing_are_left_out_and_the_rest_ordered() -> None:
    now = Costs(cpu_operators=1, cycles=1000, sram_bytes=500)
    moved = hint_of(now, Costs(cpu_operators=0, cycles=1500, sram_bytes=500))
    faster = hint_of(now, Costs(cpu_operators=1, cycles=400, sram_bytes=600))
    smaller = hint_of(now, Costs(cpu_operators=1, cycles=1100, sram_bytes=100))
    larger_input = hint_of(Costs(sram_bytes=500), Costs(sram_bytes=900), (96, 128))
    nothing = [
        hint_of(now, now),
        hint_of(now, Costs(cpu_operators=1, cycles=1001, sram_bytes=500)),
        hint_of(now, Costs(cpu_operators=2, cycles=10, sram_bytes=5)),
        hint_of(Costs(sram_bytes=500), Costs(sram_bytes=500), (96, 96)),
        hint_of(Costs(cycles=9, flash_bytes=500), Costs(cycles=9, flash_bytes=0)),  # in another memory mode
    ]
    assert ordered([*nothing, smaller, faster, larger_input, moved]) == (moved, faster, larger_input, smaller)


def test_hints_about_next_to_nothing_of_the_network_are_not_told() -> None:
    small = hint_of(Costs(cpu_operators=0, cycles=500), Costs(cpu_operators=0, cycles=100))
    assert telling([small], Costs(cycles=1_000_000)) == ()
    assert telling([small], Costs(cycles=100_000)) == (small,)


def test_without_candidates_vela_does_not_run() -> None:
    def refuses(*_arguments: object, **_options: object) -> Ended:
        raise AssertionError("nothing to run")

    net = SmallNetwork((1, 8, 8, 16))
    found = candidates(net.graph(net.convolution(net.x, 64)))
    assert not found
    assert quick_hints(found, options_of(), optimize="it", compiler=Compiler(refuses)) == ()


def test_a_graph_that_is_too_large_to_look_through_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "_MOST_OPERATORS", 1)
    net = SmallNetwork((1, 8, 8, 3))
    graph = net.graph(net.mean(net.convolution(net.x, 8)))
    with pytest.raises(BadInputError, match="2 operators are more than the 1"):
        candidates(graph)


def test_operators_that_read_what_comes_after_them_are_refused() -> None:
    net = SmallNetwork((1, 8, 8, 3))
    graph = net.graph(net.unary("TANH", net.convolution(net.x, 8)))
    tanh = graph.nodes[1]
    graph.nodes[1] = dataclasses.replace(tanh, code="RESHAPE", inputs=tanh.outputs)
    with pytest.raises(BadInputError, match="order"):
        candidates(graph)


def test_when_the_time_is_over_nothing_is_started_any_more() -> None:
    limit = Deadline(run, 0)
    net = SmallNetwork((1, 8, 8, 3))
    found = candidates(net.graph(net.softmax(net.mean(net.convolution(net.x, 8)))))
    assert found
    assert quick_hints(found, options_of(), optimize="it", compiler=Compiler(limit.run)) == ()
