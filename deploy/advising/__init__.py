"""Advice: what would make a model cheaper on an NPU, every hint with what Vela estimates with and without it."""
