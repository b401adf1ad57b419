"""The check of operators behind a compilation: it runs from when Vela is done, beside advice and report."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from deploy.api import VERIFY_LEVELS
from deploy.cli.console import note_slow_npu_model
from deploy.errors import BadInputError

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.compiling.compiler import Timed
    from deploy.judging.verification_record import VerificationRecord
    from deploy.processes.supervisor import RunCommand
    from deploy.verifying.build_check import BuildCheck


def verify_level(asked: str | None) -> str | None:
    """The level that was asked for, ``quick`` where nothing was said; None for no check.

    Raises:
        BadInputError: there is no such level.
    """
    if asked is not None and asked not in VERIFY_LEVELS:
        raise BadInputError(f"--verify {asked}: choose {' or '.join(VERIFY_LEVELS)}")
    return None if asked == "none" else VERIFY_LEVELS[1]


class Checking:
    """Checks a build's operators; what that needs is imported while Vela compiles.

    Whoever makes it has to :meth:`close` it in the end.

    Args:
        level: of :func:`verify_level`.
    """

    def __init__(self, level: str | None) -> None:
        self._level = level
        self._began: float | None = None
        self._vela: Timed | None = None
        self._loading: threading.Thread | None = None
        self._check: BuildCheck | None = None

    def vela_starts(self) -> None:
        """Vela is started: its time is the most that the check may take."""
        self._began = time.monotonic()

    def timing(self, run: RunCommand) -> RunCommand:
        """What runs Vela for the build, and has its time noted."""
        from deploy.compiling.compiler import Timed

        self._vela = Timed(run, self._began)
        return self._vela

    def prepare(self, *, quiet: bool) -> None:
        """Import what the check needs, while Vela is waited for.

        Args:
            quiet: do not say that it is going to be slow.
        """

        def load() -> None:
            import deploy.verifying.build_check  # noqa: F401

        if self._level is not None:
            # Python 3.11 takes two threads for a deadlock that both import a package whose __init__ imports more.
            import deploy.npu  # noqa: F401

            if not quiet:
                note_slow_npu_model()
            self._loading = threading.Thread(target=load, daemon=True)
            self._loading.start()

    def begin(self, build: BuildFolder) -> None:
        """Vela is done: check what it wrote, in a process beside this one."""
        self._build = build
        if self._level is None:
            return
        from deploy.verifying.build_check import BuildCheck

        if self._loading is not None:
            self._loading.join()
        self._check = BuildCheck(build, self._vela.seconds if self._vela is not None else 0.0)

    def finish(self) -> VerificationRecord:
        """Wait for what the check found, which is kept in the build folder.

        Raises:
            BadInputError: the build folder cannot be written.
        """
        from deploy.judging.verification_record import SKIPPED, keep_record, not_checked

        if self._check is None:
            return keep_record(self._build, not_checked(self._build, SKIPPED))
        return self._check.finish()

    def close(self) -> None:
        """End what still runs."""
        if self._check is not None:
            self._check.kill()
