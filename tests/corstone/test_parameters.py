import pytest

from deploy.corstone.parameters import (
    absent_hardware,
    check_parameters,
    format_table,
    parameter_table,
    parse_value,
)
from deploy.errors import BadInputError

NAME = "FVP_MPS3_Corstone_SSE_300"
U55 = parameter_table("corstone-300", "U55")


def test_macs_are_limited_to_what_each_family_has():
    assert check_parameters([("ethosu.num_macs", "0x40")], U55, NAME) == {"ethosu.num_macs": 64}
    with pytest.raises(BadInputError, match="32, 64, 128, 256"):
        check_parameters([("ethosu.num_macs", "512")], U55, NAME)
    assert check_parameters([("ethosu.num_macs", "512")], parameter_table("corstone-300", "U65"), NAME) == {
        "ethosu.num_macs": 512
    }


def test_an_unknown_parameter_is_refused_and_the_nearest_one_named():
    with pytest.raises(BadInputError, match=r"unknown parameter 'ethosu.num_mac'") as caught:
        check_parameters([("ethosu.num_mac", "64")], U55, NAME)
    assert "did you mean ethosu.num_macs?" in caught.value.hints


def test_the_name_of_the_whole_model_may_stand_in_front():
    name = f"{NAME}.mps3_board.uart0.out_file"
    assert check_parameters([(name, "x")], U55, NAME) == {"mps3_board.uart0.out_file": "x"}


@pytest.mark.parametrize("text", ["-", "'-'", '"-"'])
def test_quotes_around_a_text_are_dropped_as_scripts_leave_them_on(text):
    assert parse_value(U55["mps3_board.uart0.out_file"], text) == "-"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("0", False), ("False", False)])
def test_booleans_are_read(text, value):
    assert parse_value(U55["mps3_board.uart0.shutdown_on_eot"], text) is value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mps3_board.uart0.shutdown_on_eot", "2"),
        ("cpu0.CFGITCMSZ", "many"),
        ("cpu0.CFGITCMSZ", "16"),
        ("mps3_board.telnetterminal0.start_port", "65536"),
        ("cpu0.FPU", "0"),
        ("cpu0.MVE", "1"),
        ("mps3_board.telnetterminal0.mode", "serial"),
    ],
)
def test_values_that_are_wrong_or_not_modelled_are_refused(name, text):
    with pytest.raises(BadInputError, match=name):
        parse_value(U55[name], text)


def test_the_listing_names_every_parameter_with_its_default():
    listing = format_table(U55)
    assert all(any(line.startswith(f"{name}=") for line in listing.splitlines()) for name in U55)
    assert "ethosu.num_macs=0x80" in listing


def test_hardware_that_is_absent_is_a_warning_as_most_programs_do_without():
    values = check_parameters([("mps3_board.smsc_91c111.enabled", "1"), ("mps3_board.v_path", "''")], U55, NAME)
    assert absent_hardware(values, U55) == [
        "parameter 'mps3_board.smsc_91c111.enabled': the Ethernet controller is not modelled"
    ]
