"""What the float model says about the inputs of a run, where the build folder holds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from deploy import tflite
from deploy.data.quantized import real_values
from deploy.errors import BadInputError, NotInstalledError
from deploy.judging.oracles import OptimisedKernels
from deploy.judging.samples import Sample
from deploy.tflite import Model


def float_outputs(
    path: Path | None, source: Model, samples: Sequence[Sample], *, sequence: bool = False
) -> tuple[Sample, ...]:
    """Run the float model on dequantized samples; its outputs by name, per sample.

    Args:
        path: the float model as a TFLite file; None where there is none.
        source: the quantized model, which says how to read the samples.
        samples: as they are fed to the target.
        sequence: whether they are one sequence, in which the model keeps its state.

    Returns:
        One dictionary per sample; empty where there is no float model, or LiteRT cannot run it: its labels are an
        extra that no verdict rests on.
    """
    if path is None:
        return ()
    try:
        kernels = OptimisedKernels(tflite.read(path))
        return tuple(
            kernels.run(_reals(source, sample), keep_state=sequence and i > 0) for i, sample in enumerate(samples)
        )
    except (BadInputError, NotInstalledError):
        return ()


def _reals(source: Model, sample: Sample) -> dict[str, NDArray[Any]]:
    return {
        name: real_values(sample[name], source.tensors[index])
        if source.tensors[index].quantization
        else sample[name]
        for index, name in source.input_names().items()
    }
