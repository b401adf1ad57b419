"""The check of operators behind a compilation: it begins beside Vela, and ends beside advice and report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from deploy.api import VERIFY_LEVELS
from deploy.cli.console import note_slow_npu_model
from deploy.errors import BadInputError

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.compiling.compiler import Timed
    from deploy.hardware.npus import Npu
    from deploy.judging.inputs import InputSet
    from deploy.judging.samples import Sample
    from deploy.judging.verification_record import VerificationRecord
    from deploy.processes.supervisor import RunCommand
    from deploy.tflite import Model
    from deploy.verifying.begun_check import BegunCheck
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
        self._begun: BegunCheck | None = None
        self._check: BuildCheck | None = None

    def vela_starts(self) -> None:
        """Vela is started: its time is the most that the check may take."""
        self._began = time.monotonic()

    def timing(self, run: RunCommand) -> RunCommand:
        """What runs Vela for the build, and notes its time."""
        from deploy.compiling.compiler import Timed

        self._vela = Timed(run, self._began)
        return self._vela

    def prepare(self, model: Model, npu: Npu, given: Callable[[], Sequence[Sample]]) -> None:
        """Begin the check beside Vela: what it needs is imported before it forks, by the thread that ends it.

        Args:
            model: that Vela compiles.
            npu: what for.
            given: real inputs, as far as there are any.
        """
        if self._level is None:
            return
        with contextlib.suppress(Exception):  # who needs it imports it again, and says what is wrong
            from deploy.verifying.build_check import begun_check
            from deploy.verifying.usual_inputs import likely_sample

            self._begun = begun_check(model, npu, likely_sample(model, given()))

    def begin(self, build: BuildFolder, inputs: InputSet, *, quiet: bool) -> None:
        """Vela is done: check what it made, in a process beside this one.

        Args:
            build: as it is going to be written.
            inputs: that it is going to keep.
            quiet: do not say that it is going to be slow.
        """
        self._build = build
        if self._level is None:
            return
        from deploy.verifying.build_check import BuildCheck

        note_slow_npu_model(quiet=quiet)
        self._check = BuildCheck(build, self._vela.seconds if self._vela is not None else 0.0, self._begun, inputs)

    def finish(self) -> VerificationRecord:
        """Wait for what the check found, and keep it in the build folder.

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
        if self._begun is not None:
            self._begun.close()
