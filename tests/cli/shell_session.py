"""A shell at a terminal, for tests of what TAB does in it."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

SHELLS: Mapping[str, tuple[str, ...]] = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
}
_PREPARED = {"bash": "", "zsh": "bindkey -e; autoload -Uz compinit; compinit -u -D\n"}
_GOT = re.compile(r"^got:(.*)$", re.MULTILINE)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_LIMIT_S = 60


class ShellSession:
    """A shell in which ``deploy`` is completed as its documentation says.

    Args:
        shell: ``bash`` or ``zsh``.
        folder: to work in; one below it holds the program.
    """

    def __init__(self, shell: str, folder: Path) -> None:
        programs = folder / ".programs"
        programs.mkdir()
        program = programs / "deploy"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m deploy "$@"\n')
        program.chmod(0o755)
        self._terminal, inside = pty.openpty()
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TERM": "xterm", "PS1": "$ "}
        self._shell = subprocess.Popen(
            SHELLS[shell],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        os.close(inside)
        self._type(_PREPARED[shell] + f'eval "$(_DEPLOY_COMPLETE=source_{shell} deploy)"\n')

    def completed(self, line: str) -> list[str]:
        """The words that a line has after TAB was pressed at its end."""
        # To the beginning of the line: its words are printed instead of run.
        self._type(f"{line}\t\x01printf 'got:%s\\n' \r printf 'got:%s\\n' end\r")
        said = ""
        deadline = time.monotonic() + _LIMIT_S
        while "end" not in (words := _GOT.findall(_CONTROL.sub("", said))):
            if not select.select([self._terminal], [], [], deadline - time.monotonic())[0]:
                raise TimeoutError(said)
            said += os.read(self._terminal, 65536).decode(errors="replace")
        return words[: words.index("end")]

    def close(self) -> None:
        """End the shell."""
        self._shell.kill()
        self._shell.wait()
        os.close(self._terminal)

    def _type(self, text: str) -> None:
        os.write(self._terminal, text.encode())
