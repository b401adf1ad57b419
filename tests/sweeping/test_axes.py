"""Lists and ``all`` on the command line become targets and networks; what does not go together is named."""

from pathlib import Path

import pytest

from deploy.errors import BadInputError
from deploy.sweeping.axes import Unusable, sources, targets
from deploy.zoo.model_source import ModelSource


def test_all_npus_with_all_memory_modes_are_the_fifty_that_vela_can_compile() -> None:
    found, skipped = targets("all", memories="all")
    assert not skipped
    assert [(options.npu.name, options.memory_mode) for options in found[:2]] == [
        ("U55-32", "Sram_Only"),
        ("U55-32", "Shared_Sram"),
    ]
    assert len(found) == 4 * 2 + 2 * 6 + 5 * 6
    assert not any(options.memory_mode.startswith("Dedicated") for options in found if options.npu.family == "U55")


def test_without_lists_each_npu_stands_with_its_defaults() -> None:
    found, _ = targets("U55-128,u65-512,U55-128")
    assert [(options.npu.name, options.memory_mode) for options in found] == [
        ("U55-128", "Shared_Sram"),
        ("U65-512", "Dedicated_Sram_384KB"),
    ]


def test_a_combination_that_does_not_exist_is_named_with_its_reason_and_the_rest_stays() -> None:
    found, skipped = targets("U55-128,U65-256", memories="Dedicated_Sram", strategies="Performance,size")
    assert [(options.npu.name, options.optimise) for options in found] == [
        ("U65-256", "Performance"),
        ("U65-256", "Size"),
    ]
    (one,) = skipped
    assert (one.npu, one.what) == ("U55-128", "Dedicated_Sram")
    assert "cannot be written" in one.reason


def test_a_system_of_another_npu_is_left_out_by_name() -> None:
    found, skipped = targets("U55-64,U65-256", systems="Ethos_U55_Deep_Embedded", memories="all")
    assert {options.npu.name for options in found} == {"U55-64"}
    assert [(one.npu, one.what) for one in skipped] == [("U65-256", "Ethos_U55_Deep_Embedded")]


def test_all_systems_are_those_of_the_npu() -> None:
    found, skipped = targets("U55-64", systems="all")
    assert not skipped
    assert {options.system_config for options in found} == {
        "Ethos_U55_Deep_Embedded",
        "Ethos_U55_High_End_Embedded",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"npus": "U55-127"}, "no such NPU"),
        ({"npus": ","}, "names nothing"),
        ({"memories": "Shared_Sramm"}, "no such section"),
        ({"systems": "Ethos_U99"}, "no such section"),
        ({"strategies": "Fast"}, "choose Performance or Size"),
        ({"sram_limit": "much"}, "not a size"),
        ({"npus": "U55-32", "memories": "Dedicated_Sram"}, "no combination"),
    ],
)
def test_a_name_that_nothing_has_is_an_error(words: dict[str, str], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        targets(**words)  # type: ignore[arg-type]


def test_values_of_options_make_every_combination(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("def build(size=8, depth=1): ...\n")
    found = sources(f"{file}:build", ["depth=1,2"], "8,16")
    assert [source.assignments for source in found] == [
        ("depth=1", "size=8"),
        ("depth=1", "size=16"),
        ("depth=2", "size=8"),
        ("depth=2", "size=16"),
    ]


def test_an_option_that_is_a_mapping_keeps_its_commas_and_semicolons_separate_values() -> None:
    text = "models:multihead-mobilenetv3"
    (one,) = sources(text, ["heads=garment:10,kind:5"])
    assert one.assignments == ("heads=garment:10,kind:5",)
    two = sources(text, ["heads=garment:10,kind:5;kind:5"])
    assert [source.assignments for source in two] == [("heads=garment:10,kind:5",), ("heads=kind:5",)]


def test_one_network_that_cannot_be_does_not_take_the_others_with_it() -> None:
    found = sources("models:multihead-mobilenetv3", ["alpha=0.5,wide"])
    assert isinstance(found[0], ModelSource)
    assert isinstance(found[1], Unusable)
    assert "wide" in found[1].reason


def test_options_that_no_network_has_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="did you mean 'alpha'"):
        sources("models:multihead-mobilenetv3", ["alfa=1,2"])
    model = tmp_path / "model.tflite"
    model.write_bytes(b"")
    with pytest.raises(BadInputError, match="finished model"):
        sources(str(model), [], "96,128")
    with pytest.raises(BadInputError, match="stands twice"):
        sources("models:multihead-mobilenetv3", ["size=56"], "96")
    with pytest.raises(BadInputError, match="KEY=VALUE"):
        sources("models:multihead-mobilenetv3", ["size"])
    with pytest.raises(BadInputError, match="more than"):
        sources("models:multihead-mobilenetv3", ["size=" + ",".join(map(str, range(1001)))])
