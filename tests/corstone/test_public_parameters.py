"""What public projects ask of Arm's FVPs, one by one: it has its effect, or a warning says that it has none.

Or it is refused, because programs would compute something else.
"""

import pytest

from deploy.corstone.command_line import parse_options
from deploy.corstone.options import ARMS
from deploy.corstone.stand_in import stand_in
from deploy.errors import BadInputError

BEHAVES, WARNS, REFUSED = "behaves", "warns", "is refused"

OPTIONS = [
    (BEHAVES, line)
    for line in (
        "-a APP",
        "-a cpu0=APP",
        "-a cpu0*=APP",
        "-a cpu_core.cpu0*=APP",
        "--application APP",
        "-C ethosu.num_macs=256",
        "--parameter ethosu.num_macs=256",
        "-f CONFIG",
        "--config-file CONFIG",
        "-l",
        "--list-params",
        "--list-instances",
        "--list-memory",
        "--list-regs",
        "-o FILE -l",
        "--data DATA@0x90000000",
        "--data cpu0=DATA@Memory:0x90000000",
        "--data DATA@S:0x90000000",
        "--data DATA@N:0x28000000",
        "--data DATA@0:0x38000000",
        "--dump OUT@NMemory:0x90000000,4",
        "--dump mps3_board.sram=OUT@0x10,4",
        "--dump mps3_board.sse300.iotss3_internal_sram1=OUT@0x1f0000,0xb000",
        "--start 0x10000100",
        "-T 5",
        "--timelimit 5",
        "--cpulimit 5",
        "--simlimit 5",
        "--cyclelimit 5",
        "--stat",
        "-s",
        "-q",
        "--quiet",
        "-R",
        "--run",
        "--disable-analytics",
        "--version",
        "--help",
    )
] + [
    (WARNS, line)
    for line in (
        "-I",
        "--iris-server",
        "--iris-port 7100",
        "--iris-allow-remote",
        "-A",
        "--iris-log",
        "-S",
        "--cadi-server",
        "-p",
        "--print-port-number",
        "--plugin FILE",
        "--trace-plugin FILE",
        "--allow-debug-plugin",
        "-D",
        "-V PATH",
        "-b 0x100",
        "--break 0x100",
        "--prefix",
        "--log FILE",
        "-K",
        "--keep-console",
        "-r",
        "--cpi-file FILE",
        "-Q 10",
        "--quantum 10",
        "--min-sync-latency 10",
    )
]
PARAMETERS = (
    [
        (BEHAVES, assignment)
        for assignment in (
            "ethosu.num_macs=64",
            "ethosu.config=H64",
            "ethosu.extra_args=--fast",
            "cpu0.CFGITCMSZ=15",
            "cpu0.CFGDTCMSZ=15",
            "cpu0.INITSVTOR=0x70000000",
            "cpu0.INITNSVTOR=0x00200000",
            "mps3_board.sse300.iotss3_systemcontrol.INITSVTOR_RST=0x11000000",
            "cpu0.semihosting-enable=1",
            "cpu0.semihosting-cmd_line=program one",
            "cpu0.semihosting-cwd=/tmp",
            "core_clk.mul=32000000",
            "core_clk.div=2",
            "mps3_board.uart0.out_file=-",
            "mps3_board.uart3.out_file=uart3.txt",
            "mps3_board.uart0.in_file=in.txt",
            "mps3_board.uart0.unbuffered_output=1",
            "mps3_board.uart0.shutdown_on_eot=1",
            "mps3_board.uart0.shutdown_tag=END",
            "mps3_board.telnetterminal0.start_telnet=0",
            "mps3_board.telnetterminal0.start_port=6000",
            "mps3_board.telnetterminal0.mode=raw",
            "mps3_board.telnetterminal1.quiet=1",
            "mps3_board.visualisation.disable-visualisation=1",
            "mps3_board.visualisation.rate_limit-enable=0",
            "cpu_core.ethosu.num_macs=32",
            "*.num_macs=32",
            "FVP_MPS3_Corstone_SSE_300.ethosu.num_macs=32",
        )
    ]
    + [
        (WARNS, assignment)
        for assignment in (
            "ethosu.diagnostics=2",
            "ethosu.verbosity=1",
            "ethosu.trace=1",
            "cpu0.semihosting-Thumb_SVC=0xAC",
            "cpu0.FPU=0",
            "cpu0.DSP=0",
            "cpu0.MVE=1",
            "cpu0.MPU_S=16",
            "cpu0.MPU_NS=4",
            "cpu0.SAU=4",
            "cpu0.ITM=0",
            "cpu0.IRQLVL=8",
            "cpu0.LOCK_SAU=1",
            "cpu0.LOCK_S_MPU=1",
            "cpu0.CPIF=0",
            "cpu0.CFGMEMALIAS=0",
            "cpu0.CFGSTCALIB=1",
            "cpu0.dcache-state_modelled=1",
            "cpu0.icache-state_modelled=1",
            "cpu0.min_sync_level=3",
            "cpu0.scheduler_mode=1",
            "cpu0.cpi_mul=2",
            "cpu0.cpi_div=2",
            "cpu0.vfp-enable_at_reset=1",
            "mps3_board.sse300.refcounter.base_frequency=32000000",
            "mps3_board.hostbridge.userNetPorts=8080=80",
            "mps3_board.smsc_91c111.enabled=1",
            "mps3_board.uart0.clock_rate=1000000",
            "mps3_board.visualisation.trap_key=75",
            "mps3_board.telnetterminal0.terminal_command=xterm",
            "mps3_board.platform_type=1",
            "mps3_board.FPGA_SRAM_SIZE=8",
            "mps3_board.sse300.VM_BANK_SIZE=4096",
            "mps3_board.sse300.NUMVMBANK=4",
            "mps3_board.v_path=./vsi",
            "idau.NUM_IDAU_REGION=4",
            "TRACE.TarmacTrace.trace-file=t.txt",
            "vis_hdlcd.disable_visualisation=1",
        )
    ]
    + [(REFUSED, assignment) for assignment in ("cpu0.SECEXT=0", "cpu0.BIGENDINIT=1", "cpu0.has_cde=1")]
)
ROWS = [(expected, line.split(" ")) for expected, line in OPTIONS]
ROWS += [(expected, ["-C", assignment]) for expected, assignment in PARAMETERS]


