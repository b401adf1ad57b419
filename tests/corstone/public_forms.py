"""Command lines of Arm's FVPs as public projects write them: each one once, with what it is to end in here.

Projects: TFLM, ExecuTorch, Arm's ML evaluation kit and core platform, MLIA, Zephyr, TVM, CMSIS (NN, DSP, Ethos-U,
solutions), TF-M, Arm Virtual Hardware with its examples, OpenMV.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

# ruff: noqa: E501 - a line is a line, as somebody typed it

MPS3 = (
    "-C mps3_board.visualisation.disable-visualisation=1 -C mps3_board.telnetterminal0.start_telnet=0 "
    "-C mps3_board.uart0.out_file=- -C mps3_board.uart0.unbuffered_output=1 -C mps3_board.uart0.shutdown_on_eot=1"
)
MPS4 = MPS3.replace("mps3", "mps4") + " -C vis_hdlcd.disable_visualisation=1"
U55, U65 = "FVP_Corstone_SSE-300_Ethos-U55", "FVP_Corstone_SSE-300_Ethos-U65"
RULE = "#----------------------------------------------------------------------------"
AVH_CONFIG = f"""\
# Parameters:
# instance.parameter=value       #(type, mode) default = 'def value' : description : [min..max]
{RULE}
core_clk.mul=100000000                              # (int   , init-time) default = '0x17d7840' : Clock Rate Multiplier. This parameter is not exposed via CADI and can only be set in LISA
mps3_board.telnetterminal0.start_telnet=0           # (bool  , init-time) default = '1'      : Start telnet if nothing connected
mps3_board.uart0.out_file=-                         # (string, init-time) default = ''       : Output file to hold data written by the UART (use '-' to send all output to stdout)
mps3_board.visualisation.disable-visualisation=1    # (bool  , init-time) default = '0'      : Enable/disable visualisation
cpu0.semihosting-enable=1                           # (bool  , init-time) default = '0'      : Enable semihosting SVC traps. Applications that do not use semihosting must set this parameter to false.
mps3_board.smsc_91c111.enabled=1                    # (bool  , init-time) default = '0'      : Host interface connection enabled
mps3_board.hostbridge.userNetworking=1              # (bool  , init-time) default = '0'      : Enable user-mode networking
{RULE}
"""
U85_CONFIG = """\
mps4_board.subsystem.ethosu.num_macs=256
mps4_board.visualisation.disable-visualisation=1
vis_hdlcd.disable_visualisation=1
mps4_board.telnetterminal0.start_telnet=0
mps4_board.uart0.out_file=-
mps4_board.uart0.shutdown_on_eot=1
"""
M55_CONFIG = """\
# Parameters:
cpu0.FPU=1                                            # (bool  , init-time) default = '1'      : Set whether the model has VFP support
cpu0.DSP=1                                            # (bool  , init-time) default = '1'      : Set whether the model has the DSP extension
cpu0.semihosting-enable=0                             # (bool  , init-time) default = '1'      : Enable semihosting SVC traps
cpu0.MVE=2                                            # (int   , init-time) default = '0x1'    : Set whether the model has MVE support
cpu0.SAU=0                                            # (int   , init-time) default = '0x4'    : Number of SAU regions (0 => no SAU)
idau.NUM_IDAU_REGION=0                                # (int   , init-time) default = '0xA'    :
"""


@dataclass(frozen=True)
class Form:
    """A command line.

    Attributes:
        project: whose it is.
        line: program and words; {app}, {hex}, {data}, {out}, {config} stand for files.
        config: content of {config}.
        begin: where its program has its vector table.
        other: whether it belongs to another FVP.
    """

    project: str
    line: str
    config: str = ""
    begin: int = 0
    other: bool = False

    @property
    def program(self) -> str:
        return self.line.split()[0]

    @property
    def board(self) -> str:
        return next((f"corstone-{number}" for number in (310, 320) if str(number) in self.program), "corstone-300")

    def words(self, files: dict[str, object]) -> list[str]:
        return [word.format(**files) for word in shlex.split(self.line)[1:]]


SEMIHOSTED = (
    "-C {0}cpu0.semihosting-enable=1 -C {0}cpu0.semihosting-stack_base=0 -C {0}cpu0.semihosting-heap_limit=0"
)
PLATFORM = "-C cpu0.CFGITCMSZ=6 -C cpu0.CFGDTCMSZ=6"
TFM = "--parameter mps3_board.DISABLE_GATING=1 --parameter mps3_board.FPGA_SRAM_SIZE=2"
SSE300 = "mps3_board.sse300"
NETWORK = "-C {0}mps3_board.smsc_91c111.enabled=1 -C {0}mps3_board.hostbridge.userNetworking=1"
CORE = (
    NETWORK.format("cpu_core.") + " -C cpu_core.cpu0.semihosting-enable=1 "
    "-C cpu_core.mps3_board.telnetterminal0.start_telnet=0 -C cpu_core.mps3_board.uart0.out_file=- "
    "-C cpu_core.mps3_board.uart0.unbuffered_output=1 --stat -C cpu_core.mps3_board.DISABLE_GATING=1"
)

# fmt: off
FORMS = (
    Form("TFLM", f"{U55} -C ethosu.num_macs=256 {MPS3} --stat {{app}}"),
    Form("ExecuTorch", f"{U55} -C ethosu.num_macs=128 {MPS3} -a {{app}} --timelimit 220"),
    Form("ExecuTorch", f"FVP_Corstone_SSE-320 -C mps4_board.subsystem.ethosu.num_macs=256 {MPS4} -a {{app}} --timelimit 220", begin=0x11000000),
    Form("ExecuTorch", f"{U55} -C ethosu.num_macs=128 {MPS3} -C cpu0.CFGITCMSZ=11 {SEMIHOSTED.format('')} -C ethosu.extra_args='--fast' -C cpu0.semihosting-cmd_line='executor_runner -m model.pte -o out -i in0' -a {{app}} --timelimit 120"),
    Form("ExecuTorch", f"FVP_Corstone_SSE-320 -C mps4_board.subsystem.ethosu.num_macs=256 {MPS4} {SEMIHOSTED.format('mps4_board.subsystem.')} -C mps4_board.subsystem.cpu0.semihosting-cwd={{dir}} -C mps4_board.subsystem.ethosu.extra_args='--fast' -C mps4_board.subsystem.cpu0.semihosting-cmd_line='runner -m m.pte' -a {{app}} --timelimit 120", begin=0x11000000),
    Form("ExecuTorch", f"{U55} -C ethosu.num_macs=128 {MPS3} {SEMIHOSTED.format('')} -a {{app}} --timelimit 600"),
    Form("ExecuTorch pack", f"FVP_Corstone_SSE-300 -C cpu0.semihosting-enable=1 -C cpu0.INITSVTOR=0x70000000 -C {SSE300}.iotss3_systemcontrol.INITSVTOR_RST=0x70000000 -C mps3_board.uart0.out_file=- -C mps3_board.uart0.shutdown_on_eot=1 -a {{app}} --timelimit 600", begin=0x70000000),
    Form("ExecuTorch pack", "FVP_Corstone_SSE-320 -C mps4_board.subsystem.cpu0.semihosting-enable=1 -C mps4_board.subsystem.cpu0.INITSVTOR=0x90000000 -C mps4_board.subsystem.iotss3_systemcontrol.INITSVTOR_RST=0x90000000 -C mps4_board.subsystem.ethosu.num_macs=256 -C mps4_board.visualisation.disable-visualisation=1 -a {app} --timelimit 900", begin=0x90000000),
    Form("OpenMV", f"{U55} -C cpu0.CFGITCMSZ=14 -C cpu0.semihosting-enable=1 -C mps3_board.FPGA_SRAM_SIZE=8 -C {SSE300}.NUMVMBANK=2 -C {SSE300}.VM_BANK_SIZE=4096 -C ethosu.num_macs=256 -C mps3_board.uart0.unbuffered_output=1 -C mps3_board.uart0.rx_overrun_mode=1 -C mps3_board.telnetterminal0.start_telnet=1 -C mps3_board.telnetterminal0.start_port=5555 -C mps3_board.telnetterminal0.mode=raw -C mps3_board.telnetterminal1.start_telnet=0 -C mps3_board.telnetterminal2.start_telnet=0 -C mps3_board.telnetterminal5.start_telnet=0 -C mps3_board.visualisation.disable-visualisation=1 --stat -q --data {{data}}@0x80000000 -a {{app}}"),
    Form("evaluation kit", f"{U55} -a {{app}} {MPS3} -C ethosu.num_macs=256 -C ethosu.extra_args='--fast'"),
    Form("evaluation kit", f"{U55} -a {{app}} {MPS3} --data {{data}}@0x90000000 --data {{data}}@0x92000000 --dump cpu0={{out}}@Memory:0x93000000,1024"),
    Form("evaluation kit", f"{U65} -a {{app}} {MPS3} -C ethosu.num_macs=512"),
    Form("evaluation kit", f"{U55} -a {{app}} {MPS3} -C mps3_board.v_path=scripts/py/vsi/"),
    Form("evaluation kit", f"FVP_Corstone_SSE-320 -C mps4_board.subsystem.ethosu.num_macs=256 -C mps4_board.subsystem.ethosu.diagnostics=1 {MPS4} -a {{app}}", begin=0x11000000),
    Form("core platform", f"{U55} -C ethosu.num_macs=128 {PLATFORM} {MPS3} {{app}}"),
    Form("core platform", f"FVP_Corstone_SSE-310 -C ethosu.num_macs=128 {PLATFORM} -C {SSE300}.NUMVMBANK=1 -C {SSE300}.VM_BANK_SIZE=2048 {MPS3} {{app}}", begin=0x11000000),
    Form("core platform", f"{U65} -C ethosu.num_macs=256 {MPS3} --plugin {{dir}}/plugins/Linux64_GCC-9.3/TarmacTrace.so -C TRACE.TarmacTrace.trace-file={{dir}}/tarmac.txt {{app}}"),
    Form("Zephyr", f"{U55} {MPS3} -C mps3_board.DISABLE_GATING=1 -C cpu0.MPU_S=16 -a {{app}}"),
    Form("Zephyr", f"{U55} {MPS3} -a {{hex}}"),
    Form("Zephyr", f"FVP_Corstone_SSE-310 -C {SSE300}.iotss3_systemcontrol.INITSVTOR_RST=0 -C cpu0.MPU_S=16 {MPS3} -a {{app}}"),
    Form("Zephyr", f"FVP_Corstone_SSE-320 -C mps4_board.subsystem.iotss3_systemcontrol.INITSVTOR_RST=0 -C mps4_board.subsystem.cpu0.MPU_S=16 -C mps4_board.subsystem.cpu0.CFGPACBTI=1 {MPS4} -a {{app}}"),
    Form("TVM", f"{U55} -C cpu0.CFGDTCMSZ=15 -C cpu0.CFGITCMSZ=15 -C 'mps3_board.uart0.out_file=\"-\"' -C 'mps3_board.uart0.shutdown_tag=\"EXITTHESIM\"' -C mps3_board.visualisation.disable-visualisation=1 -C mps3_board.telnetterminal0.start_telnet=0 -C mps3_board.telnetterminal1.start_telnet=0 -C mps3_board.telnetterminal2.start_telnet=0 -C mps3_board.telnetterminal5.start_telnet=0 -C ethosu.extra_args='--fast' -C ethosu.num_macs=256 {{app}}"),
    Form("CMSIS-NN", f"{U55} {MPS3} -C cpu0.semihosting-enable=0 {{app}} --cpulimit 60 --simlimit 500"),
    Form("CMSIS-NN", f"{U55} {MPS3} -C cpu0.FPU=1 -C cpu0.DSP=1 -C cpu0.MVE=1 -a {{app}}"),
    Form("CMSIS-DSP", "VHT_Corstone_SSE-300_Ethos-U55 -f {config} --simlimit 60 --stat -a {app}", AVH_CONFIG),
    Form("AVH", f"{U55} -a {{app}} -C mps3_board.v_path=./vsi_py/ -f {{config}} --simlimit 24 --stat", AVH_CONFIG),
    Form("AVH", "VHT_Corstone_SSE-300_Ethos-U55 -V ../VSI/audio/python -f {config} -a {app} --stat --simlimit 24", AVH_CONFIG),
    Form("AVH", "VHT_Corstone_SSE-300_Ethos-U55 -f {config} -a {app} -I -A --iris-port 7100 -p", AVH_CONFIG),
    Form("AVH", "FVP_Corstone_SSE-300 -f {config} {app} -Q 10", AVH_CONFIG),
    Form("AVH", f"FVP_Corstone_SSE-300 -f {{config}} {{app}} --dump {SSE300}.iotss3_internal_sram1={{out}}@0x1f0000,0xb000", AVH_CONFIG),
    Form("AVH", "FVP_Corstone_SSE-300 -f {config} {app} --data {data}@0x311f0000 --simlimit=60", AVH_CONFIG),
    Form("Open IoT SDK", f"VHT-Corstone-300.x -V {{dir}} -C cpu_core.mps3_board.visualisation.disable-visualisation=1 {CORE} -a cpu_core.cpu0*={{app}} --data {{data}}@0x38000000 --data {{data}}@0x28060000"),
    Form("Open IoT SDK", f"VHT_Corstone_SSE-300_Ethos-U55 {CORE} -C cpu_core.mps3_board.uart0.shutdown_on_eot=1 -a cpu_core.cpu0*={{app}}"),
    Form("Open IoT SDK", f"FVP_Corstone_SSE-310 -a {{app}} -C core_clk.mul=200000000 {MPS3} -C cpu0.semihosting-enable=1 {NETWORK.format('')} -C ethosu.extra_args=--fast -C mps3_board.v_path={{dir}}", begin=0x11000000),
    Form("TF-M", f"{U55} {TFM} --parameter {SSE300}.VM_BANK_SIZE=2048 -a cpu0*={{app}} --data {{data}}@0x11000000"),
    Form("TF-M", f"{U55} {TFM} --parameter {SSE300}.VM_BANK_SIZE=2048 --parameter mps3_board.uart0.out_file={{out}} --parameter mps3_board.telnetterminal0.start_telnet=0 -a cpu0*={{app}} -a cpu0*={{second}}"),
    Form("CMSIS-Ethos-U", f"{U55} -f {{config}} -a {{hex}}", AVH_CONFIG),
    Form("CMSIS-Ethos-U", "FVP_Corstone_SSE-320 -f {config} -a {app}", U85_CONFIG, begin=0x11000000),
    Form("CMSIS", "FVP_Corstone_SSE-300 -q --cyclelimit 100000000 -f {config} {app} --allow-debug-plugin --plugin {dir}/plugins/Linux64_GCC-7.3/GDBRemoteConnection.so", M55_CONFIG),
    Form("Keil Studio", f"{U55} {MPS3} --iris-server --allow-debug-plugin --plugin {{dir}}/GDBServer.so -C GDBServer.port=31627 -a {{app}}"),
    Form("MLIA", f"{U55} -a {{app}} --data {{data}}@0x90000000 -C ethosu.num_macs=128 -C mps3_board.telnetterminal0.start_telnet=0 -C \"mps3_board.uart0.out_file='-'\" -C mps3_board.uart0.shutdown_on_eot=1 -C mps3_board.visualisation.disable-visualisation=1 --stat"),
    Form("profiler", f"{U55} -a {{app}} --simlimit 4 -C core_clk.mul=32000000 -C {SSE300}.refcounter.base_frequency=100000000 -C cpu0.semihosting-enable=1 {MPS3}"),
    Form("Arm", "FVP_MPS2_Cortex-M55 -C fvp_mps2.DISABLE_GATING=1 -C NSC_CFG_0=1 -C cpu0.INITNSVTOR=0x00200000 -a {app} -a {second} --stat", other=True),
    Form("CMSIS-DSP", "VHT_MPS2_Cortex-M7 -C armcortexm7ct.semihosting-enable=1 -a {app} --simlimit 60", other=True),
    Form("evaluation kit", f"FVP_Corstone_SSE-315 -C mps4_board.subsystem.ethosu.num_macs=256 {MPS4} -a {{app}}", other=True),
    Form("core platform", f"FVP_Corstone-Polaris -C ethosu.num_macs=128 {PLATFORM} {MPS3} {{app}}", other=True),
    Form("TF-M", "FVP_Corstone-1000 -C se.trustedBootROMloader.fname={data} -C board.xnvm_size=64 --data board.flash0={data}@0x68000000", other=True),
)
# fmt: on
