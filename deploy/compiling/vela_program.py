"""The program that Vela is: what starts it needs no more than this, and nothing of what reads its results."""

from __future__ import annotations

from deploy.processes.limits import GIB, Limits

MODULE, IMPORTED = "ethosu.vela", "ethosu.vela.vela"
"""What is run as ``python -m``, and the module that it imports: all of Vela but its ``__main__``."""

LIMITS = Limits(memory_bytes=2 * GIB)
"""Sixteen times what Vela takes for MobileNetV2 (0.12 GB, measured); a damaged model can make it ask for more."""
