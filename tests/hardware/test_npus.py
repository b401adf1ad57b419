"""What npus.toml says of each NPU is what its sources say: Vela's tables, configuration file and payloads."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.chatter import silenced
from deploy.compiling.vela_config import memory_system
from deploy.errors import BadInputError
from deploy.hardware.designs import Design, U55Design, U85Design, design_of
from deploy.hardware.npus import families, listed, modelled, npu_named, npus
from deploy.npu import Architecture, architecture_of, parse_payload

MODELLED = [npu.name for npu in modelled()]


def velas(name: str) -> Any:
    """Vela's own description of an NPU."""
    from ethosu.vela.architecture_features import Accelerator, create_default_arch

    return create_default_arch(Accelerator(npus()[name].accelerator))


U55_AND_U65 = [npu.name for npu in npus().values() if npu.family != "U85"]


def design(name: str) -> Design:
    found = design_of(npus()[name])
    assert found is not None
    return found


def u55_design(name: str) -> U55Design:
    found = design(name)
    assert isinstance(found, U55Design)
    return found


def test_there_are_the_npus_that_vela_knows_and_no_others() -> None:
    from ethosu.vela.architecture_features import Accelerator

    assert [npu.accelerator for npu in npus().values()] == Accelerator.member_list()
    assert all(name == npu.name == f"{npu.family}-{npu.macs}" for name, npu in npus().items())


def test_the_npus_of_a_family_are_told_in_few_words() -> None:
    assert listed() == "U55-32 to U55-256, U65-256, U65-512, U85-128 to U85-2048"
    assert listed(modelled()) == listed()
    assert listed(npus()[name] for name in U55_AND_U65) == "U55-32 to U55-256, U65-256, U65-512"
    assert families(npus().values()) == ("U55", "U65", "U85")
    assert families(npus()[name] for name in U55_AND_U65) == ("U55", "U65")


SPELLINGS = ["u55-128", " U55-128 ", "Ethos-U55-128", "ethos-u55-128", "u55_128", "ethos_u55_128", "U55/128"]
SPELLINGS += [
    "U55 128",
    "U55:128",
    "u55.128",
    "EthosU55-128",
    "Ethos U55 128",
    "U55128",
    "U55-H128",
    "U55-128 MACs",
]


@pytest.mark.parametrize("name", SPELLINGS)
def test_an_npu_is_found_however_it_is_written(name: str) -> None:
    assert npu_named(name).name == "U55-128"


def test_every_npu_is_found_by_velas_name_for_it() -> None:
    assert [npu_named(npu.accelerator) for npu in npus().values()] == list(npus().values())


def hint(name: str) -> str:
    with pytest.raises(BadInputError, match="--npu") as caught:
        npu_named(name)
    [hint] = caught.value.hints
    return hint


def test_a_size_that_a_family_does_not_have_is_answered_with_its_sizes_and_with_who_has_it() -> None:
    assert hint("U55-512") == (
        "Ethos-U55 comes as U55-32, U55-64, U55-128, U55-256; U65-512 and U85-512 have 512 multipliers"
    )
    assert hint("ethos_u65_1") == "Ethos-U65 comes as U65-256, U65-512"
    assert hint("U85") == "Ethos-U85 comes as U85-128, U85-256, U85-512, U85-1024, U85-2048"


def test_several_npus_are_for_the_verb_that_compares_them() -> None:
    assert hint("U55-64,U55-128") == "deploy sweep MODEL --npu U55-64,U55-128 compares several"
    assert hint("all") == "deploy sweep MODEL --npu all compares several"


@pytest.mark.parametrize(
    "name", ["", "U", "U99-128", "ethos", "128", "U55-" + "9" * 5000, "U55-\N{SUPERSCRIPT TWO}"]
)
def test_whatever_is_no_npu_is_refused_with_those_that_are(name: str) -> None:
    assert "U55-128" in hint(name)


