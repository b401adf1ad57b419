"""A file that QEMU opens, too, and that nothing is left of whatever ends whom."""

from __future__ import annotations

import os
import sys
from pathlib import Path


class SharedFile:
    """On Linux memory that has no name but a descriptor, which QEMU inherits; elsewhere a temporary file.

    Args:
        purpose: what for, as part of its name.
        content: its bytes.
        size: bytes of a sparse file, where they are more.

    Attributes:
        descriptor: here; -1 once it is closed.
        path: under which QEMU opens it.
    """

    def __init__(self, purpose: str, content: bytes = b"", size: int = 0) -> None:
        name = f"corstone-{purpose}"
        self._named = sys.platform != "linux"
        if self._named:
            import tempfile

            self.descriptor, self.path = tempfile.mkstemp(prefix=f"{name}-")
        else:
            self.descriptor = os.memfd_create(name)
            self.path = f"/proc/self/fd/{self.descriptor}"
        os.ftruncate(self.descriptor, max(len(content), size))
        view = memoryview(content)
        while view:
            view = view[os.write(self.descriptor, view) :]

    @property
    def inherited(self) -> tuple[int, ...]:
        """The descriptors that QEMU needs for it."""
        return () if self._named else (self.descriptor,)

    def forget(self) -> None:
        """Take the name away, once QEMU has it open."""
        if self._named:
            Path(self.path).unlink(missing_ok=True)
            self._named = False

    def close(self) -> None:
        """Take the name away and let go of it here; harmless once more."""
        self.forget()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
