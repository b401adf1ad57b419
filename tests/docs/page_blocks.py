"""What pages hold: commands that are shown, and tutorials that can be carried out word for word."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from typed_lines import typed_of

ROOT = Path(__file__).parent.parent.parent
_FENCE = re.compile(r"^( *)```(\w+)?([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(deploy [^`]+)`")
_NUMBER = re.compile(r"[-+]?\d[\d.,]*")
_GAP = "..."


def pages() -> list[Path]:
    """Every page that people read, wherever it stands."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        ROOT / "SECURITY.md",
        ROOT / "fvp" / "README.md",
        *sorted((ROOT / "models").glob("*/README.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
    ]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its file name where it has a title, its text."""

    language: str
    title: str | None
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    for match in _FENCE.finditer(page.read_text(encoding="utf-8")):
        title = re.search(r'title="([^"]+)"', match[3])
        text = re.sub(f"^{match[1]}", "", match[4], flags=re.MULTILINE)
        found.append(Block(match[2] or "", title[1] if title else None, text))
    return found


@dataclass(frozen=True)
class Step:
    """A command that a console block types, and the lines that it shows."""

    command: str
    shown: tuple[str, ...]


def steps(block: Block) -> list[Step]:
    """The commands of a console block."""
    lines = block.text.replace("\\\n", " ").splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"a console block begins with a command: {lines[:1]}"
    ends = [*starts[1:], len(lines)]
    return [Step(lines[a][2:], tuple(lines[a + 1 : b])) for a, b in zip(starts, ends, strict=True)]


def typed(page: Path) -> list[str]:
    """Every command of `deploy` in the blocks of a page."""
    found = []
    for block in blocks(page):
        if block.language == "console":
            found += [step.command for step in steps(block)]
        elif block.language in ("sh", "yaml"):
            found += [
                line.strip().removeprefix("- run: ") for line in block.text.replace("\\\n", " ").splitlines()
            ]
    return [command for command in found if command.startswith("deploy ")]


def mentioned(page: Path) -> list[str]:
    """Every command of `deploy` in the running text of a page."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(command.split()) for command in _INLINE.findall(text)]


def words(command: str) -> list[str]:
    """A command's words without `deploy`, comments and redirections."""
    found = shlex.split(command, comments=True)[1:]
    ends = [i for i, word in enumerate(found) if word in ("|", "||", "&&", ">", ";")]
    return found[: ends[0]] if ends else found


def plain(line: str) -> str:
    """A line of output without what differs from run to run: numbers, and the width of columns."""
    return " ".join(re.sub("─+", "─", _NUMBER.sub("N", line)).split())


def shows(shown: tuple[str, ...], printed: str) -> str | None:
    """What a page shows and the command did not print, in this order; None where all is well.

    A line `...` stands for any lines; without one the page shows everything. A line that ends in ` ...` stands for
    any that begins so. Empty lines do not count.
    """
    actual = [line for line in map(plain, printed.splitlines()) if line]
    position, loose = 0, False
    for line in filter(None, map(plain, shown)):
        if line == _GAP:
            loose = True
            continue
        found = next((at for at in range(position, len(actual)) if _is(line, actual[at])), None)
        if found is None or (found > position and not loose):
            return line
        position = found
        position, loose = position + 1, False
    return None if loose or position == len(actual) else f"nothing more, but printed was: {actual[position]}"


def _is(shown: str, printed: str) -> bool:
    cut = shown.removesuffix(f" {_GAP}")
    return printed == shown or (cut != shown and printed.startswith(cut))


Shell: TypeAlias = Callable[[Sequence[str], Path, Mapping[str, str]], subprocess.CompletedProcess[str]]


def shell(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """A command in a folder, as users type it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def script(text: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A script in a folder, up to the first command that fails; what it leaves in the background ends with it."""
    path = f"{folder / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "script.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            ["bash", "-exo", "pipefail", "-c", text],
            cwd=folder,
            env={**os.environ, "PATH": path, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=1800)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        log.seek(0)
        return subprocess.CompletedProcess(text, status, log.read())


def carry_out(page: Path, folder: Path, run: Shell = shell) -> Iterator[tuple[Step, str | None]]:
    """Do what a page says in a folder: write its files, type its commands; yields what each did not print.

    A command's exit status must be 0 unless the page asks for it with `echo $?`. Of an ``sh`` block, which shows
    nothing, everything is typed that can be.
    """
    environment = {"COLUMNS": "120", "TF_CPP_MIN_LOG_LEVEL": "3"}
    for block in blocks(page):
        if block.title is not None:
            (folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            yield from _carried_out(steps(block), folder, run, environment)
        elif block.language == "sh" and (text := typed_of(block.text)):
            done = script(text, folder, environment)
            assert done.returncode == 0, f"{page.name}: exit status {done.returncode}\n{done.stdout}"
            yield Step(text, ()), None


def _carried_out(
    todo: Sequence[Step], folder: Path, run: Shell, environment: Mapping[str, str]
) -> Iterator[tuple[Step, str | None]]:
    status = 0
    for number, step in enumerate(todo):
        if step.command == "echo $?":
            yield step, shows(step.shown, str(status))
            assert step.shown == (str(status),), f"exit status {status}, the page shows {step.shown}"
            continue
        done = run(["bash", "-c", step.command], folder, environment)
        status = done.returncode
        asked = number + 1 < len(todo) and todo[number + 1].command == "echo $?"
        assert asked or status == 0, f"{step.command}: exit status {status}\n{done.stdout}{done.stderr}"
        missing = shows(step.shown, done.stdout) and shows(step.shown, done.stdout + done.stderr)
        yield step, None if missing is None else f"{missing}\n--- printed:\n{done.stdout}{done.stderr}"
