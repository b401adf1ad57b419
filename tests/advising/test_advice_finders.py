"""The finders of hints find what they should, and nothing beside it."""

import pytest
from advising.small_networks import SmallNetwork

from deploy.advising.activations import swishes
from deploy.advising.borders import border_conversions, conversions, host_functions, last_functions, without
from deploy.advising.channels import fewer, odd_channels
from deploy.advising.resizes import resizes

IMAGE = (1, 8, 8, 3)


def test_a_softmax_that_only_the_host_reads_is_found_through_conversions() -> None:
    net = SmallNetwork(IMAGE)
    scores = net.softmax(net.mean(net.convolution(net.x, 8)))
    (suggestion,) = host_functions(net.graph(net.requantized(scores)))
    assert [node.code for node in suggestion.site.nodes] == ["MEAN", "SOFTMAX"]
    assert suggestion.twin is not None
    assert [node.code for node in suggestion.twin.nodes] == ["MEAN"]
    assert (suggestion.kind, suggestion.outputs) == ("on the host", "interface changes")


def test_a_softmax_that_the_network_goes_on_with_is_not_found() -> None:
    net = SmallNetwork(IMAGE)
    gates = net.softmax(net.convolution(net.x, 8))
    assert not list(host_functions(net.graph(net.mean(gates)))), "read by another operator"
    net = SmallNetwork(IMAGE)
    gates = net.softmax(net.convolution(net.x, 8))
    assert not list(host_functions(net.graph(gates, net.mean(gates)))), "an output, but read by another one, too"


def test_a_network_that_is_a_softmax_alone_keeps_it() -> None:
    net = SmallNetwork((1, 10))
    assert not list(host_functions(net.graph(net.softmax(net.x))))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_conversions_at_inputs_and_outputs_are_found_with_the_operator_inside(dtype: str) -> None:
    net = SmallNetwork(IMAGE, dtype)
    graph = net.graph(net.requantized(net.mean(net.convolution(net.x, 8)), dtype))
    first, last = border_conversions(graph)
    assert [node.code for node in first.site.nodes] == ["QUANTIZE", "CONV_2D"]
    assert [node.code for node in last.site.nodes] == ["MEAN", "QUANTIZE" if dtype == "uint8" else "DEQUANTIZE"]
    for suggestion, left in ((first, "CONV_2D"), (last, "MEAN")):
        assert suggestion.twin is not None
        assert [node.code for node in suggestion.twin.nodes] == [left]
    assert first.title == f"{dtype} input, int8 inside"


def test_a_conversion_whose_result_several_read_stands_alone() -> None:
    net = SmallNetwork(IMAGE, "uint8")
    both = net.multiplied(net.convolution(net.x, 8), net.convolution(net.x, 8, kernel=1))
    (suggestion,) = border_conversions(net.graph(both))
    assert [node.code for node in suggestion.site.nodes] == ["QUANTIZE"]
    assert suggestion.twin is None


def test_a_conversion_to_another_scale_is_none_of_types_only() -> None:
    net = SmallNetwork(IMAGE)
    assert not list(border_conversions(net.graph(net.requantized(net.convolution(net.x, 8), offset=100))))


def test_a_model_without_its_conversions_keeps_names_and_order() -> None:
    net = SmallNetwork(IMAGE, "uint8")
    inner = net.convolution(net.x, 8)
    model = net.model(net.requantized(net.mean(inner)), net.mean(net.convolution(inner, 4)))
    bare = without(model, conversions)
    assert [operator.code for operator in bare.operators] == ["CONV_2D", "MEAN", "CONV_2D", "MEAN"]
    assert list(bare.input_names().values()) == ["image"]
    assert list(bare.output_names().values()) == ["out0", "out1"]
    assert [tensor.dtype for tensor in (*bare.input_tensors, *bare.output_tensors)] == ["int8"] * 3
    assert [tensor.shape for tensor in bare.output_tensors] == [(1, 8), (1, 4)]


def test_a_model_without_its_last_function_gives_the_logits() -> None:
    net = SmallNetwork(IMAGE)
    logits = net.mean(net.convolution(net.x, 8))
    bare = without(net.model(net.softmax(logits)), last_functions)
    assert bare.outputs and bare.output_tensors[0].quantization == net.graph(logits).tensors[logits].quantization


