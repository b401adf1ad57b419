"""Names of tensors that Vela's reports can hold: it writes them into CSV without quotes, and into lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.tflite import Model
from deploy.tflite.renaming import with_names

_SAFE = re.compile(r"[^\x00-\x1f\x7f\x85\u2028\u2029,\"'\]]{0,1024}")
_UNSAFE_CHARACTER = re.compile(r"[^0-9A-Za-z_./:;-]")
_KEPT_CHARACTERS = 64


@dataclass(frozen=True)
class SafeNames:
    """What tensors are called while Vela works.

    Attributes:
        given: safe name -> the name in the model; empty where all names are safe.
    """

    given: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model) -> SafeNames:
        """The names for a model: those that are safe stay, others are recognised by eye."""
        taken = {tensor.name for tensor in model.tensors}
        unsafe = [name for name in taken if not _SAFE.fullmatch(name)]
        given = {}
        for number, name in enumerate(sorted(unsafe)):
            safe = f"{_UNSAFE_CHARACTER.sub('_', name[:_KEPT_CHARACTERS])}_{number}"
            while safe in taken:
                safe += "_"
            taken.add(safe)
            given[safe] = name
        return cls(given)

    def hidden(self, content: bytes) -> bytes:
        """The model to give to Vela."""
        return with_names(content, self._safe) if self.given else content

    def restored(self, content: bytes) -> bytes:
        """Vela's output with the names of the model."""
        return with_names(content, self.name) if self.given else content

    def name(self, safe: str) -> str:
        """The name in the model of what Vela calls a tensor."""
        return self.given.get(safe, safe)

    def _safe(self, name: str) -> str:
        return next((safe for safe, given in self.given.items() if given == name), name)
