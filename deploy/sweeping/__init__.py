"""Sweeps: a network over NPUs, memory modes, strategies and its own options; what is best for what."""
