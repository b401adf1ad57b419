import pytest

from deploy.corstone.listings import format_table
from deploy.corstone.parameters import (
    Assignment,
    check_parameters,
    parameter_table,
    parse_value,
    warnings,
)
from deploy.corstone.stand_in import stand_in
from deploy.errors import BadInputError

NAME = "FVP_MPS3_Corstone_SSE_300"
MODEL = stand_in()
U55 = parameter_table("corstone-300", "U55")


def test_macs_are_limited_to_what_each_family_has():
    assert check_parameters([Assignment("ethosu.num_macs", "0x40")], U55, MODEL) == {"ethosu.num_macs": 64}
    with pytest.raises(BadInputError, match="32, 64, 128, 256"):
        check_parameters([Assignment("ethosu.num_macs", "512")], U55, MODEL)
    assert check_parameters(
        [Assignment("ethosu.num_macs", "512")], parameter_table("corstone-300", "U65"), MODEL
    ) == {"ethosu.num_macs": 512}


def test_an_unknown_parameter_is_refused_and_the_nearest_one_named():
    with pytest.raises(BadInputError, match=r"unknown parameter 'ethosu.num_mac'") as caught:
        check_parameters([Assignment("ethosu.num_mac", "64")], U55, MODEL)
    assert "did you mean ethosu.num_macs?" in caught.value.hints


def test_the_name_of_the_whole_model_may_stand_in_front():
    name = f"{NAME}.mps3_board.uart0.out_file"
    assert check_parameters([Assignment(name, "x")], U55, MODEL) == {"mps3_board.uart0.out_file": "x"}


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
        ("cpu0.SECEXT", "0"),
        ("cpu0.BIGENDINIT", "1"),
        ("cpu0.MVE", "3"),
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
    words = [Assignment("mps3_board.smsc_91c111.enabled", "1"), Assignment("mps3_board.v_path", "''")]
    assert warnings(check_parameters(words, U55, MODEL), U55, MODEL) == [
        "parameter 'mps3_board.smsc_91c111.enabled': the Ethernet controller is not modelled"
    ]
