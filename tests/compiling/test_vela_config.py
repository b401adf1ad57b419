"""Names and combinations are checked against Vela's own configuration file, before Vela runs."""

import pytest

from deploy.compiling.vela_config import check_combination, installed_config
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named, npus


def test_every_npu_has_defaults_that_exist_and_go_together() -> None:
    for npu in npus().values():
        check_combination(npu, npu.system_config, npu.memory_mode)


def test_inherited_sections_are_resolved() -> None:
    config = installed_config()
    assert config.cache_bytes("Dedicated_Sram_384KB") == 384 * 1024
    assert config.cache_bytes("Shared_Sram") is None
    assert config.arena_memory("Ethos_U65_High_End", "Dedicated_Sram_384KB") == "Dram"
    assert config.weight_memory("Ethos_U55_High_End_Embedded", "Shared_Sram") == "OffChipFlash"
    assert config.weight_memory("Ethos_U55_High_End_Embedded", "Sram_Only") == "Sram"


@pytest.mark.parametrize("system", ["Ethos_U55_High_End_Embedded", "Ethos_U55_Deep_Embedded"])
@pytest.mark.parametrize("memory", ["Dedicated_Sram", "Dedicated_Sram_256KB"])
def test_dedicated_sram_on_u55_is_refused_with_what_fits(system: str, memory: str) -> None:
    with pytest.raises(BadInputError, match="arena would lie in OffChipFlash") as caught:
        check_combination(npu_named("U55-128"), system, memory)
    assert "Sram_Only or Shared_Sram" in caught.value.hints[0]


@pytest.mark.parametrize(
    ("npu", "system", "memory", "message", "hint"),
    [
        ("U55-128", "Ethos_U55_High_End_Embeded", "Shared_Sram", "no such section", "mean Ethos_U55_High_End_Emb"),
        ("U55-128", "Ethos_U65_High_End", "Shared_Sram", "describes another NPU", "Ethos_U55_Deep_Embedded"),
        ("U65-256", "Ethos_U65_High_End", "Dedicated_Sram_385KB", "no such section", "Dedicated_Sram_384KB?"),
        ("U65-256", "Ethos_U65_Embedded", "Dedicated_Sram", "cannot be written", "Shared_Sram"),
    ],
)
def test_wrong_names_and_combinations_are_refused(
    npu: str, system: str, memory: str, message: str, hint: str
) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        check_combination(npu_named(npu), system, memory)
    assert hint in caught.value.hints[0]
