"""A check of operators in a process of its own, which may begin before there is a build.

It is a fork, which has everything imported. The reference kernels work in it while Vela does; what was compiled it
is told as soon as that is known, which is before the build folder is written. What it finds it says: it writes
nothing.
"""

from __future__ import annotations

import contextlib
import pickle
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.build_folder import BuildFolder, CompileDocument
from deploy.debug_database import DebugDatabase
from deploy.errors import DeployError
from deploy.judging.inputs import InputSet
from deploy.judging.samples import Sample
from deploy.judging.verification_record import VerificationRecord
from deploy.processes.worker import Buffer, Worker, WorkerEndedError
from deploy.tflite import Model, load
from deploy.verifying.reference_ahead import ReferenceAhead
from deploy.verifying.usual_inputs import SEED

Check = Callable[[BuildFolder, float, InputSet | None, ReferenceAhead | None], VerificationRecord]
"""Checks a build until a value of the monotonic clock, on the inputs that it is going to keep (None where it is
written and has them), with what the reference kernels have said already."""

_OTHER_SEED = SEED + 1
"""The check itself goes on with other values."""

_AHEAD, _CHECK = b"ahead", b"check"
"""What the process is asked for."""

_BEGIN_S = 10.0
"""Far more than it takes to fork a process and to import some modules."""


@dataclass(frozen=True)
class _Asked:
    """What is checked: a build beside its source model, which the process has, and until when."""

    path: Path
    document: CompileDocument
    compiled: bytes
    debug: DebugDatabase
    inputs: InputSet | None
    until: float


class BegunCheck:
    """The process; whoever makes it has to :meth:`close` it.

    Args:
        source: the model that is compiled.
        check: makes the check.
        sample: an input that it is likely to be checked on, for the reference kernels to begin with at once.
        load: loads what every check needs, while the kernels work.

    Attributes:
        source: the model.
    """

    def __init__(
        self,
        source: Model,
        check: Check,
        sample: Sample | None = None,
        load: Callable[[], object] = lambda: None,
    ) -> None:
        self.source = source
        self._worker = Worker(_Process(source, check, sample, load).answer)
        self._found: VerificationRecord | WorkerEndedError = WorkerEndedError("was not asked")
        self._asking = threading.Thread(target=self._begin, daemon=True)
        self._asking.start()

    def _begin(self) -> None:
        with contextlib.suppress(WorkerEndedError):  # whoever goes on sees it
            self._worker.ask(_AHEAD, timeout_s=_BEGIN_S)

    @property
    def alive(self) -> bool:
        """Whether it may be asked to go on."""
        self._asking.join()
        return self._worker.alive and not self._worker.ended

    def go_on(self, build: BuildFolder, inputs: InputSet | None, *, until: float, timeout_s: float) -> None:
        """Have it check a build of the same model, beside what the caller does next.

        Args:
            build: it may still have to be written.
            inputs: that the build is going to keep; None where it is written.
            until: value of the monotonic clock after which the check begins nothing more.
            timeout_s: after this many seconds it is ended.
        """
        compiled = build.compiled_model.content
        asked = pickle.dumps(_Asked(build.path, build.document, compiled, build.debug, inputs, until))
        self._asking = threading.Thread(target=self._ask, args=(asked, timeout_s), daemon=True)
        self._asking.start()

    def _ask(self, asked: bytes, timeout_s: float) -> None:
        try:
            _, said = self._worker.ask(_CHECK, [asked], timeout_s=timeout_s)
            self._found = VerificationRecord.model_validate_json(bytes(said))
        except WorkerEndedError as error:
            self._found = error

    def record(self) -> VerificationRecord:
        """Wait for what it found.

        Raises:
            WorkerEndedError: it ended instead, or was ended.
        """
        self._asking.join()
        if isinstance(self._found, WorkerEndedError):
            raise self._found
        return self._found

    def close(self) -> None:
        """End it."""
        self._worker.close()


class _Process:
    """In the fork."""

    def __init__(self, source: Model, check: Check, sample: Sample | None, load: Callable[[], object]) -> None:
        self._source, self._check, self._sample, self._load = source, check, sample, load
        self._ahead: ReferenceAhead | None = None

    def answer(self, asks_for: bytes, body: bytearray) -> tuple[bytes, Sequence[Buffer]]:
        """What :class:`BegunCheck` asks for."""
        if asks_for == _AHEAD:
            with contextlib.suppress(DeployError):  # the check says what is missing
                if self._sample is not None:
                    self._ahead = ReferenceAhead(self._source, self._sample, _OTHER_SEED)
            with contextlib.suppress(Exception):  # it is loaded again, and what is wrong is said
                self._load()
            return b"", ()
        asked: _Asked = pickle.loads(body)  # noqa: S301 - from its own parent
        build = BuildFolder(asked.path, asked.document)
        build.source_model, build.debug = self._source, asked.debug
        build.compiled_model = load(asked.compiled, source=str(build.compiled))
        record = self._check(build, asked.until, asked.inputs, self._ahead)
        self._ahead = None  # the process of its kernels ends before this one is ended
        return b"", [record.model_dump_json().encode()]
