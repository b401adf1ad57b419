"""Scripts that type ``deploy`` and ``python``, which this process carries out: it has everything imported.

TensorFlow's import is most of what a short command takes that needs it, and a page types several of them. What
starts as it does for users is marked slow, beside each test that uses this.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from deploy.cli.main import run

_TYPED = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as there:
    there.connect({address!r})
    there.sendall(json.dumps([{program!r}, sys.argv[1:], os.getcwd(), os.environ.get("COLUMNS", "80")]).encode())
    there.shutdown(socket.SHUT_WR)
    status, out, error = json.loads(there.makefile("rb").read())
sys.stdout.write(out)
sys.stderr.write(error)
sys.exit(status)
"""


def typed_here(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a shell's command in a folder; ``deploy`` and ``python`` are first on its PATH, and in ``$BIN``."""
    with tempfile.TemporaryDirectory(prefix="typed-") as name, socket.socket(socket.AF_UNIX) as here:
        programs = Path(name)
        here.bind(str(programs / "here"))
        here.listen()
        here.settimeout(0.02)
        for program in ("deploy", "python"):
            path = programs / program
            path.write_text(_TYPED.format(python=sys.executable, address=str(programs / "here"), program=program))
            path.chmod(0o755)
        path_variable = f"{name}{os.pathsep}{os.environ['PATH']}"
        with (programs / "out").open("w+") as out, (programs / "error").open("w+") as error:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **(environment or {}), "PATH": path_variable, "BIN": name},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=error,
            )
            while process.poll() is None:
                with contextlib.suppress(TimeoutError):
                    there, _ = here.accept()
                    with there:
                        there.settimeout(None)
                        asked = json.loads(there.makefile("rb").read())
                        there.sendall(json.dumps(_carried_out(*asked)).encode())
            for written in (out, error):
                written.seek(0)
            return subprocess.CompletedProcess(command, process.returncode, out.read(), error.read())


def _carried_out(program: str, words: list[str], folder: str, columns: str) -> tuple[int, str, str]:
    """Exit status, and what was written on standard output and error."""
    out, error = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
    ):
        patch.setenv("COLUMNS", columns)
        if program == "deploy":
            status = int(run(words))
        else:
            patch.setattr(sys, "argv", words)
            runpy.run_path(words[0], run_name="__main__")
            status = 0
    return status, out.getvalue(), error.getvalue()
