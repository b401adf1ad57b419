"""What is said of a check of operators."""

from __future__ import annotations

from deploy.judging.operator_check import OperatorCheck

CHECK = OperatorCheck(inputs=4, operators=9, exact=6, source="this run")


def test_convolutions_whose_scales_were_not_compared_are_counted_in_a_sentence() -> None:
    assert CHECK.sentences == ("9 compared, each on the NPU's own values, 4 inputs: all equal",)
    assert CHECK.model_copy(update={"inexact": 2}).sentences[1:] == (
        "not compared as numbers: biases and scales of 2 of 8 convolutions, which Vela computes in another form",
    )
