"""From a float model of any kind to a full-integer file, or to the operators that stand in the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from deploy import tflite
from deploy.data.stream import Dataset
from deploy.errors import BadInputError
from deploy.quantizing.converter import UNQUANTIZED, Conversion, convert
from deploy.quantizing.copies import with_scales_of_copies
from deploy.quantizing.float_model import FloatModel
from deploy.quantizing.float_tflite import FloatTflite, is_quantized, of_model, quantize_tflite
from deploy.quantizing.precision import INT8, Precision
from deploy.tflite import Model
from deploy.tflite.arithmetic import float_operators

_TENSORFLOW, _LITERT, _QUANTIZER = ("tensorflow", "keras"), "ai-edge-litert", "ai-edge-quantizer"


@dataclass(frozen=True)
class Converted:
    """A quantized file, the float one, that one in a form for integers, and the packages that made them."""

    strict: bytes
    floating: bytes | None
    prepared: bytes | None
    tools: tuple[str, ...]


def converted(
    model: FloatModel | FloatTflite,
    data: Dataset,
    io: str,
    precision: Precision,
    *,
    floating: bool,
    verbose: bool,
) -> Converted:
    """Convert (quantized, and as it is where asked for), or say which operators stand in the way.

    TensorFlow's converter quantizes what it converts; what it cannot (other precisions) and files that are TFLite
    already are ai-edge-quantizer's.
    """
    if isinstance(model, FloatTflite):
        content, prepared = quantize_tflite(model, data, io, precision, verbose=verbose)
        return Converted(content, model.model.content, prepared, (_LITERT, _QUANTIZER))
    if precision != INT8:
        whole = convert(model, data, UNQUANTIZED, verbose=verbose)
        if whole.floating is None:
            raise _refusal(model, whole)
        unquantized = tflite.load(whole.floating, source=model.source)
        if is_quantized(unquantized):
            raise BadInputError(
                f"{model.source}: has fake quantization in it (quantization-aware training), "
                "which makes it int8 and nothing else",
                hints=["leave out --precision and --float", "pass the model as it was without fake quantization"],
            )
        source = of_model(unquantized, model.source, model.name)
        content, prepared = quantize_tflite(source, data, io, precision, verbose=verbose)
        return Converted(content, whole.floating, prepared, (*_TENSORFLOW, _LITERT, _QUANTIZER))
    conversion = convert(model, data, io, floating=floating, verbose=verbose)
    if conversion.strict is None:
        raise _refusal(model, conversion)
    strict = with_scales_of_copies(tflite.load(conversion.strict, source=model.source)).content
    return Converted(strict, conversion.floating, conversion.prepared, (*_TENSORFLOW, _LITERT))


def _refusal(model: FloatModel, conversion: Conversion) -> BadInputError:
    """Why there is no quantized file."""
    if conversion.unsupported:
        return BadInputError(
            f"{model.source}: cannot be fully quantized; TFLite has no operator for: "
            + ", ".join(conversion.unsupported),
            hints=["replace the layers that use them"],
        )
    if conversion.lenient is not None:
        refuse_float(tflite.load(conversion.lenient, source=model.source), model.source)
    return BadInputError(
        f"{model.source}: the TFLite converter refuses the model: {_telling_line(conversion.reason)}",
        hints=["run again with --verbose to see everything the converter says"],
    )


def refuse_float(model: Model, source: str) -> None:
    """Check that every operator of a freshly converted model is an integer TFLite builtin.

    Raises:
        BadInputError: naming the operators that stay float or that TFLite does not have.
    """
    flex = [operator for operator in model.operators if operator.is_custom]
    partly = Counter(operator.code for operator in {*float_operators(model), *flex})
    if partly:
        raise BadInputError(
            f"{source}: cannot be fully quantized; not in int8: {_listed(partly)}",
            hints=["replace these operators (float-only operators cannot run on the NPU)"],
        )


def _telling_line(reason: str) -> str:
    """The line of a converter's error that says most."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "not supported" in line.lower()]
    return (telling or lines or ["no reason given"])[0][:300]


def _listed(operators: dict[str, int]) -> str:
    return ", ".join(f"{code} ({count})" if count > 1 else code for code, count in sorted(operators.items()))
