"""Vela at work before anyone can read its results: what reads them is imported and prepared meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.compiling import vela_command
from deploy.compiling.safe_names import SafeNames
from deploy.compiling.vela_command import MODEL_FILE, OUTPUT_FOLDER, command_line
from deploy.errors import DeployError
from deploy.files import private_folder
from deploy.processes.supervisor import Ended, RunCommand
from deploy.tflite import Model

if TYPE_CHECKING:
    from deploy.compiling.compile_options import CompileOptions


class VelaAhead:
    """One run of Vela, begun at once; whoever asks for the very same run later gets what it left.

    Args:
        model: to compile.
        options: what for.
        run: runs Vela's command, this one and any other that is asked for.

    Raises:
        BadInputError: the system's temporary folder is full or cannot be written.
    """

    def __init__(self, model: Model, options: CompileOptions, run: RunCommand) -> None:
        self._run, self._content = run, SafeNames.of(model).hidden(model.content)
        self._command = command_line(options, MODEL_FILE, OUTPUT_FOLDER)
        self._asked = threading.Lock()
        self._ended: Ended | None = None
        self._folders = contextlib.ExitStack()
        self._folder = self._folders.enter_context(private_folder("vela"))
        with contextlib.suppress(OSError):  # who asks for the same fails likewise, and says so
            (self._folder / MODEL_FILE).write_bytes(self._content)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        with contextlib.suppress(DeployError, OSError):
            self._ended = self._run(self._command, self._folder, timeout_s=vela_command.TIMEOUT_S)

    def run(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        """Run a command in a folder, or wait for the end of the run that is the same; see ``RunCommand``."""
        if list(command) != self._command or not self._is_same(folder) or not self._asked.acquire(blocking=False):
            return self._run(command, folder, timeout_s=timeout_s)
        self._thread.join()
        if self._ended is None:
            return self._run(command, folder, timeout_s=timeout_s)
        with contextlib.suppress(FileNotFoundError):  # Vela wrote nothing
            (self._folder / OUTPUT_FOLDER).rename(folder / OUTPUT_FOLDER)
        return self._ended

    def _is_same(self, folder: Path) -> bool:
        file = folder / MODEL_FILE
        return file.is_file() and file.read_bytes() == self._content

    def close(self) -> None:
        """Leave nothing behind; what runs Vela has to be closed before."""
        self._thread.join()
        self._folders.close()
