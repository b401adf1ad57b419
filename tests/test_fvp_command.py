"""The FVP's command line, word for word."""

from pathlib import Path

from deploy.fvp_command import DataFile, Dump, FvpRun, command_line

GOLDEN = """\
FVP -a f.elf --data m@0x90000000 --data i@0x92000000 --dump cpu0=o@Memory:0x93000000,14
-C ethosu.num_macs=128 -C mps3_board.visualisation.disable-visualisation=1 -C mps3_board.uart0.out_file=u.log
-C mps3_board.uart0.unbuffered_output=1 -C mps3_board.uart0.shutdown_on_eot=1
-C mps3_board.telnetterminal0.start_telnet=0 -C mps3_board.telnetterminal1.start_telnet=0
-C mps3_board.telnetterminal2.start_telnet=0 -C mps3_board.telnetterminal5.start_telnet=0
--timelimit 60 --stat"""


def test_a_run_becomes_the_command_line_that_arms_fvp_documents() -> None:
    run = FvpRun(
        firmware=Path("f.elf"),
        macs=128,
        uart_file=Path("u.log"),
        data=(DataFile(Path("m"), 0x9000_0000), DataFile(Path("i"), 0x9200_0000)),
        dumps=(Dump(Path("o"), 0x9300_0000, 14),),
        time_limit_s=60,
    )
    assert command_line(["FVP"], run) == GOLDEN.split()


def test_words_of_the_simulator_itself_come_first() -> None:
    run = FvpRun(firmware=Path("f.elf"), macs=64, uart_file=Path("u"))
    assert command_line(["python", "-m", "x"], run)[:5] == ["python", "-m", "x", "-a", "f.elf"]
