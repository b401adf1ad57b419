from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deploy.corstone.command_line import parse_options
from deploy.corstone.file_arguments import DataLoad, Dump
from deploy.corstone.listings import format_table
from deploy.corstone.parameters import parameter_table
from deploy.corstone.stand_in import named
from deploy.errors import BadInputError


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "model, with=odd@name.tflite"
    path.write_bytes(b"x" * 100)
    return path


def test_a_command_line_as_mlia_writes_it_is_understood(data):
    options = parse_options(
        [
            *("-a", "runner.axf", "--data", f"{data}@0x90000000", "-C", "ethosu.num_macs=256"),
            *("-C", "mps3_board.telnetterminal0.start_telnet=0", "-C", "mps3_board.uart0.out_file='-'"),
            *(
                "-C",
                "mps3_board.uart0.shutdown_on_eot=1",
                "-C",
                "mps3_board.visualisation.disable-visualisation=1",
            ),
            "--stat",
        ]
    )
    assert options.applications == (Path("runner.axf"),)
    assert options.data == (DataLoad(data, 0x90000000),)
    assert options.macs == 256
    assert options.stat
    uart = options.uart(0)
    assert (uart.out_file, uart.shutdown_on_eot, uart.port) == ("-", True, None)


def test_every_spelling_of_the_application_means_the_same():
    spellings = (
        ["-a", "x.axf"],
        ["-acpu0=x.axf"],
        ["--application", "cpu0=x.axf"],
        ["--application=x.axf"],
        ["x.axf", "-q"],
    )
    assert {parse_options(words).applications for words in spellings} == {(Path("x.axf"),)}


def test_data_and_dump_take_their_instance_and_memory_space_or_not(data, tmp_path):
    options = parse_options(
        [
            *("--data", f"cpu0={data}@Memory:0x92000000"),
            *("--data", f"{data}@0x11000000"),
            *("--dump", f"cpu0={tmp_path}/out.bin@Memory:0x93000000,16"),
        ]
    )
    assert options.data == (DataLoad(data, 0x92000000), DataLoad(data, 0x11000000))
    assert options.dumps == (Dump(tmp_path / "out.bin", 0x93000000, 16),)


def test_a_number_with_leading_zeros_is_decimal(tmp_path):
    assert parse_options(["--dump", f"{tmp_path}/x@0x60000000,010"]).dumps[0].size == 10


@pytest.mark.parametrize("address", ["0x40000000", "0xdfffffff", "0x101fffff", "0x100000000", "0x0fffffff"])
def test_data_outside_of_every_memory_is_refused(data, address):
    with pytest.raises(BadInputError, match="do not lie in one of"):
        parse_options(["--data", f"{data}@{address}"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bogus"], "bogus"),
        (["-C", "ethosu.num_macs"], "instance.parameter=value"),
        (["--data", "nothing@0x90000000"], "No such file"),
        (["--data", "nothing"], "not of the form"),
        (["--dump", "x@0x90000000"], "not of the form"),
        (["--dump", "x@0x90000000,0"], "nothing to write"),
        (["--dump", "x@" + "9" * 5000 + ",1"], "not of the form"),
        (["--dump", "no/such/folder/x@0x90000000,1"], "no folder"),
        (["--timelimit", "0"], "seconds above 0"),
        (["--timelimit", "nan"], "seconds above 0"),
        (["--simlimit", "soon"], "seconds above 0"),
        (["--cyclelimit", "1.5"], "whole number"),
        (["--npu-family", "U85"], "U55 and U65"),
        (["--gdb", "70000"], "not a TCP port"),
        (["-f", "no/such/file"], "cannot be read"),
    ],
)
def test_wrong_words_are_refused_with_a_message(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match=message):
        parse_options(words)


def test_a_config_file_holds_one_parameter_a_line_and_later_options_win(tmp_path):
    config = tmp_path / "fvp_config.txt"
    config.write_text(
        "# board\nethosu.num_macs=32   # (int, init-time) default = '0x80'\n\n"
        'mps3_board.uart0.out_file="uart#0.txt"\ncpu0.semihosting-enable=1\n'
    )
    options = parse_options(["-f", str(config), "-C", "cpu0.semihosting-enable=0"])
    assert options.macs == 32
    assert options.uart(0).out_file == "uart#0.txt"
    assert options.value("cpu0.semihosting-enable") is False


def test_the_listing_can_be_read_back_as_a_config_file(tmp_path):
    config = tmp_path / "all.txt"
    table = parameter_table("corstone-300", "U65")
    config.write_text(format_table(table))
    assert parse_options(["-f", str(config)], family="U65") == replace(
        parse_options([], family="U65"), given=("--config-file",)
    )
    without_comments = "\n".join(line.split(" #")[0] for line in config.read_text().splitlines())
    config.write_text(without_comments)
    options = parse_options(["-f", str(config)], family="U65")
    assert options.values == {name: parameter.default for name, parameter in table.items()}
    assert options.warnings == []


def test_a_config_file_line_that_is_no_assignment_is_named_with_its_number(tmp_path):
    config = tmp_path / "bad.txt"
    config.write_text("ethosu.num_macs=32\nnonsense\n")
    with pytest.raises(BadInputError, match="line 2"):
        parse_options(["-f", str(config)])