def test_an_unknown_npu_is_refused_with_the_nearest_and_all() -> None:
    with pytest.raises(BadInputError, match="--npu U55-127") as caught:
        npu_named("U55-127")
    assert "did you mean U55-128?" in caught.value.hints[0] and "U85-2048" in caught.value.hints[0]


@pytest.mark.parametrize("name", U55_AND_U65)
def test_units_of_work_memories_and_ports_are_those_of_velas_tables(name: str) -> None:
    ours, theirs = u55_design(name), velas(name)
    assert npus()[name].macs == ours.macs == theirs.config.macs * theirs.ncores
    assert (ours.cores, ours.shram_kb) == (theirs.ncores, theirs.shram_size_bytes // 1024)
    for found, block in ((ours.ofm_ublock, theirs.ofm_ublock), (ours.ifm_ublock, theirs.ifm_ublock)):
        assert found == (block.height, block.width, block.depth)
    assert 1 << ours.address_bits == theirs.max_address_offset


@pytest.mark.parametrize("name", U55_AND_U65)
def test_rates_of_the_output_unit_are_those_of_velas_tables(name: str) -> None:
    rates, theirs = u55_design(name).output, velas(name)
    unary32, binary32, multiply32, multiply, _, add, maximum, other = theirs.output_cycles_per_elem
    assert (rates.unary32, rates.binary32, rates.multiply32, rates.multiply) == (
        unary32,
        binary32,
        multiply32,
        multiply,
    )
    assert (rates.add, rates.maximum, rates.other) == (add, maximum, other)
    assert (rates.table, rates.clamp) == theirs.activation_cycles_per_elem[:2]


@pytest.mark.parametrize("name", MODELLED)
def test_memories_are_those_of_the_default_configuration(name: str) -> None:
    npu = npus()[name]
    assert design(name).memories == memory_system(npu, npu.system_config, npu.memory_mode)


@pytest.fixture(scope="module")
def addition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of one operator, which every NPU takes."""
    graph = GraphWriter()
    first, second, total = (graph.tensor(name, (1, 8, 8, 16), "int8", 0.5) for name in "abc")
    graph.operator("ADD", [first, second], [total], schema.AddOptionsT())
    path = tmp_path_factory.mktemp("addition") / "addition.tflite"
    path.write_bytes(graph.finish({"a": first, "b": second}, {"c": total}))
    return path


@pytest.mark.parametrize("name", npus())
def test_config_words_are_the_ones_that_vela_writes(name: str, addition: Path, tmp_path: Path) -> None:
    from ethosu.vela import vela

    npu = npus()[name]
    words = [str(addition), "--accelerator-config", npu.accelerator, "--output-dir", str(tmp_path)]
    with silenced(), contextlib.suppress(SystemExit):
        vela.main(words)
    model = tflite.read(tmp_path / "addition_vela.tflite")
    stream = model.tensors[model.operators[0].inputs[0]].data
    assert stream is not None
    payload = parse_payload(stream.tobytes())
    assert payload.config_word == npu.config_word
    if npu.family == "U85":
        assert payload.id_word == design(name).id_word
    assert architecture_of(npu.config_word) == Architecture(npu.family, npu.macs)


@pytest.mark.parametrize("name", npus())
def test_the_fields_of_a_config_word_agree_with_what_else_is_said_of_the_npu(name: str) -> None:
    npu = npus()[name]
    assert 1 << (npu.config_word & 0xF) == npu.macs
    assert npu.config_word >> 28 == families(npus().values()).index(npu.family)
    built = design(name)
    assert npu.modelled
    if isinstance(built, U85Design):
        assert 1 << (npu.config_word >> 12 & 3) == built.cores
        # Each unit of work is what all MAC units do at once, eight input channels deep.
        assert {height * width * depth * 8 for height, width, depth in built.ofm_ublocks} == {npu.macs}
    else:
        assert npu.config_word >> 8 & 0xFF == built.shram_kb * built.cores
