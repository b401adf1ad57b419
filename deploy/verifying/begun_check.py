"""A check of operators that begins before there is a build: the reference kernels work while Vela does.

It is a fork, like every check behind a compilation. What the build is, it is told when that is written; nobody
tells it anything where there will be none, and it ends.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from collections.abc import Callable

from deploy.build_folder import BuildFolder
from deploy.errors import DeployError
from deploy.judging.samples import Sample
from deploy.processes.forked import ForkedCall
from deploy.processes.worker import close_all_but
from deploy.tflite import Model
from deploy.verifying.reference_ahead import ReferenceAhead
from deploy.verifying.usual_inputs import SEED

Check = Callable[[BuildFolder, float, ReferenceAhead | None], object]
"""Checks a build until a value of the monotonic clock, with what the reference kernels have said already."""

_OTHER_SEED = SEED + 1
"""The check itself goes on with other values."""


class BegunCheck:
    """The process; the thread that begins it has to live as long.

    Args:
        source: the model that is compiled.
        sample: an input that it is likely to be checked on.
        check: makes the check.

    Attributes:
        source: the model.
        child: the process.
    """

    def __init__(self, source: Model, sample: Sample, check: Check) -> None:
        self.source = source
        self._writes: int | None
        reads, self._writes = os.pipe()
        self.child = ForkedCall(lambda: _work(reads, source, sample, check))
        os.close(reads)

    def close(self) -> None:
        """There will be no build: it ends, without being waited for."""
        if self._writes is not None:
            os.close(self._writes)
            self._writes = None

    def go_on(self, build: BuildFolder, until: float) -> bool:
        """Have it check a build.

        Args:
            build: of the same model.
            until: value of the monotonic clock after which it begins nothing more.

        Returns:
            Whether it does; else it has ended.
        """
        writes, self._writes = self._writes, None
        if writes is None or self.child.ended():
            return False
        # Here, where nothing else works with the build.
        told = pickle.dumps((build.path, build.document, build.compiled_model, build.debug, until))

        def tell() -> None:
            with contextlib.suppress(OSError), os.fdopen(writes, "wb") as stream:  # it may end meanwhile
                stream.write(told)

        threading.Thread(target=tell, daemon=True).start()  # whatever it does, its time is limited by who waits
        return True


def _work(reads: int, source: Model, sample: Sample, check: Check) -> None:
    """In the fork."""
    close_all_but(reads)  # what it has of this process's pipes would keep others waiting for their end
    ahead: ReferenceAhead | None = None
    with contextlib.suppress(DeployError):  # the check says what is missing
        ahead = ReferenceAhead(source, sample, _OTHER_SEED)
    with os.fdopen(reads, "rb") as stream:
        path, document, compiled, debug, until = pickle.load(stream)  # noqa: S301 - from its own parent
    build = BuildFolder(path, document)
    build.source_model, build.compiled_model, build.debug = source, compiled, debug
    check(build, until, ahead)
