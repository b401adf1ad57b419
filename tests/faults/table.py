"""What a fault of the campaign is, and the registry that the tables of the stages fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .sandbox import Outcome, Sandbox

Inject = Callable[[Sandbox], list[str]]
HUNG_UP, INTERRUPTED, TERMINATED, PIPE_CLOSED = 129, 130, 143, 141


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        stage: the step that meets it.
        what: the fault, in words.
        inject: prepares it and returns the command line (after ``deploy``).
        status: expected exit status.
        says: parts of the message.
        process: options of :meth:`Sandbox.run_process`; None runs inside the test's process.
        killed: the command itself is killed outright.
        slow: takes several seconds.
        tensorflow: needs TensorFlow.
        afterwards: looks at what the command left; returns what is wrong with it, empty where nothing is.
    """

    stage: str
    what: str
    inject: Inject
    status: int
    says: tuple[str, ...]
    process: dict[str, Any] | None = None
    killed: bool = False
    slow: bool = False
    tensorflow: bool = False
    afterwards: Callable[[Sandbox], str] = field(default=lambda _sandbox: "")

    @property
    def name(self) -> str:
        """Identifies it in tables and tests."""
        return f"{self.stage}: {self.what}"

    def undetected(self, outcome: Outcome) -> str:
        """Why an outcome is no detection; empty for one that is."""
        if outcome.status is None:
            return "it hung"
        if outcome.status != self.status:
            return f"exit status {outcome.status} instead of {self.status}: {outcome.text[-600:]}"
        if "Traceback" in outcome.text or "defect of deploy itself" in outcome.text:
            return f"a traceback: {outcome.text[-600:]}"
        missing = [part for part in self.says if part not in outcome.text]
        return f"the message lacks {missing}: {outcome.text[-600:]}" if missing else ""


@dataclass
class Stage:
    """Collects the faults of one stage; used as a decorator of the functions that inject them."""

    name: str
    faults: list[Fault] = field(default_factory=list)

    def __call__(self, what: str, status: int, *says: str, **options: Any) -> Callable[[Inject], Inject]:
        """Register the function as the injection of a fault."""

        def register(inject: Inject) -> Inject:
            self.add(what, status, *says, inject=inject, **options)
            return inject

        return register

    def add(self, what: str, status: int, *says: str, inject: Inject, **options: Any) -> None:
        """Register a fault."""
        self.faults.append(Fault(self.name, what, inject, status, says, **options))