def test_macs_of_older_releases_are_understood():
    assert parse_options(["-C", "ethosu.config=H256"]).macs == 256
    assert parse_options(["-C", "ethosu.config=H256", "-C", "ethosu.num_macs=64"]).macs == 64
    assert parse_options([], family="U65").macs == 256


def test_the_name_of_the_executable_chooses_the_npu():
    assert named("/x/models/FVP_Corstone_SSE-300_Ethos-U65") == ("corstone-300", "U65")
    assert named("FVP_Corstone_SSE-300_Ethos-U55") == ("corstone-300", "U55")
    assert parse_options([], family=named("open-corstone-300")[1]).model.family == "U55"
    assert parse_options(["--npu-family", "u65"]).model.family == "U65"


@pytest.mark.parametrize(
    ("program", "board", "family"),
    [
        ("FVP_Corstone_SSE-310", "corstone-310", "U55"),
        ("/opt/VHT/VHT_Corstone_SSE-310_Ethos-U65", "corstone-310", "U65"),
        ("FVP_Corstone_SSE-320", "corstone-320", "U85"),
        ("open-corstone-320", "corstone-320", "U85"),
        ("simulator", "corstone-300", "U55"),
    ],
)
def test_the_name_of_the_executable_chooses_the_board_and_options_win(program, board, family):
    asked = named(program)
    model = parse_options([], board=asked[0], family=asked[1]).model
    assert (model.board, model.family) == (board, family)
    model = parse_options(["--board", "Corstone-310"], board=asked[0], family=asked[1]).model
    assert (model.board, model.family) == ("corstone-310", "U55")


@pytest.mark.parametrize(
    "name",
    [
        "FVP_MPS2_Cortex-M55",
        "VHT_MPS2_Cortex-M7",
        "FVP_Corstone_SSE-315",
        "FVP_Corstone-1000",
        "FVP_Base_RevC-2xAEMvA",
    ],
)
def test_the_name_of_another_fvp_is_refused(name):
    with pytest.raises(BadInputError, match=f"{name} is the name of another FVP") as caught:
        named(f"/opt/arm/{name}")
    assert "corstone-300, corstone-310, corstone-320" in caught.value.message


def test_a_board_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(BadInputError, match="there is corstone-300, corstone-310, corstone-320"):
        parse_options(["--board", "corstone-999"])


def test_a_command_line_as_mlia_writes_it_for_corstone_320_is_understood(data):
    board = "mps4_board"
    words = ["-a", "runner.axf", "--data", f"{data}@0x90000000", "-C", f"{board}.subsystem.ethosu.num_macs=512"]
    words += ["-C", f"{board}.telnetterminal0.start_telnet=0", "-C", f"{board}.uart0.out_file='-'"]
    words += ["-C", f"{board}.uart0.shutdown_on_eot=1", "-C", f"{board}.visualisation.disable-visualisation=1"]
    options = parse_options([*words, "-C", "vis_hdlcd.disable_visualisation=1", "--stat"], board="corstone-320")
    assert options.macs == 512
    assert (options.uart(0).out_file, options.uart(0).shutdown_on_eot) == ("-", True)


def test_the_instance_of_corstone_320_may_stand_before_a_file(tmp_path):
    words = ["--dump", f"mps4_board.subsystem.cpu0={tmp_path}/o@Memory:0x93000000,16"]
    assert parse_options(words, board="corstone-320").dumps == (Dump(tmp_path / "o", 0x93000000, 16),)


def test_a_terminal_listens_unless_its_client_is_off_and_nothing_asks_for_it():
    assert parse_options([]).uart(0).port == 5000
    off = "mps3_board.telnetterminal{}.start_telnet=0"
    assert parse_options(["-C", off.format(0)]).uart(0).port == 5000
    assert parse_options(["-C", off.format(1)]).uart(1).port is None
    words = ["-C", off.format(0), "-C", "mps3_board.uart0.out_file=-"]
    assert parse_options(words).uart(0).port is None
    words += ["-C", "mps3_board.telnetterminal0.start_port=6000"]
    assert parse_options(words).uart(0).port == 6000


@settings(max_examples=300, deadline=None)
@example(["-f\x00"])
@example(["--data", "\x00@0"])
@given(st.lists(st.text(alphabet="-aCfl=@:,0x9.cpuMemory dat/\x00é", max_size=20), max_size=5))
def test_no_words_at_all_cause_anything_but_options_or_a_refusal(words):
    try:
        parse_options(words)
    except BadInputError as error:
        assert error.message


@pytest.mark.parametrize(
    ("board", "given", "there"),
    [
        ("corstone-300", None, 0),
        ("corstone-300", 0x00200000, 0x00200000),
        ("corstone-320", 0x02001000, 0x01021000),
        ("corstone-320", 0x90000000, 0x90000000),
    ],
)
def test_the_nonsecure_vector_table_is_where_qemu_has_that_memory(board, given, there):
    cpu = "mps4_board.subsystem.cpu0" if board == "corstone-320" else "cpu0"
    words = [] if given is None else ["-C", f"{cpu}.INITNSVTOR={given:#x}"]
    options = parse_options(["-a", "f.elf", *words], board=board)
    assert options.nonsecure_vectors == there
    assert not options.warnings
