"""What the firmware's headers say of the NPU is what the Python side says: each number is compared."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.hardware.npu_events import NpuEvent
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
    pmu = Architecture("U55", 128).design.registers.pmu
    assert len(offsets) > 15
    assert offsets == {
        name: pmu + getattr(performance_counters, name)
        if name.startswith("PM")
        else getattr(registers, same.get(name, name))
        for name in offsets
    }


def test_the_drivers_regioncfg_is_that_of_a_shared_sram() -> None:
    assert defined("ethosu_driver.h", "ETHOSU_")["REGIONCFG_DEFAULT"] == region_config() == 0x5553
    assert region_config(dedicated=True) == 0x555B