def test_swish_is_found_whichever_way_round_it_is_multiplied() -> None:
    for swapped in (False, True):
        net = SmallNetwork(IMAGE)
        x = net.convolution(net.x, 8)
        gate = net.unary("LOGISTIC", x)
        (suggestion,) = swishes(net.graph(net.multiplied(*((gate, x) if swapped else (x, gate)))))
        assert [node.code for node in suggestion.site.nodes] == ["CONV_2D", "LOGISTIC", "MUL"]
        assert suggestion.twin is not None
        assert [node.code for node in suggestion.twin.nodes] == ["CONV_2D", "HARD_SWISH"]


def test_a_swish_of_what_others_read_too_stands_alone() -> None:
    net = SmallNetwork(IMAGE)
    x = net.convolution(net.x, 8)
    swish = net.multiplied(x, net.unary("LOGISTIC", x))
    (suggestion,) = swishes(net.graph(swish, net.convolution(x, 4)))
    assert [node.code for node in suggestion.site.nodes] == ["LOGISTIC", "MUL"]


def test_a_gate_of_something_else_or_one_that_is_used_twice_is_no_swish() -> None:
    net = SmallNetwork(IMAGE)
    x, y = net.convolution(net.x, 8), net.convolution(net.x, 8, kernel=1)
    assert not list(swishes(net.graph(net.multiplied(y, net.unary("LOGISTIC", x)))))
    net = SmallNetwork(IMAGE)
    x = net.convolution(net.x, 8)
    gate = net.unary("LOGISTIC", x)
    assert not list(swishes(net.graph(net.multiplied(x, gate), gate)))


@pytest.mark.parametrize(
    ("channels", "wanted"), [(16, 16), (17, 16), (18, 16), (20, 20), (24, 24), (25, 24), (36, 32), (9, 8), (7, 7)]
)
def test_channels_are_rounded_down_where_little_is_lost(channels: int, wanted: int) -> None:
    assert fewer(channels) == wanted


def test_odd_channels_inside_are_found_and_their_twin_has_fewer() -> None:
    net = SmallNetwork(IMAGE)
    x = net.convolution(net.convolution(net.x, 17), 17, depthwise=True)
    graph = net.graph(net.mean(net.convolution(x, 32)))
    suggestions = list(odd_channels(graph))
    assert [suggestion.site.nodes[0].code for suggestion in suggestions] == [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "CONV_2D",
    ]
    assert {suggestion.title for suggestion in suggestions} == {"17 channels where 16 would do"}
    shapes = []
    for suggestion in suggestions:
        assert suggestion.twin is not None
        (node,) = suggestion.twin.nodes
        shapes.append(tuple(graph.tensors[index].shape for index in (*node.inputs, *node.outputs)))
        kernel = graph.tensors[node.inputs[1]].quantization
        assert kernel is not None and len(kernel.scales) == graph.tensors[node.outputs[0]].shape[3]
    assert shapes == [
        ((1, 8, 8, 3), (16, 3, 3, 3), (16,), (1, 8, 8, 16)),
        ((1, 8, 8, 16), (1, 3, 3, 16), (16,), (1, 8, 8, 16)),
        ((1, 8, 8, 16), (32, 3, 3, 16), (32,), (1, 8, 8, 32)),
    ]


def test_channels_of_the_networks_own_inputs_and_outputs_are_not_to_be_changed() -> None:
    net = SmallNetwork((1, 8, 8, 17))
    assert not list(odd_channels(net.graph(net.softmax(net.mean(net.convolution(net.x, 17))))))


def test_bilinear_resizing_that_can_be_had_cheaper_is_found() -> None:
    for size, forms in ((32, ["2 times by 2"]), (64, ["3 times by 2"]), (4, ["2x2 average pool"]), (16, [])):
        net = SmallNetwork((1, 8, 8, 16))
        # Resizing keeps scale and zero point, so it reads what has those of its result.
        x = net.convolution(net.x, 16)
        suggestions = list(resizes(net.graph(net.resized(x, size, size))))
        assert [form.name for suggestion in suggestions for form in suggestion.site.forms] == forms


def test_a_half_without_half_pixel_centres_takes_every_other_pixel_and_is_no_average() -> None:
    net = SmallNetwork((1, 8, 8, 16))
    x = net.convolution(net.x, 16)
    assert not list(resizes(net.graph(net.resized(x, 4, 4, half_pixel_centers=False))))
