"""The quantized ones among the networks that others have trained: the MLPerf Tiny four and wake-word models."""

from __future__ import annotations

from pathlib import Path

from trained_networks import trained_networks

from deploy.errors import DeployError
from deploy.tflite import load


def real_networks() -> dict[str, Path]:
    """Name -> ``.tflite`` of every quantized network; downloads them once."""
    return {name: path for name, path in trained_networks().items() if _quantized(path.read_bytes())}


def _quantized(content: bytes) -> bool:
    """Some archives hold float networks beside the quantized ones."""
    try:
        model = load(content)
    except DeployError:
        return False
    return any(tensor.dtype == "int8" for tensor in model.tensors)