def test_133_are_looked_at_and_at_least_125_behave_or_warn() -> None:
    assert len(ROWS) == 133
    assert sum(expected != REFUSED for expected, _ in ROWS) >= 125
    assert len({tuple(words) for _, words in ROWS}) == 133


@pytest.mark.parametrize(("expected", "words"), ROWS, ids=[" ".join(words) for _, words in ROWS])
def test_each_behaves_as_on_arms_fvp_or_says_that_it_does_not(expected, words, tmp_path) -> None:
    for name in ("APP", "DATA", "CONFIG"):
        (tmp_path / name).write_text("\n")
    given = [word.replace("DATA", f"{tmp_path}/DATA").replace("OUT", f"{tmp_path}/OUT") for word in words]
    given = [f"{tmp_path}/CONFIG" if word == "CONFIG" else word for word in given]
    if expected == REFUSED:
        with pytest.raises(BadInputError, match=r"cannot be .* here: "):
            parse_options(given)
        return
    options = parse_options(given)
    assert bool(options.warnings) == (expected == WARNS)
    for warning in options.warnings:
        named = words[1].partition("=")[0] if words[0] == "-C" else words[0]
        assert named in warning or any(named == each.short and each.name in warning for each in ARMS)


def test_debug_options_say_what_to_use_instead() -> None:
    for option in ("--iris-server", "--cadi-server", "-D"):
        (warning,) = parse_options([option]).warnings
        assert warning.endswith("no debug server is started: --gdb PORT lets a debugger attach")
    (warning,) = parse_options(["--plugin", "GDBServer.so", "-C", "GDBServer.port=1"]).warnings[1:]
    assert "--gdb PORT" in warning


