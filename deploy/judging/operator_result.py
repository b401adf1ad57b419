"""What a comparison operator by operator found, as it stands in a verdict document."""

from __future__ import annotations

from deploy.build_folder import Document


class FirstDifference(Document):
    """The first element that differs.

    Attributes:
        input: index of the input, or of the set of made-up values.
        position: indices of the element in the tensor.
        npu: what the NPU computed.
        reference: what the reference kernels computed from the same tensors.
    """

    input: int
    position: tuple[int, ...]
    npu: float
    reference: float


class Miscompilation(Document):
    """What Vela is known to have done to an operator.

    Attributes:
        name: of the kind, short.
        what: one sentence, with the operator's type.
        way_around: a form of the network that Vela compiles right.
    """

    name: str
    what: str
    way_around: str

    def __str__(self) -> str:
        return f"{self.what}; way around: {self.way_around}"


class ChannelDifference(Document):
    """A channel of an operator whose bias or scale in what Vela wrote is not the one that the source model says.

    Attributes:
        channel: number of the first one.
        what: ``bias``, ``multiplier`` or ``shift``.
        written: its value in what Vela wrote.
        meant: its value by the source model.
        channels: how many channels of the operator differ.
    """

    channel: int
    what: str
    written: int
    meant: int
    channels: int

    def __str__(self) -> str:
        more = self.channels - 1
        others = f" ({more} more channel{'s' if more > 1 else ''} too)" if more else ""
        return (
            f"the {self.what} of channel {self.channel} is {self.written}, by the model it is {self.meant}{others}"
        )


class OperatorResult(Document):
    """One operator of the source model, compared on the NPU's own inputs.

    Attributes:
        index: position in the source model.
        type: TFLite's name, ``CONV_2D``.
        name: name of the output tensor.
        dtype: its type.
        absorbs: earlier operators without a result of their own, as ``index type``.
        made_up: whether this is what was found on made-up values of the operator's own; else on the NPU's.
        elements: elements compared, over all inputs.
        mismatches: elements that differ.
        max_lsb: largest difference, in steps of the tensor's own integers; in its own unit where it is a float
            tensor that is not quantized.
        first: the first difference; None when there is none.
        operations: the NPU operations that compute it and their parameters (of a failing operator, at most 4).
        agrees_with: other kernels that compute what the NPU computes, where the reference does not; not asked
            where the NPU's own arithmetic is known and computes it.
        cause: why a difference is no fault of the NPU or its command stream; None when there is no difference, or
            none is known.
        miscompiled: what Vela is known to have done to it: such an operator fails, even where its output agrees.
        scale_difference: the first bias or scale that is not what the model says; such an operator fails, too.
    """

    index: int
    type: str
    name: str
    dtype: str
    absorbs: tuple[str, ...]
    made_up: bool = False
    elements: int
    mismatches: int
    max_lsb: float
    first: FirstDifference | None = None
    operations: tuple[str, ...] = ()
    agrees_with: tuple[str, ...] = ()
    cause: str | None = None
    miscompiled: Miscompilation | None = None
    scale_difference: ChannelDifference | None = None

    @property
    def fault(self) -> str:
        """What is wrong with an operator that is not explained, one clause."""
        where = f"operator {self.index} {self.type} ({self.name})"
        if self.miscompiled is not None:
            return f"{where} is miscompiled: {self.miscompiled}"
        values = " on made-up values" if self.made_up else ""
        computed = (
            f"equals no oracle{values}: {self.mismatches} of {self.elements} elements differ by up to "
            f"{self.max_lsb:g} LSB, and no known cause explains it"
        )
        if self.scale_difference is None:
            return f"{where} {computed}"
        scaled = f"{where} is scaled otherwise than the model says: {self.scale_difference}"
        return f"{scaled}; it {computed}" if self.mismatches and self.cause is None else scaled

    @property
    def explained(self) -> bool:
        """Whether there is no difference, or a known cause for it, and Vela compiled the operator right."""
        right = self.miscompiled is None and self.scale_difference is None
        return right and (self.mismatches == 0 or self.cause is not None)
