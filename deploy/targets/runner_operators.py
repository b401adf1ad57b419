"""Which operators Arm's prebuilt runner can compute on its CPU, and which of a model's it cannot.

The list of kernels is read from the firmware itself: its symbols name the function that registers each. What types
the kernels take was measured: models of one operator on release 26.03.0, on the open Corstone-300.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable

from deploy.targets.runner_firmware import runner_images
from deploy.tflite import Model, Operator, damage_named
from deploy.tflite.records import unpacked

_REGISTERED = re.compile(rb"_ZN6tflite\d+Register_([A-Z0-9_]+)Ev")
_DETECTOR = "TFLite_Detection_PostProcess"
_SYMBOLS = {_DETECTOR: "DETECTION_POSTPROCESS", "ethos-u": "ETHOSU"}
"""Custom operators whose kernels go by another name."""

_WEIGHTED = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1, "BATCH_MATMUL": 1}
"""Operators with weights, and which of their inputs these are."""


def _table(rows: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    return {code: tuple(types.split()) for codes, types in rows for code in codes.split()}


_TYPES = _table(
    [
        ("SIN COS LOG SQRT SQUARE NEG CEIL FLOOR ROUND EXP FLOOR_DIV FLOOR_MOD L2_POOL_2D", "float32"),
        ("ELU HARD_SWISH L2_NORMALIZATION LOG_SOFTMAX ADD_N PRELU CUMSUM", "float32 int8"),
        ("ARG_MAX ARG_MIN REDUCE_MAX GATHER DEPTH_TO_SPACE SPACE_TO_DEPTH", "float32 int8"),
        ("ABS RSQRT LEAKY_RELU RELU RELU6 MEAN SUM TRANSPOSE LOGISTIC TANH SOFTMAX", "float32 int8 int16"),
        ("ADD SUB MUL MAXIMUM MINIMUM SQUARED_DIFFERENCE PAD PADV2", "float32 int8 int16 int32"),
        ("DIV", "float32 int8 int32"),
        ("EQUAL NOT_EQUAL", "float32 int8 int32 int64 bool"),
        ("LESS LESS_EQUAL GREATER_EQUAL", "float32 int8 int32 int64"),
        ("GREATER", "float32 int8 int16 int32 int64"),
        ("SLICE STRIDED_SLICE", "float32 int8 int16 int32 bool"),
        ("CONCATENATION", "float32 int8 int16 int32 int64 bool"),
        ("PACK", "float32 int8 int16 int32 int64"),
        ("ZEROS_LIKE", "float32 int8 int32 int64"),
        ("DEQUANTIZE", "int8 int16 uint8"),
        (_DETECTOR, "float32"),
    ]
)
"""What the first input of a kernel may be; of those that are not here, all types went through."""

_TO_UINT8 = ("int8",)
"""What QUANTIZE makes uint8 of."""

_SCRATCH_USERS = frozenset(
    [
        *("ADD_N", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"),
        *("MAX_POOL_2D", "MEAN", "MIRROR_PAD", "REDUCE_MAX", "SUM", "SVDF", _DETECTOR),
        *("TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
    ]
)
"""Operators on the CPU whose kernels may ask for scratch buffers (from TFLM's sources)."""

_ASSERTED_BUFFER = 4
"""The lowest number of its scratch buffer that the kernel of FULLY_CONNECTED takes, see `_asserts`."""


def lacking(compiled: Model, arena_bytes: int = 0) -> tuple[str, ...]:
    """The operators on the CPU that Arm's runner cannot compute.

    Args:
        compiled: that Vela wrote.
        arena_bytes: size of the runner's tensor arena; 0 where it is not known.

    Returns:
        One sentence an operator; none where the runner is not installed.
    """
    left = [operator for operator in compiled.operators if not operator.on_npu]
    known = _kernels() if left else frozenset()
    if not known:
        return ()
    found = [
        (operator, _obstacle(operator, compiled, known) or _shortage(operator, compiled, arena_bytes))
        for operator in left
    ]
    return tuple(f"{each.code} ({compiled.name_of(each)}): {why}" for each, why in found if why)


def _obstacle(operator: Operator, model: Model, known: frozenset[str]) -> str:
    """Why an operator cannot be computed; empty where it can."""
    if _SYMBOLS.get(operator.code, operator.code) not in known:
        return "it has no such kernel"
    if not operator.inputs or operator.inputs[0] < 0:
        return ""
    given = model.tensors[operator.inputs[0]].dtype
    taken = _TYPES.get(operator.code, (given,))
    if operator.code == "QUANTIZE" and model.tensors[operator.outputs[0]].dtype == "uint8":
        taken = _TO_UINT8
    if given not in taken:
        return f"its kernel takes {', '.join(taken)}, here it is given {given}"
    if operator.code == "FULLY_CONNECTED" and _asserts(operator, model):
        return (
            "an assertion of its kernel (cmsis_nn/fully_connected.cc) stops the firmware where an output has more "
            "than two dimensions, the depth is a multiple of 4 and the weights have one scale; "
            "a TFLM built without assertions runs it"
        )
    place = _WEIGHTED.get(operator.code, 0)
    if given == "float32" and 0 < place < len(operator.inputs) and operator.inputs[place] >= 0:
        weights = model.tensors[operator.inputs[place]].dtype
        if weights != given:
            return f"its kernel takes no {weights} weights for float32 inputs"
    return ""


def _asserts(operator: Operator, model: Model) -> bool:
    """Whether the kernel of FULLY_CONNECTED ends at an assertion instead of an answer.

    With int8 weights of one scale, an output of more than two dimensions and a depth that is a multiple of 4, the
    kernel computes a 1x1 convolution and asserts that its scratch buffer is not among the first four of the model
    (``TFLITE_DCHECK_GE(data.buffer_conv_1x1_idx, 4)``). Each operator on the NPU before it took one. Where other
    kernels before it may have taken some, nobody knows, and this does not say so.
    """
    if len(operator.inputs) < 2 or operator.inputs[1] < 0:
        return False
    given, weights = (model.tensors[index] for index in operator.inputs[:2])
    if given.dtype != "int8" or weights.dtype != "int8" or not weights.shape or weights.shape[-1] % 4:
        return False
    per_channel = weights.quantization is not None and len(weights.quantization.scales) > 1
    if per_channel or len(model.tensors[operator.outputs[0]].shape) <= 2:
        return False
    before = model.operators[: operator.index]
    if any(each.code in _SCRATCH_USERS for each in before if not each.on_npu):
        return False
    return sum(each.on_npu for each in before) < _ASSERTED_BUFFER


def _shortage(operator: Operator, model: Model, arena_bytes: int) -> str:
    """Why the arena is too small for an operator by itself; empty where it may be large enough."""
    own = _working_memory(operator, model) if arena_bytes else 0
    tensors = [*model.activations(operator), *(model.tensors[index] for index in operator.outputs)]
    needed = own + sum(tensor.nbytes for tensor in tensors)
    if not own or needed <= arena_bytes:
        return ""
    return f"it takes at least {needed:,} bytes of the tensor arena, of which the runner has {arena_bytes:,}"


def _working_memory(operator: Operator, model: Model) -> int:
    """Bytes that a kernel takes beside its tensors while it runs; 0 where nothing is known.

    The kernel of a detector has lists for all boxes: some once, some as often as there may be detections.
    Source: what TFLM's kernel asks for when it is prepared. For 26,880 boxes the runner asked for 0.4 % more in
    all (measured).
    """
    if operator.code != _DETECTOR or len(operator.inputs) < 2:
        return 0
    from flatbuffers import flexbuffers

    with damage_named(operator.code):
        options = unpacked(model.content).subgraphs[model.subgraph].operators[operator.index].customOptions
        said = flexbuffers.Loads(bytes(bytearray(options)))
        most, classes = int(said["max_detections"]), int(said["num_classes"])
    boxes, scores = (model.tensors[index].shape for index in operator.inputs[:2])
    if len(boxes) != 3 or len(scores) != 3:
        return 0
    count = boxes[1]
    return count * (1 + 4 * (4 + scores[2] + 3 + 3 * most + max(classes, most) + min(count, most)))


def _kernels() -> frozenset[str]:
    """By the names of TFLite's operators; an image may hold more than it registers, so: what all of them have."""
    found: frozenset[str] | None = None
    for path in runner_images():
        with contextlib.suppress(OSError):
            names = frozenset(name.decode() for name in _REGISTERED.findall(path.read_bytes()))
            found = names if found is None else found & names
    return found or frozenset()