def test_there_is_one_warning_for_all_that_have_no_effect() -> None:
    words = [word for name in ("IRQLVL=4", "ITM=0", "ETM=1") for word in ("-C", f"cpu0.{name}")]
    assert parse_options(words).warnings == [
        "without effect in this functional model: cpu0.IRQLVL=0x4, cpu0.ITM=0, cpu0.ETM=1"
    ]


def test_what_the_npu_is_told_beyond_fast_is_not_passed_over() -> None:
    assert parse_options(["-C", "ethosu.extra_args='--fast'"]).warnings == []
    (warning,) = parse_options(["-C", "ethosu.extra_args=--fast --pmu-trace t.txt"]).warnings
    assert warning == "parameter 'ethosu.extra_args': --fast alone is known"


def test_what_is_set_to_what_it_is_anyway_gives_no_warning() -> None:
    assert parse_options(["-C", "cpu0.MVE=2", "-C", "mps3_board.sse300.VM_BANK_SIZE=1024"]).warnings == []


@pytest.mark.parametrize("board", ["corstone-300", "corstone-310", "corstone-320"])
def test_arms_own_listing_loads_whatever_it_names_and_only_changes_count(board, tmp_path) -> None:
    model = stand_in(board)
    cpu, uart = model.instances["cpu"], f"{model.instances['board']}.uart0"
    config = tmp_path / "saved.txt"
    config.write_text(
        "# Parameters:\n"
        "# instance.parameter=value       #(type, mode) default = 'def value' : description : [min..max]\n"
        "#----------------------------------------------------------------------------------------\n"
        f"{cpu}.MVE=0x1            # (int   , init-time) default = '0x1'    : MVE : [0x0..0x2]\n"
        f"{cpu}.SECEXT=1                    # (bool  , init-time) default = '1'      : Security extension\n"
        f"{cpu}.never_heard_of=0x7          # (int   , run-time ) default = '0x7'    : Something : [0x0..0xFF]\n"
        f"{cpu}.never_heard_of_either=0x8   # (int   , init-time) default = '0x7'    : Something : [0x0..0xFF]\n"
        f"{uart}.out_file=                  # (string, init-time) default = ''       : Output file\n"
        f"{uart}.in_file_escape_sequence=## # (string, init-time) default = '##'     : Escape sequence\n"
        f"{uart}.shutdown_tag=it's over     # (string, init-time) default = ''       : Text that ends it\n"
        "core_clk.mul=32000000              # (int   , init-time) default = '0x17d7840' : Clock Rate Multiplier\n"
    )
    options = parse_options(["-f", str(config)], board=board)
    assert options.values == {
        f"{cpu}.never_heard_of_either": "0x8",
        f"{uart}.shutdown_tag": "it's over",
        "core_clk.mul": 32000000,
    }
    assert options.warnings == [
        f"without effect in this functional model: {cpu}.never_heard_of_either=0x8",
    ]
    assert options.clock_hz == 32e6


def test_a_listed_default_takes_back_what_was_set_before(tmp_path) -> None:
    config = tmp_path / "saved.txt"
    config.write_text("ethosu.num_macs=0x80  # (int   , init-time) default = '0x80' : MACs\n")
    assert parse_options(["-C", "ethosu.num_macs=32", "-f", str(config)]).macs == 128
    assert parse_options(["-f", str(config), "-C", "ethosu.num_macs=32"]).macs == 32


def test_the_boards_register_wins_over_the_processors_parameter() -> None:
    words = ["-C", "cpu0.INITSVTOR=0x11000000"]
    assert parse_options(words).begin == 0x11000000
    words += ["-C", "mps3_board.sse300.iotss3_systemcontrol.INITSVTOR_RST=0x70000000"]
    assert parse_options(words).begin == 0x70000000
    assert parse_options([]).begin == 0x10000000
    assert parse_options([], board="corstone-310").begin == 0x11000000
