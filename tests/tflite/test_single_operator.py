"""Files of one operator each."""

from __future__ import annotations

from pathlib import Path

from deploy.tflite.model import read
from deploy.tflite.single_operator import OperatorFiles


def test_the_file_of_one_operator_holds_no_other_operators_weights(mlperf_tiny: dict[str, Path]) -> None:
    model = read(mlperf_tiny["keyword_spotting"])
    dense = next(operator for operator in model.operators if operator.code == "FULLY_CONNECTED")
    content = OperatorFiles(model).content(dense)
    weights = model.tensors[dense.inputs[1]].nbytes
    assert weights < len(content) < weights + 4096
    assert len(content) < len(model.content) / 4
