"""Long work shows at once, on a terminal, that it lives, says at what stage it is, and leaves nothing behind."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.cli.progress import HiddenBar, progress

HEAVY = ("numpy", "pydantic", "tensorflow", "keras", "ai_edge_litert", "ethosu")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def at_a_terminal(code: str, *words: str) -> str:
    """What Python code with arguments writes to a terminal."""
    outside, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(inside)
    said = b""
    try:
        while piece := os.read(outside, 65536):
            said += piece
    except OSError:  # the other side is closed
        pass
    os.close(outside)
    assert process.wait(60) == 0, said.decode()
    return said.decode()


def test_nothing_is_shown_where_nobody_looks() -> None:
    assert isinstance(progress("working"), HiddenBar)


def test_a_bar_names_its_stages_counts_what_is_counted_and_goes_away() -> None:
    said = at_a_terminal(
        "from deploy.cli.progress import progress\n"
        "with progress('reading') as bar:\n"
        "    bar._progress.refresh()\n"
        "    bar.stage('comparing')\n"
        "    bar._progress.refresh()\n"
        "    bar.advance(3, 7)\n"
        "    bar._progress.refresh()\n"
        "print('done')\n"
    )
    shown = _CONTROL.sub("", said)
    assert re.search(r"reading [^\n]*0:00:00", shown)
    assert "?" not in shown
    assert re.search(r"comparing [^\n]* 3/7 ", shown)
    assert "\x1b[2K" in said.rpartition("3/7")[2], "the bar is erased"
    assert shown.rstrip().endswith("done")


def test_it_is_seen_while_what_libraries_print_is_held_back() -> None:
    said = at_a_terminal(
        "import os, sys\n"
        "from deploy.chatter import silenced\n"
        "from deploy.cli.progress import progress\n"
        "with progress('reading') as bar, silenced():\n"
        "    os.write(2, b'chatter of C++'); print('chatter of Python', file=sys.stderr)\n"
        "    bar.stage('converting')\n"
        "    bar._progress.refresh()\n"
    )
    assert "converting" in said
    assert "chatter" not in said


def test_quiet_shows_nothing() -> None:
    assert at_a_terminal("from deploy.cli.progress import progress\nwith progress('x', quiet=True): pass") == ""


LONG = [
    ["verify", "b"],
    ["run-fvp", "b"],
    ["run-board", "b", "--port", "/dev/null"],
    ["compile", "m.keras", "--npu", "U55-128"],
    ["quantize", "m.keras"],
    ["evaluate", "b", "--data", "d"],
    ["optimize", "m.tflite", "--npu", "U55-128"],
    ["report", "b"],
    ["firmware", "b"],
    ["sweep", "m.tflite"],
    ["search"],
    ["check", "b"],
    ["models", "card", "mobilenetv4", "--measure"],
    ["models", "build", "mobilenetv4"],
    ["models", "train", "mobilenetv4"],
    ["models", "data", "mobilenetv4"],
    ["doctor"],
]


@pytest.mark.parametrize("words", LONG, ids=" ".join)
def test_a_long_verb_shows_that_it_lives_before_it_loads_what_takes_long(
    words: list[str], in_folder: Path
) -> None:
    said = at_a_terminal(
        "import sys\n"
        "from deploy.cli import progress\n"
        "class Shown(Exception): pass\n"
        "def shown(title):\n"
        f"    print('loaded', [name for name in {HEAVY!r} if name in sys.modules], title)\n"
        "    raise Shown\n"
        "progress.ShownBar = shown\n"
        "from deploy.cli.main import run\n"
        "run(sys.argv[1:])\n",
        *words,
    )
    assert "loaded [] " in said, said
