from deploy.hardware.npu_events import NpuEvent, event_title


def test_the_numbers_are_the_ones_of_velas_register_description() -> None:
    from ethosu.vela.ethos_u55_regs.ethos_u55_regs import pmu_event_type

    assert {event.name: event.value for event in NpuEvent} == {
        event.name: pmu_event_type[event.name].value for event in NpuEvent
    }


def test_every_event_has_a_name_in_reports_and_an_unknown_one_its_number() -> None:
    assert event_title(0x23) == "NPU ACTIVE"
    assert event_title(0x11) == "NPU CYCLE"
    assert event_title(0x187) == "AXI1 WR DATA BEAT WRITTEN"
    assert event_title(0x99) == "NPU EVENT 0x99"
