"""What a user should know about a quantized model before trusting it, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deploy.data.stream import Dataset
from deploy.quantizing.agreement import OutputAgreement, coarse_warning
from deploy.quantizing.calibration import findings
from deploy.quantizing.float_model import FloatModel
from deploy.quantizing.float_tflite import FloatTflite
from deploy.quantizing.layer_errors import LayerError, worst
from deploy.quantizing.own_range import scaling_findings, spread_findings
from deploy.tflite import Model

LOW_TOP1 = 0.95
"""Top-1 agreement with the float model below which accuracy will suffer visibly."""

_NAMED = 3
_LONGEST_NAME = 60


def warnings_of_data(model: FloatModel | FloatTflite, floating: Model | None, data: Dataset) -> Iterator[str]:
    """Judge calibration data by itself and by what the model says of its inputs.

    Args:
        model: float.
        floating: the same as a TFLite file, where there is one.
        data: calibration samples.
    """
    yield from findings(data.arrays)
    if floating is not None:
        shown = {spec.name for spec in model.inputs if spec.prepares is not None}
        yield from scaling_findings(floating, data.arrays, shown)
    if model.spread is not None:
        yield from spread_findings(model.spread, [data.arrays[spec.name] for spec in model.inputs])


def low(agreement: Sequence[OutputAgreement]) -> list[OutputAgreement]:
    """Outputs whose largest value is often another one than the float model's."""
    return [
        output for output in agreement if output.top1_agreement is not None and output.top1_agreement < LOW_TOP1
    ]


def warnings_of_agreement(agreement: Sequence[OutputAgreement], layers: Sequence[LayerError]) -> Iterator[str]:
    """Judge outputs.

    Args:
        agreement: float model against quantized model, per output.
        layers: error of each operator, where it was measured.
    """
    yield from filter(None, map(coarse_warning, agreement))
    lossy = ", ".join(
        f"{error.index} {error.operator} ({error.own:.0%}: {error.name[:_LONGEST_NAME]})"
        for error in worst(layers, _NAMED)
    )
    for output in low(agreement):
        yield (
            f"output {output.name}: the largest value is the float model's in {output.top1_agreement:.1%} only"
            + (f"; operators that lose most, in shares of their outputs' spread: {lossy}" if lossy else "")
            + "; deploy quantize --debug shows all; --float keeps an operator in float, --precision int16x8 gives "
            "activations 16 bits"
        )
