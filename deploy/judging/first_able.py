"""Oracles that stand in for one another: the first that can run a model speaks, and why others do not is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from deploy.build_folder import Document
from deploy.errors import BadInputError, NotInstalledError
from deploy.judging.kernels import InconsistentModelError
from deploy.judging.oracles import MakeOracle, Oracle
from deploy.tflite import Model


class OracleLeftOut(Document):
    """An oracle that does not say anything about a model.

    Attributes:
        reference: its name.
        reason: why, one sentence.
    """

    reference: str
    reason: str

    @classmethod
    def of(cls, make: MakeOracle, error: Exception) -> OracleLeftOut:
        """What is left out for an error."""
        return cls(reference=getattr(make, "name", "another oracle"), reason=str(error))

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.reference} is left out: {self.reason}"


class LostStateError(BadInputError):
    """An oracle failed in a sequence, whose state the next one does not have: ask that one from the beginning."""


class FirstAble:
    """The first of several oracles that can run a model. One that fails while it runs makes way for the next.

    Args:
        model: the model.
        makes: the oracles in order, at least one.

    Attributes:
        name: of the one that speaks.
        version: of it.
        left_out: those before it.
        tried: what made it and those.

    Raises:
        BadInputError: none can run the model.
        NotInstalledError: the first is missing: whoever has not got it is told so.
    """

    def __init__(self, model: Model, makes: Sequence[MakeOracle]) -> None:
        self._model, self._waiting = model, list(makes)
        self.left_out: list[OracleLeftOut] = []
        self.tried: list[MakeOracle] = []
        self._first: BadInputError | None = None
        self._oracle = self._next()

    def _next(self) -> Oracle:
        while self._waiting:
            make = self._waiting.pop(0)
            self.tried.append(make)
            try:
                return make(self._model)
            except BadInputError as error:
                self._leave_out(error)
            except NotInstalledError as error:
                if self._first is None:
                    raise
                self.left_out.append(OracleLeftOut.of(make, error))
        if self._first is None:
            raise ValueError("no oracle to ask")
        others = [other.sentence for other in self.left_out[1:]]
        raise BadInputError(self._first.message, hints=[*self._first.hints, *others])

    def _leave_out(self, error: BadInputError) -> None:
        self._first = self._first or error
        self.left_out.append(OracleLeftOut.of(self.tried[-1], error))

    @property
    def name(self) -> str:
        """For reports."""
        return self._oracle.name

    @property
    def version(self) -> str:
        """Of the package that it comes from."""
        return self._oracle.version

    @property
    def title(self) -> str:
        """What a verdict calls it."""
        return self._oracle.title

    def run(self, inputs: Mapping[str, NDArray[Any]], *, keep_state: bool = False) -> dict[str, NDArray[Any]]:
        """Run one inference; see :meth:`run_all`."""
        return self.run_all([inputs], keep_state=keep_state)[0]

    def run_all(
        self, samples: Sequence[Mapping[str, NDArray[Any]]], *, keep_state: bool = False
    ) -> list[dict[str, NDArray[Any]]]:
        """Run several inferences one behind the other.

        Raises:
            BadInputError: a sample does not fit the model, or no oracle can run it.
            LostStateError: the one that kept the state failed; another one speaks now.
        """
        while True:
            try:
                return self._oracle.run_all(samples, keep_state=keep_state)
            except InconsistentModelError:
                raise
            except BadInputError as error:
                self._leave_out(error)
                self._oracle = self._next()
                if keep_state:
                    raise LostStateError(error.message, hints=error.hints) from error
