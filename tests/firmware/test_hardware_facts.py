"""What the firmware's headers say of the NPU is what the Python side says: each number is compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.hardware.npu_events import NpuEvent
from deploy.hardware.npus import modelled
from deploy.npu import performance_counters, registers
from deploy.npu.architecture import Architecture
from deploy.npu.regions import region_config

FIRMWARE = Path(__file__).parents[2] / "firmware"


def defined(header: str, prefix: str) -> dict[str, int]:
    """Names without the prefix -> value, of the plain numbers that a header defines."""
    text = (FIRMWARE / header).read_text(encoding="utf-8")
    found = re.findall(rf"^#define {prefix}(\w+) (0x[0-9A-Fa-f]+)u$", text, re.MULTILINE)
    return {name: int(value, 16) for name, value in found}


def test_events_have_the_numbers_and_names_of_the_python_side() -> None:
    events = defined("ethosu_registers.h", "ETHOSU_EVENT_")
    assert len(events) == 4
    assert events == {name: NpuEvent[name].value for name in events}


def test_the_firmware_counts_events_that_have_a_name() -> None:
    text = (FIRMWARE / "npu_counters.c").read_text(encoding="utf-8")
    counted = re.findall(r"ETHOSU_EVENT_(\w+)", text)
    assert len(counted) == 4 and set(counted) <= {event.name for event in NpuEvent}


def test_registers_lie_where_the_register_model_has_them() -> None:
    same = {"QBASE_LO": "QBASE0", "QBASE_HI": "QBASE1"}
    offsets = {
        name: value
        for name, value in defined("ethosu_registers.h", "ETHOSU_").items()
        if not name.startswith("EVENT_")
    }
    assert len(offsets) > 10
    assert offsets == {name: getattr(registers, same.get(name, name)) for name in offsets}


def test_counters_lie_where_the_register_model_has_them() -> None:
    text = (FIRMWARE / "ethosu_registers.h").read_text(encoding="utf-8")
    found = re.findall(r"^#define ETHOSU_(PM\w+)(\(n\))? \(ETHOSU_PMU \+ (0x\w+)u", text, re.MULTILINE)
    offsets = {name + ("0" if several else ""): int(value, 16) for name, several, value in found}
    assert len(offsets) == 7
    assert offsets == {name: getattr(performance_counters, name) for name in offsets}


@pytest.mark.parametrize(("family", "macs"), [("U55", 128), ("U65", 256), ("U85", 256)])
def test_a_familys_header_says_what_the_python_side_says(family: str, macs: int) -> None:
    design = Architecture(family, macs).design
    header = f"ethosu_family_{design.instruction_set.lower()}.h"
    assert defined(header, "ETHOSU_")["PMU"] == design.registers.pmu
    text = (FIRMWARE / header).read_text(encoding="utf-8")
    set_up = {int(offset, 16) for offset in re.findall(r"\{ (0x\w+)u, ", text)}
    assert len(set_up) >= 4 and set_up <= set(design.registers.stored)
    arch = re.search(r"ARCH_MAJOR (\d)u", text)
    assert arch is not None and int(arch[1]) == design.id_word >> 28
    least, most = (re.search(rf"{which}_MACS (\d+)u", text) for which in ("MIN", "MAX"))
    assert least is not None and most is not None
    sizes = [npu.macs for npu in modelled() if Architecture(npu.family, npu.macs).design.id_word == design.id_word]
    assert (int(least[1]), int(most[1])) == (min(sizes), max(sizes))


def test_the_drivers_regioncfg_is_that_of_a_shared_sram() -> None:
    assert defined("ethosu_driver.h", "ETHOSU_")["REGIONCFG_DEFAULT"] == region_config() == 0x5553
    assert region_config(dedicated=True) == 0x555B
