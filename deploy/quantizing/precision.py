"""How many bits a quantized model's tensors have, and what stays float, where it is not int8 throughout."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from deploy.errors import BadInputError

Bits = Literal["int8", "int16x8"]
BITS: tuple[str, ...] = get_args(Bits)

_OTHER_NAMES = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}
"""What ai-edge-quantizer calls otherwise than TFLite."""


@dataclass(frozen=True)
class Precision:
    """What to make of a float model.

    Attributes:
        bits: ``int8``: weights and activations of 8 bits; ``int16x8``: activations of 16 and weights of 8.
        floating: operators that stay float: TFLite's names (``SOFTMAX``: all of them), or regular expressions of
            the names of the tensors that they write.
    """

    bits: str = "int8"
    floating: tuple[str, ...] = ()

    @property
    def io(self) -> str:
        """The type of activations."""
        return "int16" if self.bits == "int16x8" else "int8"

    def apply(self, quantizer: Any) -> None:
        """Write it into the recipe of an ``ai_edge_quantizer.quantizer.Quantizer``."""
        from ai_edge_quantizer.qtyping import TFLOperationName as Operation

        quantizer.add_static_config(".*", Operation.ALL_SUPPORTED, 16 if self.io == "int16" else 8, 8)
        for named in self.floating:
            code = _OTHER_NAMES.get(named.upper(), named.upper())
            known = code in {operation.value for operation in Operation}
            regex, operation = (".*", Operation(code)) if known else (named, Operation.ALL_SUPPORTED)
            quantizer.update_quantization_recipe(regex, operation, algorithm_key="no_quantize")


INT8 = Precision()


def precision_of(bits: str | None, floating: Sequence[str] = (), io: str | None = None) -> Precision:
    """What the user asks for.

    Args:
        bits: name of a precision; None for int8.
        floating: operators that stay float.
        io: type of inputs and outputs that was asked for, if any was.

    Raises:
        BadInputError: there is no such precision, no such expression, or it has other inputs and outputs.
    """
    wanted = bits or INT8.bits
    if wanted not in BITS:
        raise BadInputError(f"--precision {wanted}: choose {' or '.join(BITS)}")
    if wanted != INT8.bits and io is not None:
        raise BadInputError(
            f"--io {io}: with --precision {wanted} inputs and outputs have 16 bits",
            hints=["leave --io out"],
        )
    for named in floating:
        try:
            re.compile(named)
        except re.error as error:
            raise BadInputError(f"--float {named}: no operator and no regular expression: {error}") from error
    return Precision(wanted, tuple(floating))
