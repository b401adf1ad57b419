"""The options of the command line as data: Arm's, with what is done with each, and our own.

Source of Arm's: the help of its FVPs as public scripts and documents quote it.
"""

from __future__ import annotations

from dataclasses import dataclass

_DEBUG = "no debug server is started: --gdb PORT lets a debugger attach"
_PLUGIN = "plugins are not loaded: --trace FILE writes what the NPU does"
_NOTHING = "there is no such thing here"


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: long, with its dashes; short ones without a long form stand for themselves.
        text: what it does; for one that is honoured, as in the usage text.
        short: one letter with its dash; empty for none.
        value: what it takes, as in the usage text; empty for a switch.
        instead: what there is instead of an option of Arm's that has no effect; empty where it is honoured.
    """

    name: str
    text: str
    short: str = ""
    value: str = ""
    instead: str = ""


ARMS = (
    Option(
        "--application",
        "application to boot: ELF or Intel HEX (repeat it to load further images)",
        "-a",
        "[cpu0=]FILE",
    ),
    Option("--parameter", "set a parameter", "-C", "NAME=VALUE"),
    Option("--config-file", "parameters from a file, one a line, # begins a comment", "-f", "FILE"),
    Option("--list-params", "list the parameters and exit", "-l"),
    Option("--list-instances", "list what parameters and files are for and exit"),
    Option("--list-memory", "list the memories and exit"),
    Option("--list-regs", "list the processor's registers and exit"),
    Option("--output", "write such a list to a file", "-o", "FILE"),
    Option("--data", "load a raw file", "", "[INSTANCE=]FILE@[SPACE:]ADDRESS"),
    Option(
        "--dump", "write memory to a file when the model shuts down", "", "[INSTANCE=]FILE@[SPACE:]ADDRESS,SIZE"
    ),
    Option("--start", "begin at that address instead of the reset handler", "", "[cpu0=]ADDRESS"),
    Option("--timelimit", "end after S seconds of wall time", "-T", "S"),
    Option("--cpulimit", "the same", "", "S"),
    Option("--simlimit", "end after S simulated seconds (an estimate here)", "", "S"),
    Option("--cyclelimit", "end after N CPU cycles (an estimate here)", "", "N"),
    Option("--stat", "print statistics at the end", "-s"),
    Option("--quiet", "print nothing but the program's output", "-q"),
    Option("--run", "run at once, which it always does", "-R"),
    Option("--disable-analytics", "send nothing anywhere, which it never does"),
    Option("--version", "print the version and exit"),
    Option("--help", "print this and exit", "-h"),
    # Accepted without effect.
    Option("--iris-server", "Iris debug server", "-I", instead=_DEBUG),
    Option("--iris-allow-remote", "debuggers from elsewhere", "-A", instead=_DEBUG),
    Option("--iris-connect", "how Iris clients connect", "", "HOW", _DEBUG),
    Option("--iris-log", "log of Iris calls", "-i", instead=_DEBUG),
    Option("--iris-port", "port of the Iris server", "", "PORT", _DEBUG),
    Option("--iris-port-range", "ports of the Iris server", "", "FIRST:LAST", _DEBUG),
    Option("--cadi-server", "CADI debug server", "-S", instead=_DEBUG),
    Option("--cadi-log", "log of CADI calls", "-L", instead=_DEBUG),
    Option("--print-port-number", "port of the debug server", "-p", instead=_DEBUG),
    Option("--allow-debug-plugin", "plugins that debug", "-D", instead=_DEBUG),
    Option("--break", "breakpoint", "-b", "[cpu0=]ADDRESS", _DEBUG),
    Option("--keep-console", "console window that stays", "-K", instead="there is never a console window"),
    Option("--plugin", "plugin", "", "FILE", _PLUGIN),
    Option("--trace-plugin", "plugin that traces", "", "FILE", _PLUGIN),
    Option("--check-regs", "check of register accesses", "-r", instead=_NOTHING),
    Option("--cpi-file", "cycles of an instruction", "", "FILE", "every instruction takes the same time"),
    Option("--log", "file that messages go to, too", "", "FILE", "messages go to the standard output and error"),
    Option("--prefix", "names of instances before output", "-P", instead="output is passed on as it is"),
    Option("--quantum", "instructions that run at a time", "-Q", "N", _NOTHING),
    Option("--min-sync-latency", "instructions between synchronisations", "-M", "N", _NOTHING),
    Option(
        "-V",
        "scripts of virtual streams",
        "-V",
        "PATH",
        "virtual streaming is not modelled; its registers read zero",
    ),
)
OWN = (
    Option("--board", "the board (default: from the name that this was called by, else corstone-300)", "", "NAME"),
    Option("--npu-family", "the NPU (default: from that name, else the board's first one)", "", "U55|U65|U85"),
    Option("--release", "the release of Arm's FVPs that --version names (default: the newest)", "", "N.N.N"),
    Option("--verbose", "say what of an application is moved to other addresses"),
    Option("--gdb", "let a debugger attach to the CPU on that loopback port", "", "PORT"),
    Option("--trace", "write the NPU's operations to a file: .json for Chrome, Perfetto, else text", "", "FILE"),
)
ALL = (*ARMS, *OWN)

_HEAD = "usage: {program} [OPTIONS] [APPLICATION]\n\n"
_TAIL = """
Exit status: 0 ended by the program, EOT, shutdown_tag or a limit (as on the FVP: whatever the program did);
2 bad option or file; 3 QEMU missing or too old; 4 QEMU died or the CPU cannot go on; 129, 130, 143 by a signal.
"""
_COLUMN = 35


def short_options() -> str:
    """The letters as :mod:`getopt` takes them."""
    return "".join(each.short[1] + ":" * bool(each.value) for each in ALL if each.short)


def long_options() -> list[str]:
    """The words as :mod:`getopt` takes them."""
    return [each.name[2:] + "=" * bool(each.value) for each in ALL if each.name.startswith("--")]


def long_name(option: str) -> str:
    """The long form of an option that may be short."""
    return next((each.name for each in ALL if option in (each.short, each.name)), option)


def usage() -> str:
    """What ``--help`` prints, with ``{program}`` for the program's name."""
    honoured = [_usage_lines(each) for each in ARMS if not each.instead]
    own = [_usage_lines(each) for each in OWN]
    names = ", ".join(_names(each) for each in ARMS if each.instead)
    without = f"accepted without effect:\n{_folded(names)}\n"
    return f"{_HEAD}{''.join(honoured)}own options:\n{''.join(own)}{without}{_TAIL}"


def warnings(given: list[str]) -> list[str]:
    """A line for each reason why options that were given, by their long names, have no effect."""
    reasons: dict[str, list[str]] = {}
    for each in ARMS:
        if each.instead and each.name in given:
            reasons.setdefault(each.instead, []).append(each.name)
    return [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]


def _names(option: Option) -> str:
    return option.name if option.short in ("", option.name) else f"{option.short}/{option.name}"


def _usage_lines(option: Option) -> str:
    short = f"{option.short}," if option.short else "   "
    left = f"  {short} {option.name} {option.value}".rstrip()
    if len(left) >= _COLUMN:
        return f"{left}\n{'':{_COLUMN}}{option.text}\n"
    return f"{left:{_COLUMN}}{option.text}\n"


def _folded(text: str) -> str:
    import textwrap

    return textwrap.fill(text, 112, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
