"""Where answers come from: what computed them, what was booted for it, and the versions of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deploy.build_folder import Document


class Platform(Document):
    """What computed the answers: the open Corstone, Arm's FVP, a board, or the NPU model alone on the host.

    ``timing`` says whether a simulator counted the NPU's cycles (Arm's FVP without ``--fast``).
    """

    kind: Literal["open", "arm", "board", "host"]
    executable: str
    version: str
    npu: str
    timing: bool = False


class FirmwareRecord(Document):
    """What was booted."""

    kind: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Origin:
    """Where answers come from, as far as it is known.

    Attributes:
        platform: what computes them; None before it was found.
        firmware: what was booted; None where nothing was.
        versions: of the platform's parts, by name.
    """

    platform: Platform | None = None
    firmware: FirmwareRecord | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
